"""A finding of the verdict on a run, and helpers for its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from opsin.metrics.names import describe_score

SEVERITIES = ("serious", "warning", "note", "good")


@dataclass(frozen=True)
class Finding:
    """A property of a run that deserves attention, and what to do about it.

    Attributes:
        kind: Identifier for programs: ``overfitting``, ``weak-class``, ``healthy``…
        severity: ``serious`` (do not use this model), ``warning`` (fix this), ``note`` (be aware of this) or ``good``.
        sentence: The finding, with its numbers.
        evidence: Further evidence; may be empty.
        advice: What to do next, with Opsin's flags where there are any.
    """

    kind: str
    severity: str
    sentence: str
    evidence: str
    advice: str

    def to_dict(self) -> dict[str, str]:
        """Return the entry of ``verdict.json``."""
        return asdict(self)


def score_words(name: str) -> str:
    """Return the name of a score in text: ``roc_auc`` as ROC AUC, ``log_loss`` as log loss."""
    return describe_score(name).words


def capitalized(words: str) -> str:
    """Capitalize the first word, unless it contains a capital already, as mAP does."""
    first = words.partition(" ")[0]
    return words if first != first.lower() else f"{words[:1].upper()}{words[1:]}"


def number(value: float) -> str:
    """Format a loss or a score with three decimals: more for values near 0, fewer for large values."""
    if abs(value) >= 10:
        return f"{value:,.{max(0, 4 - len(f'{abs(value):.0f}'))}f}"
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


def with_interval(entry: dict[str, Any]) -> str:
    """Format a score of the scorecard with its interval: ``0.974 (0.966–0.981)``."""
    return f"{number(entry['value'])} ({number(entry['low'])}–{number(entry['high'])})"


def counts_of(info: dict[str, Any], split: str) -> list[int]:
    """Return the images per class of a split from ``run.json``; empty if it has none."""
    return list(info.get("data", {}).get("counts", {}).get(split) or [])


def images_of(info: dict[str, Any], split: str) -> int:
    """Return the number of images of a split from ``run.json``; 0 if it has none."""
    return int(info.get("data", {}).get("splits", {}).get(split) or sum(counts_of(info, split)))


def chance_level(counts: Sequence[int], classes: int = 0) -> float:
    """Return the accuracy of always predicting the most common class; 1 / classes if the counts are unknown."""
    total = sum(counts)
    return max(counts) / total if total else 1 / max(classes, 1)
