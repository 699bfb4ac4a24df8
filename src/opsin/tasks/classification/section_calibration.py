"""Calibration: predicted probabilities against accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from opsin.data.targets import ClassTargets
from opsin.evaluation.calibration import tempered
from opsin.metrics.classification import reliability
from opsin.reporting.figures.run import plot_reliability
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.formats import percent
from opsin.reporting.run_report.page import Page
from opsin.statistics.bootstrap import wilson
from opsin.statistics.clusters import groups_behind
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.scorecard import score_probabilities


def facts(page: Page) -> dict[str, Any] | None:
    """Return the reliability diagram and its summary; None if there are no predictions yet."""
    predicted = page.predicted
    if predicted is None or not len(predicted):
        return None
    scores = page.run.scorecard.get("test", {})
    accuracy = scores.get("accuracy")
    # Wilson intervals are too short if images of one group resemble each other.
    grouped = groups_behind((accuracy or {}).get("method", "")) is not None
    groups = page.run.groups("test") if grouped else None
    temperature = page.run.temperature
    # Softmax of logits / T is proportional to p^(1 / T), so that nothing has to be stored twice.
    before = (
        None if temperature == 1 else Classifications(tempered(predicted.predictions.probabilities, 1 / temperature))
    )
    return {
        "figure": _reliability(predicted, before, intervals=not grouped),
        "whiskers": not grouped,
        "error": scores.get("calibration_error"),
        "error_before": before and score_probabilities(before, predicted.targets.values, groups)[1].to_dict(),
        "temperature": _temperature(page.run.calibration),
        **_reading(predicted, accuracy),
    }


def _temperature(calibration: dict[str, Any]) -> str:
    """Describe the temperature scaling on validation; empty for a run without calibration."""
    temperature, decision = calibration.get("temperature", 1), calibration.get("decision", "")
    if temperature == 1:
        result: str = decision
        return result
    fault, mend = ("overconfident", "lowers") if temperature > 1 else ("underconfident", "raises")
    return f"The uncalibrated network is {fault}. {decision} This {mend} the confidence and changes no prediction."


def _reading(
    predicted: PredictedSplit[ClassTargets, Classifications], accuracy: dict[str, Any] | None
) -> dict[str, Any]:
    """Return how sure the model is on average, how often it is right, and what follows."""
    right = predicted.predictions.labels == predicted.targets.values
    confidence, part = float(predicted.predictions.confidence.mean()), float(right.mean())
    sure = predicted.predictions.confidence > 0.99
    low, high = (accuracy["low"], accuracy["high"]) if accuracy else (part, part)
    gap = f"The mean confidence is {percent(confidence)} and the accuracy {percent(part)}"
    if low <= confidence <= high:
        reading = f"{gap}: on average the model is well calibrated. The figure shows where it deviates."
    elif confidence > high:
        reading = f"{gap}: the model is overconfident. Use its probabilities as a ranking only."
    else:
        reading = f"{gap}: the model is underconfident. Use its probabilities as a ranking only."
    return {
        "confidence": confidence,
        "accuracy": part,
        "sure": int(sure.sum()),
        "sure_wrong": int((sure & ~right).sum()),
        "reading": reading,
    }


def _reliability(
    predicted: PredictedSplit[ClassTargets, Classifications], before: Classifications | None, *, intervals: bool
) -> Markup:
    bins = reliability(predicted.targets.values, predicted.predictions.probabilities)
    old = None if before is None else reliability(predicted.targets.values, before.probabilities)
    bounds = None
    if intervals:
        found = [wilson(right, int(n)) for right, n in zip(bins.accuracy * bins.counts, bins.counts, strict=True)]
        bounds = np.array([(interval.low, interval.high) for interval in found])
    earlier = None if old is None else (old.confidence, old.accuracy)
    figure = plot_reliability(bins.confidence, bins.accuracy, bins.counts, bounds, earlier)
    return figure_to_svg(figure, "reliability", "accuracy against confidence, above the number of images")
