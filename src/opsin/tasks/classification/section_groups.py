"""Scores by group (patient, slide): one prediction from all images of a group."""

from __future__ import annotations

from typing import Any

from opsin.evaluation.group_pooling import group_labels, pool
from opsin.metrics.classification import confusion_matrix
from opsin.reporting.figures.run import plot_confusion_matrix
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.run_report.page import Page

LISTED = 10  # wrong groups by name
DRAWN = 25  # classes


def facts(page: Page) -> dict[str, Any] | None:
    """Return accuracy and confusions by group; None unless groups are of several images of one class."""
    card, predicted = page.run.scorecard.get("test", {}), page.predicted
    if predicted is None or "group_accuracy" not in card:
        return None
    groups = page.run.groups("test")
    labels = None if groups is None or len(groups) != len(predicted) else group_labels(predicted.targets.values, groups)
    if groups is None or labels is None:
        return None
    names, pooled = pool(predicted.predictions, groups)
    wrong = [row for row in pooled.confidence.argsort()[::-1].tolist() if pooled.labels[row] != labels[row]]
    matrix = confusion_matrix(labels, pooled.labels, len(page.classes))
    figure = None
    if len(page.classes) <= DRAWN:
        figure = figure_to_svg(
            plot_confusion_matrix(matrix, page.classes), "groups", "confusion matrix of groups, true by predicted class"
        )
    return {
        "by_group": card["group_accuracy"],
        "by_image": card.get("accuracy"),
        "groups": len(names),
        "images": len(predicted),
        "figure": figure,
        "wrong": [
            {
                "name": "" if page.anonymous else str(names[row]),
                "truth": page.classes[labels[row]],
                "guess": page.classes[pooled.labels[row]],
                "confidence": float(pooled.confidence[row]),
                "images": int((groups == names[row]).sum()),
            }
            for row in wrong[:LISTED]
        ],
        "hidden": max(0, len(wrong) - LISTED),
    }
