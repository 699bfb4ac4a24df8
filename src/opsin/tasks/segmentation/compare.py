"""The scores of several segmentations on the same images, as a comparison takes them apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.evaluation.comparison.measure import Exact
from opsin.evaluation.comparison.pairing import Paired
from opsin.metrics import segmentation as metrics
from opsin.statistics.means import mean_terms, means_of
from opsin.tasks.segmentation.scorecard import pixel_scores, pixel_terms

MARGIN = 0.05  # of Dice; nearer to the best, a run is not counted as worse


class SegmentationScores:
    """Scores of segmentations; see `opsin.evaluation.comparison.measure.Measure`.

    Args:
        paired: Predictions of R runs for the same N images.
    """

    summed = ("dice", "iou", "mean_iou", "pixel_accuracy")
    ranked: tuple[str, ...] = ()
    remark = ""
    dispute = f"are segmented clearly better by some recipes (Dice higher by {MARGIN:g} or more)"
    agreement = "Best recipes"

    def __init__(self, paired: Paired):
        self.paired = paired
        classes = len(paired.classes)
        self.confusion = [
            metrics.confusion_matrices(paired.targets.values, run.labels, classes) for run in paired.predictions
        ]
        self.dice = [np.nan_to_num(metrics.image_dice(confusion)) for confusion in self.confusion]

    def terms(self, run: int) -> sparse.csr_array:
        """Return what each image adds to the sums that the scores of a run are functions of."""
        confusion = self.confusion[run]
        means = np.stack([metrics.image_dice(confusion), metrics.image_iou(confusion)], axis=1)
        return sparse.csr_array(np.concatenate([mean_terms(means), pixel_terms(confusion)], axis=1))

    def scores(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of `summed` ``(..., S)`` of sums ``(..., M)``."""
        pixels = pixel_scores(sums[..., 4:])
        return np.concatenate([means_of(sums[..., :4]), pixels[..., 1:2], pixels[..., 0:1]], axis=-1)

    def area(self, run: int, score: str) -> tuple[float, NDArray[np.float64]]:
        """Raise: no score here is an area under a curve."""
        raise ValueError(f"{score} is no area under a curve")

    def one_image(self, score: str) -> float:
        """Return 0: scores of masks vary from image to image already."""
        return 0.0

    def largest(self, score: str) -> float:
        """Return the largest value that a score may have."""
        return 1.0

    def exact(self, score: str, first: int, second: int) -> Exact | None:
        """Return None: nothing is known better than the bootstrap."""
        return None

    def right(self, runs: Sequence[int]) -> NDArray[np.bool_]:
        """Return which images which runs segment as well as the best of them, or nearly so, bool ``(runs, N)``."""
        dice = np.stack([self.dice[run] for run in runs])
        result: NDArray[np.bool_] = dice > dice.max(axis=0) - MARGIN
        return result

    def merit(self, run: int) -> NDArray[np.floating]:
        """Return the Dice of each image, float ``(N,)``."""
        return self.dice[run]

    def said(self, run: int, image: int) -> tuple[str, float | None]:
        """Return the Dice of a run's mask of an image."""
        return f"Dice {self.dice[run][image]:.3f}", None
