"""Calibration: predicted probabilities against accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from opsin.evaluation.calibration import tempered
from opsin.metrics.classification import reliability
from opsin.reporting.figures.run import plot_reliability
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.formats import percent
from opsin.reporting.run_report.page import Page, Predicted
from opsin.statistics.bootstrap import wilson
from opsin.statistics.clusters import groups_behind
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.scorecard import score_probabilities


def facts(page: Page) -> dict[str, Any] | None:
    """Return the reliability diagram and its summary; None if there are no predictions yet."""
    predicted = page.predicted
    if predicted is None or not len(predicted.labels):
        return None
    scores = page.run.scorecard.get("test", {})
    accuracy = scores.get("accuracy")
    # Wilson intervals are too short if images of one group resemble each other.
    grouped = groups_behind((accuracy or {}).get("method", "")) is not None
    groups = page.run.groups("test") if grouped else None
    temperature = page.run.temperature
    # Softmax of logits / T is proportional to p^(1 / T), so the probabilities before calibration need not be stored.
    before = None if temperature == 1 else Classifications(tempered(predicted.result.probabilities, 1 / temperature))
    return {
        "figure": _reliability(predicted, before, intervals=not grouped),
        "whiskers": not grouped,
        "error": scores.get("calibration_error"),
        "error_before": before and score_probabilities(before, predicted.labels, groups)[1].to_dict(),
        "temperature": _temperature(page.run.calibration),
        **_reading(predicted, accuracy),
    }


def _temperature(calibration: dict[str, Any]) -> str:
    """Describe the temperature scaling on validation; empty for a run without calibration."""
    temperature, decision = calibration.get("temperature", 1), calibration.get("decision", "")
    if temperature == 1:
        return decision
    fault, mend = ("overconfident", "lowers") if temperature > 1 else ("underconfident", "raises")
    return f"The uncalibrated network is {fault}. {decision} This {mend} the confidence and changes no prediction."


def _reading(predicted: Predicted, accuracy: dict[str, Any] | None) -> dict[str, Any]:
    """Return mean confidence, accuracy and what follows from them."""
    right = predicted.result.labels == predicted.labels
    confidence, part = float(predicted.result.confidence.mean()), float(right.mean())
    sure = predicted.result.confidence > 0.99
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


def _reliability(predicted: Predicted, before: Classifications | None, *, intervals: bool) -> Markup:
    bins = reliability(predicted.labels, predicted.result.probabilities)
    old = None if before is None else reliability(predicted.labels, before.probabilities)
    bounds = None
    if intervals:
        found = [wilson(right, int(n)) for right, n in zip(bins.accuracy * bins.counts, bins.counts, strict=True)]
        bounds = np.array([(interval.low, interval.high) for interval in found])
    earlier = None if old is None else (old.confidence, old.accuracy)
    figure = plot_reliability(bins.confidence, bins.accuracy, bins.counts, bounds, earlier)
    return figure_to_svg(figure, "reliability", "accuracy against confidence, above the number of images")
