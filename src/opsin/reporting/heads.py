"""What stands at the head of a report: the main score in a sentence and as a number, one function for each task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from opsin.evaluation.verdict.finding import number
from opsin.reporting import formats
from opsin.reporting.run_report.page import Page, Predicted


def head_of_classification(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the accuracy in words, and that of always naming the commonest class.

    Args:
        page: The report.
        score: The entry of the main score: value, low, high, method, n.
        split: Where it was measured.

    Returns:
        ``value``, ``low``, ``high`` (text), ``what`` (the score), ``test`` and ``validation`` (what stands before and
        after the value in the sentence about that split), ``scale`` (places of ``low``, ``value``, ``high`` and
        ``mark`` from 0 to 1 on a line whose ends are called ``ends``; None for no line) and ``mark`` (what is marked on
        it, and its value as text; None for nothing).
    """
    baseline = most_common_part(page.predicted)
    says = "the model names the right class for"
    return {
        **_written(score, formats.percent),
        "what": "Accuracy",
        "test": (says, "of them"),
        "validation": (says, f"of {formats.count(score['n'])}"),
        "scale": _places(score) | {"mark": baseline, "ends": ("0", "100\xa0%")},
        "mark": None if baseline is None else ("always the most common class", formats.percent(baseline)),
    }


def most_common_part(predicted: Predicted | None) -> float | None:
    """Return the accuracy of always naming the most common class of the test images, which any model should beat."""
    if predicted is None or not len(predicted.labels):
        return None
    return float(predicted.matrix.sum(axis=1).max() / len(predicted.labels))


def head_of_regression(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the mean absolute error in words, beside that of always naming the mean of the training images.

    Arguments and result are those of `head_of_classification`.
    """
    naming = None
    predicted = page.predicted if split == "test" else page.validation
    if predicted is not None and len(predicted.labels):
        naming = float(np.abs(predicted.labels - page.run.known["mean"]).mean())
    widest = max(score["high"], naming or 0.0)
    says = f"the predicted {page.classes[0]} is off by"
    places = {"low": score["low"], "value": score["value"], "high": score["high"], "mark": naming}
    scale = {name: None if value is None else value / widest for name, value in places.items()} if widest else None
    return {
        **_written(score, number),
        "what": "Mean absolute error",
        "test": (says, "on average"),
        "validation": (says, f"on average, on {formats.count(score['n'])} of them"),
        "scale": None if scale is None else scale | {"ends": ("0", number(widest))},
        "mark": None if naming is None else ("always the mean of training", number(naming)),
    }


def head_of_segmentation(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the mean Dice of images in words; see `head_of_classification`."""
    one_class = len(page.classes) == 2
    what = page.classes[1] if one_class else "the classes"
    says = f"predicted and true masks of {what} agree with a Dice coefficient of"
    return {
        **_written(score, formats.score),
        "what": "Dice",
        "test": (says, "on average over them"),
        "validation": (says, f"on average over {formats.count(score['n'])}"),
        "scale": _places(score) | {"mark": None, "ends": ("0", "1")},
        "mark": None,
    }


def head_of_labels(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return mAP in words, beside that of a network that knows nothing: how frequent labels are in the mean.

    Arguments and result are those of `head_of_classification`.
    """
    predicted = page.predicted if split == "test" else page.validation
    frequency = None
    if predicted is not None and len(predicted.labels):
        counts = predicted.labels.sum(axis=0)
        frequency = float(counts[counts > 0].mean() / len(predicted.labels)) if counts.any() else None
    says = "the model ranks the images with a label before the others with a mean average precision of"
    return {
        **_written(score, formats.score),
        "what": "mAP",
        "test": (says, ""),
        "validation": (says, f"({formats.count(score['n'])} of them)"),
        "scale": _places(score) | {"mark": frequency, "ends": ("0", "1")},
        "mark": None if frequency is None else ("knowing nothing", formats.score(frequency)),
    }


def _written(score: dict[str, Any], form: Callable[[Any], str]) -> dict[str, str]:
    return {name: form(score[name]) for name in ("value", "low", "high")}


def _places(score: dict[str, Any]) -> dict[str, Any]:
    return {name: score[name] for name in ("low", "value", "high")}
