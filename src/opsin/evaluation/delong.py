"""How sure an area under the ROC curve is: DeLong's variance, and intervals on the logit scale."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from opsin.evaluation.intervals import Interval, without_spread
from opsin.metrics.classification import roc_auc


def auc_influence(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far each image moves the area under the ROC curve from what the others give it.

    For a positive image, the part of the negative ones that score lower (ties counting half) minus the area; for a
    negative one, the part of the positive ones that score higher minus the area; each divided by the number of images
    of its kind, so that the sum of squares is the variance of the area (DeLong, DeLong and Clarke-Pearson 1988,
    Biometrics 44:837, whose divisors m - 1 and n - 1 are used here).

    Args:
        positive: bool ``(N,)`` with at least two images of each kind.
        scores: float ``(N,)``; larger means more likely positive.

    Returns:
        float64 ``(N,)``; the sums over the positive and over the negative images are 0.
    """
    influence = np.empty(len(scores))
    for kind, sign in ((positive, 1), (~positive, -1)):
        others = np.sort(sign * scores[~kind])
        own = sign * scores[kind]
        below = (np.searchsorted(others, own, "left") + np.searchsorted(others, own, "right")) / 2
        placement = below / len(others)
        influence[kind] = (placement - placement.mean()) / math.sqrt(len(own) * (len(own) - 1))
    return influence


def auc_interval(positives: NDArray[np.bool_], scores: NDArray[np.floating], level: float = 0.95) -> Interval:
    """Return an area under the ROC curve, or the mean of several on the same images, with its interval.

    The standard error is DeLong's, and for a mean takes into account that its areas share their images. The bounds are
    symmetric on the logit scale, which keeps them within 0 and 1 and holds the level near 1 (Qin and Hotilovac 2008,
    Statistical Methods in Medical Research 17:207).

    Args:
        positives: bool ``(N,)``, or ``(N, K)`` for the mean of K areas.
        scores: float, shaped alike; larger means more likely positive.
        level: Confidence.

    Returns:
        The area; nan between 0 and 1 where a kind of image is missing.
    """
    kinds = positives.reshape(len(positives), -1)
    columns = list(zip(kinds.T, scores.reshape(len(scores), -1).T, strict=True))
    value = float(np.mean([roc_auc(*column) for column in columns]))
    if math.isnan(value):
        return Interval(value, 0.0, 1.0, "DeLong", len(scores))
    fewest = int(min(kinds.sum(axis=0).min(), (~kinds).sum(axis=0).min()))
    error = 0.0
    if fewest > 1:
        error = float(np.linalg.norm(sum(auc_influence(*column) for column in columns))) / len(columns)
    if error == 0:
        return Interval(value, *without_spread(value, fewest, level=level), "Wilson bound", len(scores))
    half = special.ndtri(0.5 + level / 2) * error / (value * (1 - value))
    low, high = special.expit(special.logit(value) + np.array([-half, half]))
    return Interval(value, float(low), float(high), "DeLong", len(scores))
