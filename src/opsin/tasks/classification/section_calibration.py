"""Whether the probabilities can be believed."""

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
    """Return the reliability diagram and what it says; None where there are no predictions yet."""
    predicted = page.predicted
    if predicted is None or not len(predicted):
        return None
    scores = page.run.scorecard.get("test", {})
    accuracy = scores.get("accuracy")
    # Wilson's intervals would be too short where images of one group resemble each other.
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
    """Say what was done to the probabilities on validation; nothing for a run made before that was done."""
    temperature, decision = calibration.get("temperature", 1), calibration.get("decision", "")
    if temperature == 1:
        return decision
    fault, mend = ("too sure of itself", "more modest") if temperature > 1 else ("too modest", "surer")
    return f"By itself the network is {fault}. {decision} Every answer stays what it is and becomes {mend}."


def _reading(
    predicted: PredictedSplit[ClassTargets, Classifications], accuracy: dict[str, Any] | None
) -> dict[str, Any]:
    """Return how sure the model is on average, how often it is right, and what follows."""
    right = predicted.predictions.labels == predicted.targets.values
    confidence, part = float(predicted.predictions.confidence.mean()), float(right.mean())
    sure = predicted.predictions.confidence > 0.99
    low, high = (accuracy["low"], accuracy["high"]) if accuracy else (part, part)
    gap = f"It is {percent(confidence)} sure of its answers on average, and {percent(part)} of them are right"
    if low <= confidence <= high:
        reading = f"{gap}: on the whole the probabilities can be believed. The figure shows where they cannot."
    elif confidence > high:
        reading = f"{gap}: it is too sure of itself. Read its probabilities as a ranking, not as chances."
    else:
        reading = f"{gap}: it is more often right than it says. Read its probabilities as a ranking, not as chances."
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
    return figure_to_svg(
        figure, "reliability", "part of right answers against the probability stated, above the number of images"
    )
