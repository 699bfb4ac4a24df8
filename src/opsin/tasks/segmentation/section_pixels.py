"""Segmentation scores by class and by image: overlap, outlines, pixel confusions, checkerboard artifacts, threshold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from opsin.data.targets import DecodedMasks
from opsin.metrics.segmentation import confusion_matrices, counted_classes, image_dice, threshold_curve
from opsin.reporting.figures.confusion import most_confused
from opsin.reporting.figures.run import NUMBERED_CLASSES, plot_confusion_matrix
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.run_report.page import Page
from opsin.tasks.base import PredictedSplit
from opsin.tasks.segmentation.figures import plot_image_scores, plot_thresholds
from opsin.tasks.segmentation.predictions import SegmentationMasks


def facts(page: Page) -> dict[str, Any] | None:
    """Return the facts of the section; None if there are no predictions yet."""
    predicted, card = page.predicted, page.run.scorecard.get("test")
    if predicted is None or card is None or not len(predicted):
        return None
    confusion = confusion_matrices(predicted.targets.values, predicted.predictions.labels, len(page.classes))
    dice = image_dice(confusion)
    total = confusion.sum(axis=0)
    counted = page.classes[counted_classes(len(page.classes))]
    scores = figure_to_svg(
        plot_image_scores(dice[~np.isnan(dice)], "Dice of each image"), "image-dice", "number of images by Dice"
    )
    return {
        "classes": [_row(card, name, total, index) for index, name in enumerate(page.classes)],
        "counted": counted[0] if len(counted) == 1 else "",
        "distribution": scores,
        "quartiles": [float(value) for value in np.nanquantile(dice, [0, 0.25, 0.5, 0.75, 1])],
        "confusion": _confusion(total, page.classes),
        "checkerboard": card.get("checkerboard"),
        "thresholds": _thresholds(page),
    }


def _row(card: dict[str, Any], name: str, total: NDArray[np.int64], index: int) -> dict[str, Any]:
    pixels = int(total[index].sum())
    scores = {kind: card.get(f"{kind}/{name}") for kind in ("dice", "iou", "boundary_f")}
    return {"name": name, "part": pixels / max(int(total.sum()), 1), **scores}


def _confusion(total: NDArray[np.int64], classes: list[str]) -> Markup:
    matrix, names = most_confused(total, classes)
    measure = "parts" if len(names) <= NUMBERED_CLASSES else None
    figure = plot_confusion_matrix(matrix, names, ordered=False, measure=measure)  # type: ignore[arg-type]
    return figure_to_svg(
        figure, "pixel-confusion", "true class by predicted class, in percent of the true class's pixels"
    )


def _thresholds(page: Page) -> dict[str, Any] | None:
    """Return the curves over thresholds of two classes, and the best threshold on validation."""
    if len(page.classes) != 2 or page.predicted is None:
        return None
    curve = _curve(page.predicted)
    best = None if page.validation is None or not len(page.validation) else _curve(page.validation)
    chosen = None if best is None else int(np.nanargmax(best["dice"]))
    rows = range(0, len(curve["threshold"]), 10)
    return {
        "figure": figure_to_svg(plot_thresholds(curve), "mask-thresholds", "Dice, precision and recall by threshold"),
        "data": Markup(json.dumps({name: _plain(values) for name, values in curve.items()})),
        "rows": [_at(curve, row) for row in rows],
        "best": None if best is None or chosen is None else _at(best, chosen),
    }


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers for JSON, None for nan."""
    return [None if np.isnan(value) else round(value, 4) for value in values.tolist()]


def _at(curve: dict[str, NDArray[np.float64]], row: int) -> dict[str, float | None]:
    return {name: _plain(values[[row]])[0] for name, values in curve.items()}


def _curve(predicted: PredictedSplit[DecodedMasks, SegmentationMasks]) -> dict[str, NDArray[np.float64]]:
    return threshold_curve(predicted.targets.values, predicted.predictions.foreground())
