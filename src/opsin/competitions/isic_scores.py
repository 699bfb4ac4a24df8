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


# Published scores of all entries of the challenge.
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
        name: Name of the score.
        score: The area under the ROC curve, in [0, 1], with its 95 % interval.
        place: Rank among the published scores; 1 is the best. Scores are compared at the three published decimals,
            and equal scores share a rank.
    """

    number: int
    name: str
    score: Interval
    place: int

    @property
    def entries(self) -> int:
        """Number of published entries."""
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
    """Scores of a file of predictions.

    Attributes:
        categories: The three scores.
        threshold: A lesion is predicted melanoma if its ``task_1`` is at least this.
        truth: int64 ``(N,)``, index into `LESIONS`, in the order of the truth.
        probabilities: float64 ``(N, 2)``, ``task_1`` and ``task_2``, in the same order.
    """

    categories: tuple[Category, ...]
    threshold: float
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def confusion(self, threshold: float | None = None) -> NDArray[np.int64]:
        """Return the confusion matrix int64 ``(2, 2)`` of melanoma and other lesions, true (rows) and predicted.

        Args:
            threshold: Default: that of the scoring.
        """
        threshold = self.threshold if threshold is None else threshold
        return confusion_matrix(self.truth != 0, self.probabilities[:, 0] < threshold, 2)

    def rates(self, threshold: float | None = None) -> dict[str, Interval]:
        """Return sensitivity, specificity and precision for melanoma, each with Wilson's interval."""
        (hits, missed), (alarms, rejected) = self.confusion(threshold).tolist()
        return {
            "sensitivity": wilson(hits, hits + missed),
            "specificity": wilson(rejected, alarms + rejected),
            "precision": wilson(hits, hits + alarms),
        }

    @property
    def sentences(self) -> list[str]:
        """Interpretation of the confusion matrix at the threshold, in sentences."""
        (hits, missed), (alarms, rejected) = self.confusion().tolist()
        rates = self.rates()
        called, melanomas, others = hits + alarms, hits + missed, alarms + rejected
        calls = "No lesion was predicted melanoma; the precision is undefined."
        if called:
            calls = f"{called:,} lesions were predicted melanoma and {hits:,} of them are: precision "
            calls += f"{_with_interval(rates['precision'])}."
        return [
            f"{hits:,} of {melanomas:,} melanomas were found: sensitivity (recall) "
            f"{_with_interval(rates['sensitivity'])}.",
            f"{rejected:,} of {others:,} other lesions were correctly not predicted melanoma: specificity "
            f"{_with_interval(rates['specificity'])}.",
            calls,
            f"False positives (type I errors): {alarms:,} other lesions were predicted melanoma, "
            f"{100 * alarms / others:.1f} % of those {others:,}.",
            f"False negatives (type II errors): {missed:,} melanomas were not predicted, "
            f"{100 * missed / melanomas:.1f} % of "
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


def _with_interval(rate: Interval) -> str:
    return f"{rate.value:.3f} (95 % interval {rate.low:.3f} to {rate.high:.3f})"
