"""One statement of the verdict on a run, and the words that all statements share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from opsin.metrics.names import describe_score

SEVERITIES = ("serious", "warning", "note", "good")


@dataclass(frozen=True)
class Finding:
    """What stands out in a run, and what to do about it.

    Attributes:
        kind: A word for programs: ``overfitting``, ``weak-class``, ``healthy``…
        severity: ``serious`` (do not use this model), ``warning`` (mend this), ``note`` (know this) or ``good``.
        sentence: What was found, with its numbers.
        evidence: What else bears it out; may be empty.
        advice: What to try next, in terms of Opsin's flags where there is one.
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
    """Write the name of a score: ``roc_auc`` as ROC AUC, ``log_loss`` as log loss."""
    return describe_score(name).words


def capitalized(words: str) -> str:
    """Begin words with a capital, as a sentence does, unless the first has one already as mAP has."""
    first = words.partition(" ")[0]
    return words if first != first.lower() else f"{words[:1].upper()}{words[1:]}"


def number(value: float) -> str:
    """Write a loss or a score: three decimals, more where these would show little but zeros, fewer for large ones."""
    if abs(value) >= 10:
        return f"{value:,.{max(0, 4 - len(f'{abs(value):.0f}'))}f}"
    return f"{value:.3f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


def with_interval(entry: dict[str, Any]) -> str:
    """Write a score of the scorecard with its interval: ``0.974 (0.966–0.981)``."""
    return f"{number(entry['value'])} ({number(entry['low'])}–{number(entry['high'])})"


def counts_of(info: dict[str, Any], split: str) -> list[int]:
    """Return the images of each class in a split, as ``run.json`` has them; empty where it does not say."""
    return list(info.get("data", {}).get("counts", {}).get(split) or [])


def images_of(info: dict[str, Any], split: str) -> int:
    """Return how many images a split has, as ``run.json`` says; 0 where it does not say."""
    return int(info.get("data", {}).get("splits", {}).get(split) or sum(counts_of(info, split)))


def chance_level(counts: Sequence[int], classes: int = 0) -> float:
    """Return the accuracy of always guessing the commonest class; 1 / classes where the counts are not known."""
    total = sum(counts)
    return max(counts) / total if total else 1 / max(classes, 1)
