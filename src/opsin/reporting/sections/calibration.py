"""Whether the probabilities can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from opsin.evaluation.intervals import wilson
from opsin.evaluation.scorecard import groups_behind
from opsin.metrics.classification import reliability
from opsin.reporting.figures import plot_reliability
from opsin.reporting.formats import percent
from opsin.reporting.page import Page, Predicted
from opsin.reporting.style import figure_to_svg


def facts(page: Page) -> dict[str, Any] | None:
    """Return the reliability diagram and what it says; None where there are no predictions yet."""
    predicted = page.predicted
    if predicted is None or not len(predicted.labels):
        return None
    accuracy = page.run.scorecard.get("test", {}).get("accuracy")
    # Wilson's intervals would be too short where images of one group resemble each other.
    whiskers = groups_behind((accuracy or {}).get("method", "")) is None
    figure = _reliability(predicted, intervals=whiskers)
    return {"figure": figure, "whiskers": whiskers, **_reading(predicted, accuracy)}


def _reading(predicted: Predicted, accuracy: dict[str, Any] | None) -> dict[str, Any]:
    """Return how sure the model is on average, how often it is right, and what follows."""
    right = predicted.result.labels == predicted.labels
    confidence, part = float(predicted.result.confidence.mean()), float(right.mean())
    sure = predicted.result.confidence > 0.99
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


def _reliability(predicted: Predicted, *, intervals: bool) -> Markup:
    bins = reliability(predicted.labels, predicted.result.probabilities)
    bounds = None
    if intervals:
        found = [wilson(right, int(n)) for right, n in zip(bins.accuracy * bins.counts, bins.counts, strict=True)]
        bounds = np.array([(interval.low, interval.high) for interval in found])
    figure = plot_reliability(bins.confidence, bins.accuracy, bins.counts, bounds)
    return figure_to_svg(
        figure, "reliability", "part of right answers against the probability stated, above the number of images"
    )
