"""Scoring by the rules of ISIC 2017, part 3: is this skin lesion a melanoma, is it a seborrheic keratosis?

Category 1 is the area under the ROC curve of melanoma against the rest, category 2 that of seborrheic keratosis against
the rest, category 3 their mean (Codella et al. 2018, IEEE International Symposium on Biomedical Imaging). Rows are
matched by their Id, never by their place in the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.competitions.isic_files import match_rows, read_rows
from opsin.errors import DataError
from opsin.metrics.classification import confusion_matrix
from opsin.metrics.thresholds import roc_auc_influence
from opsin.statistics.bootstrap import Interval, wilson
from opsin.statistics.ranking_intervals import ranking_intervals

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

    def write_page(self, path: str | Path) -> Path:
        """Write a self-contained HTML page with ROC curves, confusion matrix and histograms; return its path."""
        from opsin.competitions.isic_page import write_isic_page

        return write_isic_page(self, Path(path))


def score_isic(
    predictions: str | Path, truth: str | Path, *, threshold: float = 0.5, any_order: bool = False
) -> IsicScores:
    """Score a file of predictions by the rules of ISIC 2017, part 3.

    Args:
        predictions: CSV with the columns ``Id,task_1,task_2``: the probabilities of melanoma and of seborrheic
            keratosis, a row for each image of the truth, in its order.
        truth: CSV with the same columns, which hold 0 or 1.
        threshold: A lesion is called melanoma where ``task_1`` is at least this, in [0, 1].
        any_order: Take rows in any order. They are matched by Id all the same; but the challenge's own script goes by
            the order alone, and would give a file in another order a wrong score.

    Raises:
        DataError: A file is not what it should be; the sentence names file, line and Id.
    """
    if not 0 <= threshold <= 1:
        raise DataError(f"The threshold is a probability from 0 to 1, not {threshold:g}.")
    answers = read_rows(Path(truth))
    answers.check_truth()
    rows = match_rows(read_rows(Path(predictions)), answers, any_order=any_order)
    positives = answers.values == 1
    each, mean = ranking_intervals(roc_auc_influence, positives.T, rows.T, "DeLong")
    intervals = [*each, mean]
    categories = tuple(
        Category(number, name, score, 1 + sum(other > round(score.value, 3) for other in published))
        for number, (name, score, published) in enumerate(zip(NAMES, intervals, PUBLISHED, strict=True), 1)
    )
    lesions = np.where(positives[:, 0], 0, np.where(positives[:, 1], 1, 2)).astype(np.int64)
    return IsicScores(categories, threshold, lesions, rows)


def _told(rate: Interval) -> str:
    return f"{rate.value:.3f} (95 % interval {rate.low:.3f} to {rate.high:.3f})"
