"""Embedding map: images placed by the features of the network."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.inspection.projection import NEIGHBORS
from opsin.reporting.figures.style import shorten
from opsin.reporting.formats import percent
from opsin.reporting.run_report.page import Page

COLORS = 10  # classes with a color of their own, as in alike.css
WIDTH, HEIGHT, MARGIN = 1_000, 600, 24
LONGEST = 60  # characters of a file name


def facts(page: Page) -> dict[str, Any] | None:
    """Return positions, pictures and colors of the images; None if there is no embedding map."""
    predicted = page.validation
    if predicted is None or not (page.run.path / "map.npz").exists():
        return None
    stored = page.run.arrays("map.npz", "rows", "principal", "neighbors", "explained", "agreement", "sheet", "tile")
    rows = stored["rows"]
    if not len(rows) or rows.max() >= len(predicted):
        return None
    labels, guesses = predicted.targets.values[rows], predicted.predictions.labels[rows]
    principal, explained = fit(stored["principal"]), stored["explained"]
    neighbors = fit(stored["neighbors"]) if len(stored["neighbors"]) else None
    shown = principal if neighbors is None else neighbors
    colors = color_of(labels, guesses, len(page.classes))
    wrong = labels != guesses
    sheet = bytes(stored["sheet"])
    kind = "png" if sheet.startswith(b"\x89PNG") else "jpeg"
    return {
        "number": len(rows),
        "available": len(predicted),
        "wrong": int(wrong.sum()),
        "width": WIDTH,
        "height": HEIGHT,
        "neighbors": neighbors is not None,
        "near": NEIGHBORS,
        "agreement": float(stored["agreement"]),
        "explained": float(explained.sum()),
        "dots": [
            (int(colors[labels[i]]), *shown[i].tolist(), bool(wrong[i])) for i in np.argsort(wrong, kind="stable")
        ],
        "legend": [
            {"name": page.classes[label], "label": int(label), "color": int(colors[label]), "images": int(count)}
            for label, count in zip(*np.unique(labels, return_counts=True), strict=True)
        ],
        "data": {
            "places": [places.tolist() for places in (neighbors, principal) if places is not None],
            "labels": labels.tolist(),
            "guesses": guesses.tolist(),
            "sure": [percent(float(confidence)) for confidence in predicted.predictions.confidence[rows]],
            "names": [] if page.anonymous else [shorten(predicted.names[row], LONGEST) for row in rows],
            "classes": page.classes,
            "colors": colors.tolist(),
            "tile": stored["tile"].tolist(),
        },
        "sheet": f"data:image/{kind};base64,{base64.b64encode(sheet).decode()}",
    }


def fit(places: NDArray[np.floating]) -> NDArray[np.int64]:
    """Move and scale positions ``(N, 2)`` into the map without distortion, with the y axis upward."""
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.array([WIDTH, HEIGHT]) - 2 * MARGIN
    scale = (room / np.maximum(high - low, 1e-9)).min()
    middle = (low + high) / 2
    result: NDArray[np.int64] = np.rint((places - middle) * scale * (1, -1) + (WIDTH / 2, HEIGHT / 2)).astype(np.int64)
    return result


def color_of(labels: NDArray[np.int64], guesses: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Assign a color to up to ten classes: all, or those with the most errors and a last color for the rest.

    Args:
        labels: int64 ``(N,)``, true classes.
        guesses: int64 ``(N,)``, predicted classes.
        classes: Number of classes.

    Returns:
        int64 ``(classes,)``, numbers of colors.
    """
    if classes <= COLORS:
        return np.arange(classes)
    wrong = labels != guesses
    mistakes = np.bincount(labels[wrong], minlength=classes) + np.bincount(guesses[wrong], minlength=classes)
    colors = np.full(classes, COLORS - 1)
    colors[np.sort(np.argsort(-mistakes, kind="stable")[: COLORS - 1])] = np.arange(COLORS - 1)
    return colors
