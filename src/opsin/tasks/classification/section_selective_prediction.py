"""Selective prediction: accuracy by coverage when the least confident images are left to a person."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from opsin.evaluation.selective_prediction import Selective, choose_threshold, selective
from opsin.reporting.figures.selective_prediction import plot_coverage
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.run_report.page import Page
from opsin.statistics.bootstrap import wilson
from opsin.statistics.clusters import groups_behind

TARGETS = (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
SHOWN = 3  # of these, the lowest that is not reached at full coverage
FEWEST = 10  # answers below which their accuracy is too noisy to draw
POINTS = 200  # of the curve


def facts(page: Page) -> dict[str, Any] | None:
    """Return accuracy by coverage on test, and at thresholds chosen on validation; None without predictions."""
    predicted = page.predicted
    if predicted is None or len(predicted) < FEWEST:
        return None
    curve = selective(predicted.predictions.confidence, predicted.predictions.labels == predicted.targets.values)
    choices = _choices(page, curve)
    # Wilson intervals are too short if images of one group resemble each other.
    grouped = groups_behind(page.run.scorecard.get("test", {}).get("accuracy", {}).get("method", "")) is not None
    most = int(np.argmin(np.abs(curve.coverage - 0.9)))
    return {
        "figure": _figure(curve, choices, intervals=not grouped),
        "intervals": not grouped,
        "choices": choices,
        "all": float(curve.accuracy[-1]),
        "part": float(curve.coverage[most]),
        "of_part": float(curve.accuracy[most]),
        "area": curve.area,
        "worst_area": float(1 - curve.accuracy[-1]),
    }


def _choices(page: Page, curve: Selective) -> list[dict[str, Any]]:
    """Return for each target accuracy the threshold from validation and its coverage and accuracy on test."""
    validation = page.validation
    if validation is None or not len(validation):
        return []
    chosen = [
        choose_threshold(
            validation.predictions.confidence, validation.predictions.labels == validation.targets.values, target
        )
        for target in TARGETS
    ]
    rows = []
    for threshold in chosen:
        if 0 < threshold.coverage < 1:
            entry = curve.at(threshold.confidence)
            coverage = entry.n / int(curve.answered[-1])
            rows.append(
                {
                    "target": threshold.target,
                    "confidence": threshold.confidence,
                    "shown": threshold.shown,
                    "coverage": coverage,
                    "accuracy": entry.to_dict(),
                }
            )
    return rows[:SHOWN]


def _figure(curve: Selective, choices: list[dict[str, Any]], *, intervals: bool) -> Markup:
    drawn = np.flatnonzero(curve.answered >= FEWEST)
    drawn = np.unique(drawn[np.linspace(0, len(drawn) - 1, POINTS).round().astype(int)])
    bounds = None
    if intervals:
        found = [wilson(curve.right[place], int(curve.answered[place])) for place in drawn]
        bounds = np.array([(interval.low, interval.high) for interval in found])
    points = [
        (row["coverage"], row["accuracy"]["value"])
        for row in choices
        if row["accuracy"]["value"] is not None and row["accuracy"]["n"] >= FEWEST
    ]
    figure = plot_coverage(curve.coverage[drawn], curve.accuracy[drawn], bounds, points)
    return figure_to_svg(figure, "coverage", "accuracy of the answers against coverage")
