"""The scores of several runs that give several labels, on the same images, as a comparison takes them apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.data.targets.label_sets import join_labels
from opsin.evaluation.comparison.measure import Exact
from opsin.evaluation.comparison.pairing import Paired
from opsin.metrics.multilabel import binary_log_losses
from opsin.tasks.multilabel.scorecard import RANKINGS, call_scores, call_terms

INFLUENCES = {mean: influence for mean, _, influence in RANKINGS.values()}


class MultilabelScores:
    """Scores of several labels per image; see `opsin.evaluation.comparison.measure.Measure`.

    Args:
        paired: Predictions of R runs for the same N images.
    """

    summed = ("macro_f1", "exact_match")
    ranked = tuple(INFLUENCES)
    remark = ""
    dispute = "get exactly their labels by some recipes only"
    agreement = "Correct recipes"

    def __init__(self, paired: Paired):
        self.paired = paired

    def terms(self, run: int) -> sparse.csr_array:
        """Return what each image adds to the sums that the scores of a run are functions of."""
        return call_terms(self.paired.targets.values, self.paired.predictions[run].labels)

    def scores(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return macro F1 and exact match ``(..., 2)`` of sums ``(..., M)``."""
        return call_scores(sums)

    def area(self, run: int, score: str) -> tuple[float, NDArray[np.float64]]:
        """Return mAP or the mean ROC AUC, and by how much each image moves it."""
        columns = zip(self.paired.targets.values.T, self.paired.predictions[run].probabilities.T, strict=True)
        found = [INFLUENCES[score](truth, chances) for truth, chances in columns]
        known = [(area, moved) for area, moved in found if not math.isnan(area)]
        if not known:
            return math.nan, np.zeros(len(self.paired.targets.values))
        areas, influences = zip(*known, strict=True)
        return float(np.mean(areas)), np.mean(influences, axis=0)

    def one_image(self, score: str) -> float:
        """Return the mean square of what one image changes in the exact match; 0 for the others."""
        return 1 / len(self.paired.targets.values) ** 2 if score == "exact_match" else 0.0

    def largest(self, score: str) -> float:
        """Return 1."""
        return 1.0

    def exact(self, score: str, first: int, second: int) -> Exact | None:
        """Return McNemar's test of the exact match of single images; nothing for other scores."""
        if score != "exact_match":
            return None
        return Exact.of_right(*self.right((first, second)))

    def right(self, runs: Sequence[int]) -> NDArray[np.bool_]:
        """Return which images which runs give exactly their labels, bool ``(runs, N)``."""
        return np.array(
            [(self.paired.predictions[run].labels == self.paired.targets.values).all(axis=1) for run in runs]
        )

    def merit(self, run: int) -> NDArray[np.floating]:
        """Return the log likelihood that a run gives to the labels of each image, float64 ``(N,)``."""
        result: NDArray[np.floating] = -binary_log_losses(
            self.paired.targets.values, self.paired.predictions[run].probabilities
        ).sum(axis=1)
        return result

    def said(self, run: int, image: int) -> tuple[str, float | None]:
        """Return the labels that a run gives to an image."""
        text = join_labels(self.paired.predictions[run].labels[image], self.paired.classes)
        return text.replace(";", ", ") or "no label", None
