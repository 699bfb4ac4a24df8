"""Headline, captions and heat-map questions of a regression report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.evaluation.verdict.finding import number
from opsin.reporting import formats
from opsin.reporting.run_report.captions import Caption, Captions
from opsin.reporting.run_report.headline import written
from opsin.reporting.run_report.page import Page, Predicted
from opsin.reporting.run_report.questions import Questions, Words


def caption_values(predicted: Predicted, rows: NDArray[np.int64], classes: Sequence[str]) -> Captions:
    """Caption pictures by their true and predicted values; arguments as for `caption_classes`."""
    each = []
    for row in rows.tolist():
        truth, value = float(predicted.labels[row]), float(predicted.result.values[row])
        words = ((f"{truth:.4g}", True), (" predicted ", False), (f"{value:.4g}", True))
        error = abs(value - truth)
        detail = f"{error:.3g} too {'large' if value > truth else 'small'}" if error else "exact"
        alt = f"true {classes[0]} {truth:.4g}, predicted {value:.4g}"
        each.append(Caption(None, words, detail, f"{truth:.4g}", f"{value:.4g}", alt))
    return Captions(
        f"Test images sorted by the absolute error of the predicted {classes[0]}, largest first. Look at the first "
        "ones: they are wrong values, poor images and real weaknesses of the model.",
        "the largest errors, then an even selection down to the smallest",
        each,
        [],
    )


def head_of_regression(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the headline: the mean absolute error, and that of always predicting the mean of the training images.

    Arguments and result are those of `head_of_classification`.
    """
    naming = None
    predicted = page.predicted if split == "test" else page.validation
    if predicted is not None and len(predicted.labels):
        naming = float(np.abs(predicted.labels - page.run.known["mean"]).mean())
    widest = max(score["high"], naming or 0.0)
    says = f"the mean absolute error of the predicted {page.classes[0]} is"
    places = {"low": score["low"], "value": score["value"], "high": score["high"], "mark": naming}
    scale = {name: None if value is None else value / widest for name, value in places.items()} if widest else None
    return {
        **written(score, number),
        "what": "Mean absolute error",
        "test": (says, ""),
        "validation": (says, f"on {formats.count(score['n'])} images"),
        "scale": None if scale is None else scale | {"ends": ("0", number(widest))},
        "mark": None if naming is None else ("always predicting the training mean", number(naming)),
    }


def ask_values(
    predicted: Predicted, rows: NDArray[np.int64], targets: NDArray[np.int64], classes: Sequence[str]
) -> Questions:
    """Return the captions of heat maps of the predicted value; see `ask_classes`."""
    each: list[list[Words]] = [
        [(("Evidence for ", False), (f"{float(predicted.result.values[row]):.4g}", True))] for row in rows.tolist()
    ]
    return Questions(
        "",
        "lowers",
        "raises",
        "the value",
        "raises the value",
        "the value",
        "The maps explain the predicted value.",
        each,
    )
