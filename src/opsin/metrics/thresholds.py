"""Telling positive from negative images by a threshold: curves, the areas under them, and how sure those are.

An image is called positive where its score reaches the threshold (``score >= threshold``), as in scikit-learn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Calls(NamedTuple):
    """What is called positive at each threshold.

    Attributes:
        thresholds: float64 ``(K,)``.
        true_positives: int64 ``(K,)``; positive images that are called so.
        false_positives: int64 ``(K,)``; negative images that are called positive, the false alarms.
        positives: All positive images.
        negatives: All negative images.
    """

    thresholds: NDArray[np.float64]
    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]
    positives: int
    negatives: int

    @property
    def sensitivity(self) -> NDArray[np.float64]:
        """Part of the positive images that is called positive (recall), float64 ``(K,)``; nan without any."""
        return self.true_positives / (self.positives or np.nan)

    @property
    def specificity(self) -> NDArray[np.float64]:
        """Part of the negative images that is called negative, float64 ``(K,)``; nan without any."""
        return (self.negatives - self.false_positives) / (self.negatives or np.nan)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Part of the images called positive that is positive, float64 ``(K,)``; 1 where none is called so."""
        called = self.true_positives + self.false_positives
        return np.divide(self.true_positives, called, out=np.ones(len(called)), where=called > 0)


def calls_at(positive: NDArray[np.bool_], scores: NDArray[np.floating], thresholds: ArrayLike) -> Calls:
    """Count what is called positive at given thresholds.

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``; larger means more likely positive.
        thresholds: ``(K,)``, in any order.
    """
    positive, scores, thresholds = np.asarray(positive, bool), np.asarray(scores), np.asarray(thresholds, np.float64)

    def reaching(chosen: NDArray) -> NDArray[np.int64]:
        return len(chosen) - np.searchsorted(np.sort(chosen.astype(np.float64)), thresholds, side="left")

    true, false = scores[positive], scores[~positive]
    return Calls(thresholds, reaching(true), reaching(false), len(true), len(false))


def all_calls(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> Calls:
    """Count what is called positive at every threshold that makes a difference.

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``.

    Returns:
        Falling thresholds: infinity, at which nothing is called positive, then each score that occurs. Sensitivity
        against 1 - specificity is the ROC curve, precision against sensitivity the precision-recall curve.
    """
    return calls_at(positive, scores, np.concatenate([[np.inf], np.unique(np.asarray(scores))[::-1]]))


def roc_auc(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Area under the ROC curve: how often a positive image scores above a negative one, ties counting half.

    Computed from ranks (Mann and Whitney 1947).

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``; larger means more likely positive.

    Returns:
        A value in [0, 1]; nan where one of the two kinds is missing.
    """
    return roc_auc_influence(positive, scores)[0]


def roc_auc_influence(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> tuple[float, NDArray[np.float64]]:
    """Return the area under the ROC curve, and by how much each image moves it.

    For images drawn one by one the squared influences sum to the variance of DeLong, DeLong and Clarke-Pearson (1988,
    Biometrics 44:837); for groups, those of the groups' sums do (Obuchowski 1997, Biometrics 53:567).

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``.

    Returns:
        The area, nan where one of the two kinds is missing, and float64 ``(N,)``, whose sum is 0.
    """
    positive, scores = np.asarray(positive, bool), np.asarray(scores)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return np.nan, np.zeros(len(scores))
    # The part of the other kind that each image stands on the right side of, ties counting half.
    values, place = np.unique(scores, return_inverse=True)
    true, false = (np.bincount(place[kind], minlength=len(values)) for kind in (positive, ~positive))
    below = (np.cumsum(false) - false / 2) / negatives
    above = 1 - (np.cumsum(true) - true / 2) / positives
    beaten = np.where(positive, below[place], above[place])
    area = float(beaten[positive].mean())
    number = np.where(positive, positives, negatives)
    return area, (beaten - area) / np.sqrt(number * np.maximum(number - 1, 1))


def average_precision(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Mean over the positive images of the precision at their own score; the area under the precision-recall curve.

    Without interpolation, as scikit-learn's ``average_precision_score``.

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``.

    Returns:
        A value in [0, 1], near the part of positive images for scores that know nothing; nan without positive images.
    """
    return average_precision_influence(positive, scores)[0]


def average_precision_influence(
    positive: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[float, NDArray[np.float64]]:
    """Return the average precision, and by how much each image moves it.

    With weights w on the images, AP = sum(w y p) / sum(w y), where p is the precision at the image's own score; the
    influence is its derivative by w (Jaeckel 1972, the infinitesimal jackknife).

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``.

    Returns:
        The average precision, nan without positive images, and float64 ``(N,)``, whose sum is 0.
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
    # What one more image at a score does to the precision of all positive images at that score or below it.
    gained, lost = np.cumsum(true / reaching)[place], np.cumsum(true * precision / reaching)[place]
    own = np.where(positive, precision[place] - area, 0)
    return area, (own + np.where(positive, gained, 0) - lost) / positives
