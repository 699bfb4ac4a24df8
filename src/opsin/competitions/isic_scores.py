"""Scores by the rules of ISIC 2017, part 3: melanoma, seborrheic keratosis, and their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.classification import confusion_matrix
from opsin.statistics.bootstrap import Interval, wilson

MELANOMA, KERATOSIS, OTHER = "melanoma", "seborrheic keratosis", "neither"
LESIONS = (MELANOMA, KERATOSIS, OTHER)


# The scores of all entries of the challenge, as published.
PUBLISHED = (
    (.874, .870, .868, .856, .836, .830, .805, .804, .791, .789, .786, .783, .782, .765, .759, .757, .715, .684, .636,
     .623, .500, .495, .475),
    (.965, .953, .943, .942, .935, .921, .911, .911, .908, .886, .885, .881, .875, .867, .855, .840, .827, .817, .817,
     .774, .687, .498, .456),
    (.911, .910, .908, .896, .886, .886, .851, .850, .836, .829, .825, .823, .823, .823, .816, .811, .804, .750, .705,
     .658, .655, .497, .465),
)  # fmt: skip


NAMES = ("melanoma against the rest", "seborrheic keratosis against the rest", "mean of both")


@dataclass(frozen=True)
class Category:
    """One of the three scores.

    Attributes:
        number: 1, 2 or 3.
        name: What it measures.
        score: The area under the ROC curve, in [0, 1], with its 95 % interval.
        place: Where it would have ranked among the published scores; 1 is the best. Both are compared with the three
            decimals that were published, and equal scores share a place.
    """

    number: int
    name: str
    score: Interval
    place: int

    @property
    def entries(self) -> int:
        """How many entries were published."""
        return len(PUBLISHED[self.number - 1])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "category": self.number,
            "name": self.name,
            **self.score.to_dict(),
            "place": self.place,
            "entries": self.entries,
            "best": max(PUBLISHED[self.number - 1]),
        }


@dataclass(frozen=True)
class IsicScores:
    """What a file of predictions is worth.

    Attributes:
        categories: The three scores.
        threshold: A lesion is called melanoma where its ``task_1`` is at least this.
        truth: int64 ``(N,)``, index into `LESIONS`, in the order of the truth.
        probabilities: float64 ``(N, 2)``, ``task_1`` and ``task_2``, in the same order.
    """

    categories: tuple[Category, ...]
    threshold: float
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def confusion(self, threshold: float | None = None) -> NDArray[np.int64]:
        """Return int64 ``(2, 2)``: melanoma and any other lesion in truth (rows), and as called (columns).

        Args:
            threshold: Another one than that of the scoring.
        """
        threshold = self.threshold if threshold is None else threshold
        return confusion_matrix(self.truth != 0, self.probabilities[:, 0] < threshold, 2)

    def rates(self, threshold: float | None = None) -> dict[str, Interval]:
        """Return sensitivity, specificity and precision of the calls of melanoma, each with Wilson's interval."""
        (hits, missed), (alarms, rejected) = self.confusion(threshold).tolist()
        return {
            "sensitivity": wilson(hits, hits + missed),
            "specificity": wilson(rejected, alarms + rejected),
            "precision": wilson(hits, hits + alarms),
        }

    @property
    def sentences(self) -> list[str]:
        """What the calls of melanoma at the threshold mean, in words."""
        (hits, missed), (alarms, rejected) = self.confusion().tolist()
        rates = self.rates()
        called, melanomas, others = hits + alarms, hits + missed, alarms + rejected
        calls = "No lesion was called melanoma, so that there is no precision."
        if called:
            calls = f"{called:,} lesions were called melanoma and {hits:,} of them are: precision "
            calls += f"{_told(rates['precision'])}."
        return [
            f"{hits:,} of {melanomas:,} melanomas were found: sensitivity, which is also called recall, "
            f"{_told(rates['sensitivity'])}.",
            f"{rejected:,} of {others:,} other lesions were rightly not called melanoma: specificity "
            f"{_told(rates['specificity'])}.",
            calls,
            f"Type I errors, false alarms: {alarms:,} lesions that are no melanoma were called one, "
            f"{100 * alarms / others:.1f} % of those {others:,}.",
            f"Type II errors, misses: {missed:,} melanomas were not called one, {100 * missed / melanomas:.1f} % of "
            f"the {melanomas:,}.",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "images": len(self.truth),
            "categories": [category.to_dict() for category in self.categories],
            "threshold": self.threshold,
            "confusion": self.confusion().tolist(),
            **{name: rate.to_dict() for name, rate in self.rates().items()},
            "sentences": self.sentences,
        }


def _told(rate: Interval) -> str:
    return f"{rate.value:.3f} (95 % interval {rate.low:.3f} to {rate.high:.3f})"
