"""What stands at the head of a report: the main score in a sentence and as a number, one function for each task."""

from __future__ import annotations

from typing import Any

from opsin.reporting import formats
from opsin.reporting.page import Page, Predicted


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
        "value": formats.percent(score["value"]),
        "low": formats.percent(score["low"]),
        "high": formats.percent(score["high"]),
        "what": "Accuracy",
        "test": (says, "of them"),
        "validation": (says, f"of {formats.count(score['n'])}"),
        "scale": {name: score[name] for name in ("low", "value", "high")}
        | {"mark": baseline, "ends": ("0", "100\xa0%")},
        "mark": None if baseline is None else ("always the most common class", formats.percent(baseline)),
    }


def most_common_part(predicted: Predicted | None) -> float | None:
    """Return the accuracy of always naming the most common class of the test images, which any model should beat."""
    if predicted is None or not len(predicted.labels):
        return None
    return float(predicted.matrix.sum(axis=1).max() / len(predicted.labels))
