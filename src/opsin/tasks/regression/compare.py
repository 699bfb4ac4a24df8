"""The errors of several runs that predict a number, on the same images, as a comparison takes them apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.evaluation.comparison.measure import Exact
from opsin.evaluation.comparison.pairing import Paired
from opsin.tasks.regression.scorecard import METRICS, error_scores, error_terms


class RegressionScores:
    """Errors of predicted numbers; see `opsin.evaluation.comparison.measure.Measure`.

    Args:
        paired: Predictions of R runs for the same N images.
    """

    summed = tuple(METRICS)
    ranked: tuple[str, ...] = ()
    remark = ""
    dispute = "are predicted better by some recipes than by others"
    agreement = "Most accurate recipes"

    def __init__(self, paired: Paired):
        self.paired = paired

    def terms(self, run: int) -> sparse.csr_array:
        """Return what each image adds to the sums that the scores of a run are functions of."""
        return error_terms(self.paired.targets.values, self.paired.predictions[run])

    def scores(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return MAE, RMSE and R² ``(..., 3)`` of sums ``(..., 5)``."""
        return error_scores(sums)

    def area(self, run: int, score: str) -> tuple[float, NDArray[np.float64]]:
        """Return nothing: all scores are functions of sums."""
        return math.nan, np.zeros(len(self.paired.targets.values))

    def one_image(self, score: str) -> float:
        """Return 0: errors differ by any amount, so that no least step has to be allowed for."""
        return 0.0

    def largest(self, score: str) -> float:
        """Return 1 for R²; errors have no largest value."""
        return 1.0 if METRICS[score].bounded else math.inf

    def exact(self, score: str, first: int, second: int) -> Exact | None:
        """Return nothing: the bootstrap and the permutations are what there is."""
        return None

    def right(self, runs: Sequence[int]) -> NDArray[np.bool_]:
        """Return which runs are nearest to the truth on each image, bool ``(runs, N)``."""
        merits = np.array([self.merit(run) for run in runs])
        result: NDArray[np.bool_] = merits == merits.max(axis=0)
        return result

    def merit(self, run: int) -> NDArray[np.floating]:
        """Return how far a run is off on each image, below 0, float64 ``(N,)``."""
        result: NDArray[np.floating] = -np.abs(self.paired.predictions[run].values - self.paired.targets.values)
        return result

    def said(self, run: int, image: int) -> tuple[str, float | None]:
        """Return the number that a run gives to an image."""
        return f"{self.paired.predictions[run].values[image]:.4g}", None
