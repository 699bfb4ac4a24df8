"""Per-class scores: images, recall, precision, F1, and the most frequent errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from opsin.reporting.figures.run import plot_recalls
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.run_report.page import Page
from opsin.runs.folder import RunFolder
from opsin.tasks.classification.confusion import confusion_of

LISTED_CLASSES = 500
LISTED_PAIRS = 8
DRAWN_RECALLS = 25


def facts(page: Page) -> dict[str, Any] | None:
    """Return a row per class and the most frequent mistakes; None where no class is known yet."""
    matrix = confusion_of(page.predicted) if page.predicted else None
    rows = class_rows(page.run, page.classes, matrix)
    if not rows:
        return None
    measured = [row for row in rows if row["recall"] and row["recall"]["value"] is not None]
    weakest = sorted(measured, key=lambda row: row["recall"]["value"])[:DRAWN_RECALLS]
    return {
        "classes": weakest_classes(rows),
        "hidden_classes": max(0, len(rows) - LISTED_CLASSES),
        "predicted": page.predicted is not None,
        "pairs": confused_pairs(matrix, page.classes) if matrix is not None else [],
        "recalls": _recalls(weakest) if weakest else "",
        "hidden_recalls": len(measured) - len(weakest),
    }


def class_rows(folder: RunFolder, classes: list[str], matrix: NDArray[np.int64] | None) -> list[dict[str, Any]]:
    """Return a row per class: images per split, and recall, precision and F1 on test."""
    card = folder.scorecard.get("test", {})
    counts = folder.info.get("data", {}).get("counts", {})
    rows = []
    for index, name in enumerate(classes):
        row: dict[str, Any] = {"name": name, "index": index}
        for split in ("train", "validation", "test"):
            row[split] = counts[split][index] if split in counts else None
        if row["test"] is None and matrix is not None:
            row["test"] = int(matrix[index].sum())
        for score in ("recall", "precision", "f1"):
            row[score] = card.get(f"{score}/{name}")
        rows.append(row)
    return rows


def confused_pairs(matrix: NDArray[np.int64], classes: list[str]) -> list[dict[str, Any]]:
    """Return the most frequent errors: true class, predicted class, number and fraction of the class's images."""
    mistakes = matrix.copy()
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:LISTED_PAIRS]
    pairs = []
    for truth, guess in zip(*np.unravel_index(order, matrix.shape), strict=True):
        number = int(mistakes[truth, guess])
        if number:
            part = number / matrix[truth].sum()
            pairs.append({"truth": classes[truth], "guess": classes[guess], "number": number, "part": part})
    return pairs


def weakest_classes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that fit on a page, in their order: all, or those with the lowest recall."""
    if len(rows) <= LISTED_CLASSES:
        return rows
    recall = [_value(row["recall"], 2.0) for row in rows]
    return [rows[index] for index in sorted(np.argsort(recall, kind="stable")[:LISTED_CLASSES])]


def _value(entry: dict[str, Any] | None, otherwise: float) -> float:
    return otherwise if entry is None or entry["value"] is None else entry["value"]


def _recalls(rows: list[dict[str, Any]]) -> Markup:
    entries = [row["recall"] for row in rows]
    figure = plot_recalls(
        [row["name"] for row in rows],
        np.array([entry["value"] for entry in entries]),
        np.array([[entry["low"], entry["high"]] for entry in entries], dtype=float),
        np.array([entry["n"] for entry in entries]),
    )
    return figure_to_svg(figure, "recalls", "recall of each class with its 95 % interval, lowest first")
