"""Headline, captions and heat-map questions of a regression report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import ValueTargets
from opsin.evaluation.verdict.finding import number
from opsin.reporting import formats
from opsin.reporting.run_report.captions import Caption, Captions
from opsin.reporting.run_report.headline import written
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.questions import Questions, Words
from opsin.reporting.run_report.section import Section
from opsin.reporting.sections import ATTRIBUTIONS, CLOSING, DOMAIN_SHIFT, GALLERY, OPENING
from opsin.tasks.base import PredictedSplit
from opsin.tasks.regression import section_estimates
from opsin.tasks.regression.predictions import Values


def caption_values(
    predicted: PredictedSplit[ValueTargets, Values], rows: NDArray[np.int64], classes: Sequence[str]
) -> Captions:
    """Caption pictures by their true and predicted values; arguments as for `caption_classes`."""
    each = []
    for row in rows.tolist():
        truth, value = float(predicted.targets.values[row]), float(predicted.predictions.values[row])
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
    if predicted is not None and len(predicted):
        naming = float(np.abs(predicted.targets.values - page.run.fitted_state["mean"]).mean())
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
    predicted: PredictedSplit[ValueTargets, Values],
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    classes: Sequence[str],
) -> Questions:
    """Return the captions of heat maps of the predicted value; see `ask_classes`."""
    each: list[list[Words]] = [
        [(("Evidence for ", False), (f"{float(predicted.predictions.values[row]):.4g}", True))] for row in rows.tolist()
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


TEMPLATES = "opsin.tasks.regression"
OWN = (Section("estimates", "Predictions", section_estimates.facts, TEMPLATES),)
SECTIONS = (*OPENING, *OWN, DOMAIN_SHIFT, GALLERY, ATTRIBUTIONS, *CLOSING)


class RegressionReport:
    """See `opsin.reporting.task.TaskReport`."""

    sections = SECTIONS

    def headline(self, page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
        """See `TaskReport.headline`."""
        return head_of_regression(page, score, split)

    def captions(
        self, predicted: PredictedSplit[ValueTargets, Values], rows: NDArray[np.int64], classes: Sequence[str]
    ) -> Captions:
        """See `TaskReport.captions`."""
        return caption_values(predicted, rows, classes)

    def questions(
        self,
        predicted: PredictedSplit[ValueTargets, Values],
        rows: NDArray[np.int64],
        outputs: NDArray[np.int64],
        classes: Sequence[str],
    ) -> Questions:
        """See `TaskReport.questions`."""
        return ask_values(predicted, rows, outputs, classes)
