"""Binary decisions by a threshold: ROC and precision-recall curves, the areas under them, and influence functions.

An image is predicted positive if ``score >= threshold``, as in scikit-learn.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Calls(NamedTuple):
    """Numbers of positive predictions at each threshold.

    Attributes:
        thresholds: float64 ``(K,)``.
        true_positives: int64 ``(K,)``; positive images predicted positive.
        false_positives: int64 ``(K,)``; negative images predicted positive.
        positives: Number of positive images.
        negatives: Number of negative images.
    """

    thresholds: NDArray[np.float64]
    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]
    positives: int
    negatives: int

    @property
    def sensitivity(self) -> NDArray[np.float64]:
        """Sensitivity (recall, true positive rate), float64 ``(K,)``; nan without positive images."""
        return self.true_positives / (self.positives or np.nan)

    @property
    def specificity(self) -> NDArray[np.float64]:
        """Specificity (true negative rate), float64 ``(K,)``; nan without negative images."""
        return (self.negatives - self.false_positives) / (self.negatives or np.nan)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Precision (positive predictive value), float64 ``(K,)``; 1 without positive predictions."""
        called = self.true_positives + self.false_positives
        result: NDArray[np.float64] = np.divide(self.true_positives, called, out=np.ones(len(called)), where=called > 0)
        return result


def calls_at(positive: NDArray[np.bool_], scores: NDArray[np.floating], thresholds: ArrayLike) -> Calls:
    """Count the positive predictions at given thresholds.

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``; larger means more likely positive.
        thresholds: ``(K,)``, in any order.
    """
    positive, scores, thresholds = np.asarray(positive, bool), np.asarray(scores), np.asarray(thresholds, np.float64)

    def reaching(chosen: NDArray[Any]) -> NDArray[np.int64]:
        return len(chosen) - np.searchsorted(np.sort(chosen.astype(np.float64)), thresholds, side="left")

    true, false = scores[positive], scores[~positive]
    return Calls(thresholds, reaching(true), reaching(false), len(true), len(false))


def all_calls(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> Calls:
    """Count the positive predictions at every distinct threshold.

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``.

    Returns:
        Decreasing thresholds: infinity (no positive prediction), then each distinct score. Sensitivity against
        1 - specificity is the ROC curve, precision against sensitivity the precision-recall curve.
    """
    return calls_at(positive, scores, np.concatenate([[np.inf], np.unique(np.asarray(scores))[::-1]]))


def roc_auc(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Area under the ROC curve: probability that a positive image scores above a negative one, ties counting half.

    Computed from ranks (Mann and Whitney 1947).

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``; larger means more likely positive.

    Returns:
        A value in [0, 1]; nan if positive or negative images are missing.
    """
    return roc_auc_influence(positive, scores)[0]


def roc_auc_influence(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
    """Return the area under the ROC curve, and the influence of each image on it.

    For independent images the squared influences sum to the variance of DeLong, DeLong and Clarke-Pearson (1988,
    Biometrics 44:837); for groups, the squared sums per group do (Obuchowski 1997, Biometrics 53:567).

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``.

    Returns:
        The area, nan if positive or negative images are missing, and influences float64 ``(N,)`` with sum 0.
    """
    positive, scores = np.asarray(positive, bool), np.asarray(scores)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return np.nan, np.zeros(len(scores))
    # Fraction of images of the other class that each image is ranked correctly against, ties counting half.
    values, place = np.unique(scores, return_inverse=True)
    true, false = (np.bincount(place[kind], minlength=len(values)) for kind in (positive, ~positive))
    below = (np.cumsum(false) - false / 2) / negatives
    above = 1 - (np.cumsum(true) - true / 2) / positives
    beaten = np.where(positive, below[place], above[place])
    area = float(beaten[positive].mean())
    number = np.where(positive, positives, negatives)
    return area, (beaten - area) / np.sqrt(number * np.maximum(number - 1, 1))


def average_precision(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Average precision: mean of the precision at the score of each positive image (area under the PR curve).

    Without interpolation, as scikit-learn's ``average_precision_score``.

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``.

    Returns:
        A value in [0, 1], for random scores about the fraction of positive images; nan without positive images.
    """
    return average_precision_influence(positive, scores)[0]


def average_precision_influence(
    positive: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[float, NDArray[np.float64]]:
    """Return the average precision, and the influence of each image on it.

    With weights w on the images, AP = sum(w y p) / sum(w y), where p is the precision at the image's own score; the
    influence is its derivative by w (Jaeckel 1972, the infinitesimal jackknife).

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``.

    Returns:
        The average precision, nan without positive images, and influences float64 ``(N,)`` with sum 0.
    """
    positive, scores = np.asarray(positive, bool), np.asarray(scores)
    positives = int(positive.sum())
    if not positives:
        return np.nan, np.zeros(len(scores))
    values, place = np.unique(scores, return_inverse=True)
    true = np.bincount(place, weights=positive, minlength=len(values))
    reaching = np.bincount(place, minlength=len(values))[::-1].cumsum()[::-1]
    precision = true[::-1].cumsum()[::-1] / reaching
    area = float((true * precision).sum() / positives)
    # Effect of one more image at a score on the precision of all positive images at or below that score.
    gained, lost = np.cumsum(true / reaching)[place], np.cumsum(true * precision / reaching)[place]
    own = np.where(positive, precision[place] - area, 0)
    return area, (own + np.where(positive, gained, 0) - lost) / positives
