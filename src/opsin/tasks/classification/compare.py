"""The scores of several classifiers on the same images, as a comparison takes them apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.evaluation.comparison.measure import Exact
from opsin.evaluation.comparison.pairing import Paired
from opsin.metrics.classification import ClassCounts, accuracy, balanced_accuracy, largest_log_loss, macro_f1
from opsin.metrics.thresholds import average_precision_influence, roc_auc_influence
from opsin.tasks.classification.scorecard import confusion_terms, loss_and_calibration, probability_terms

RANKED = {"roc_auc": roc_auc_influence, "average_precision": average_precision_influence}


class ClassificationScores:
    """Scores of classifiers; see `opsin.evaluation.comparison.measure.Measure`.

    Args:
        paired: Predictions of R runs for the same N images.
    """

    summed = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error")
    ranked = tuple(RANKED)
    remark = "Calibration errors are biased upward on few images by different amounts and are not compared."
    dispute = "are classified correctly by some recipes only"
    agreement = "Correct recipes"

    def __init__(self, paired: Paired):
        self.paired, self.classes = paired, len(paired.classes)

    def terms(self, run: int) -> sparse.csr_array:
        """Return what each image adds to the sums that the scores of a run are functions of."""
        predictions = self.paired.predictions[run]
        counts = confusion_terms(self.paired.targets.values, predictions.labels, self.classes)
        return sparse.csr_array(
            sparse.hstack([counts, probability_terms(self.paired.targets.values, predictions)], format="csr")
        )

    def scores(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of `summed` ``(..., S)`` of sums ``(..., M)``."""
        counts = ClassCounts(*np.split(sums[..., : 3 * self.classes], 3, axis=-1))
        by_class = np.stack([accuracy(counts), balanced_accuracy(counts), macro_f1(counts)], axis=-1)
        return np.concatenate([by_class, loss_and_calibration(sums[..., 3 * self.classes :])], axis=-1)

    def area(self, run: int, score: str) -> tuple[float, NDArray[np.float64]]:
        """Return an area under a curve, and by how much each image moves it.

        Of two classes it is about the one that is looked for, of more it is the mean over all, each against the rest.
        """
        paired = self.paired
        found = [
            RANKED[score](paired.targets.values == label, paired.predictions[run].probabilities[:, label])
            for label, name in enumerate(paired.classes)
            if paired.positive in (None, name)
        ]
        known = [(area, moved) for area, moved in found if not math.isnan(area)]
        if not known:
            return math.nan, np.zeros(len(paired.targets.values))
        areas, influences = zip(*known, strict=True)
        return float(np.mean(areas)), np.mean(influences, axis=0)

    def one_image(self, score: str) -> float:
        """Return the mean square of what one image changes in a score when it is given its class or no longer.

        Two such images, one for each side, keep intervals from being too short where networks disagree on very few, as
        they do for Bonett and Price's interval of a difference in accuracy. The macro F1 takes that of the balanced
        accuracy.
        """
        labels = self.paired.targets.values
        if score == "log_loss" or score in RANKED:
            return 0.0
        counts = np.unique_counts(labels).counts
        if score == "accuracy":
            return 1 / len(labels) ** 2
        return float((1 / counts).sum()) / len(counts) ** 2 / len(labels)

    def largest(self, score: str) -> float:
        """Return the largest value that a score may have."""
        return largest_log_loss(np.float32) if score == "log_loss" else 1.0

    def exact(self, score: str, first: int, second: int) -> Exact | None:
        """Return what is known better of single images that were drawn one by one: DeLong's and McNemar's tests."""
        if score == "roc_auc":
            return Exact(test="DeLong's test")
        if score != "accuracy":
            return None
        return Exact.of_right(*self.right((first, second)))

    def right(self, runs: Sequence[int]) -> NDArray[np.bool_]:
        """Return which images which runs name the right class of, bool ``(runs, N)``."""
        return np.array([self.paired.predictions[run].labels == self.paired.targets.values for run in runs])

    def merit(self, run: int) -> NDArray[np.floating]:
        """Return the probability that a run gives to the true class of each image, float ``(N,)``."""
        own = np.arange(len(self.paired.targets.values))
        result: NDArray[np.floating] = self.paired.predictions[run].probabilities[own, self.paired.targets.values]
        return result

    def said(self, run: int, image: int) -> tuple[str, float | None]:
        """Return what a run says of an image, and how sure it is of that."""
        result = self.paired.predictions[run]
        label = int(result.labels[image])
        return self.paired.classes[label], float(result.probabilities[image, label])
