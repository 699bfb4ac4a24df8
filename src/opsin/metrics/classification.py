"""Classification scores as pure functions of arrays.

Most depend only on three sums per class of the confusion matrix. Leading dimensions are batches of confusion matrices;
the bootstrap scores all resamples in one call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

CALIBRATION_BINS = 15


class ClassCounts(NamedTuple):
    """Sums per class of a confusion matrix.

    Attributes:
        hits: ``(..., C)``; true positives of each class.
        support: ``(..., C)``; images of each class.
        predicted: ``(..., C)``; images predicted as each class.
    """

    hits: NDArray[Any]
    support: NDArray[Any]
    predicted: NDArray[Any]


class Reliability(NamedTuple):
    """The bins of a reliability diagram.

    Attributes:
        edges: float64 ``(bins + 1,)``; bin edges from 0 to 1.
        counts: int64 ``(bins,)``; images in each bin.
        accuracy: float64 ``(bins,)``; accuracy in each bin, nan for an empty bin.
        confidence: float64 ``(bins,)``; mean probability of the predicted class, nan for an empty bin.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    confidence: NDArray[np.float64]


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Confusion matrix of true and predicted classes.

    Args:
        labels: Integers ``(N,)`` in ``[0, classes)``, the true classes.
        predicted: Integers ``(N,)`` in ``[0, classes)``.
        classes: Number of classes.

    Returns:
        int64 ``(C, C)``; rows are true classes, columns predicted ones.

    Raises:
        ValueError: The lengths differ or a class is out of range.
    """
    labels, predicted = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels and predictions must both be (N,), not {labels.shape} and {predicted.shape}")
    if len(labels) and not 0 <= min(labels.min(), predicted.min()) <= max(labels.max(), predicted.max()) < classes:
        raise ValueError(f"labels and predictions must lie between 0 and {classes - 1}")
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def class_counts(confusion: NDArray[Any] | ClassCounts) -> ClassCounts:
    """Return the sums per class of confusion matrices ``(..., C, C)``; sums are returned as they are."""
    if isinstance(confusion, ClassCounts):
        return confusion
    return ClassCounts(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1), confusion.sum(axis=-2))


def accuracy(confusion: NDArray[Any] | ClassCounts) -> NDArray[np.float64]:
    """Fraction of images classified correctly.

    Args:
        confusion: ``(..., C, C)`` with true classes as rows, or its sums; the same for all functions below.

    Returns:
        float64 ``(...)`` in [0, 1]; nan without images.
    """
    counts = class_counts(confusion)
    return _ratio(counts.hits.sum(axis=-1), counts.support.sum(axis=-1), empty=np.nan)


def recall(confusion: NDArray[Any] | ClassCounts) -> NDArray[np.float64]:
    """Recall of each class, float64 ``(..., C)``; nan for a class without images."""
    counts = class_counts(confusion)
    return _ratio(counts.hits, counts.support, empty=np.nan)


def precision(confusion: NDArray[Any] | ClassCounts) -> NDArray[np.float64]:
    """Precision of each class, float64 ``(..., C)``.

    0 for a class that was never predicted, as with ``zero_division=0`` in scikit-learn.
    """
    counts = class_counts(confusion)
    return _ratio(counts.hits, counts.predicted, empty=0)


def f1(confusion: NDArray[Any] | ClassCounts) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall of each class, float64 ``(..., C)``.

    2 hits / (support + predicted): 0 for a class without true positives, nan for a class that occurs neither among the
    labels nor among the predictions.
    """
    counts = class_counts(confusion)
    return _ratio(2 * counts.hits, counts.support + counts.predicted, empty=np.nan)


def balanced_accuracy(confusion: NDArray[Any] | ClassCounts) -> NDArray[np.float64]:
    """Mean recall of the classes that have images, float64 ``(...)``."""
    return mean_of_known(recall(confusion))


def macro_f1(confusion: NDArray[Any] | ClassCounts) -> NDArray[np.float64]:
    """Mean F1 of the classes that occur in the labels or predictions, float64 ``(...)``."""
    return mean_of_known(f1(confusion))


def log_losses(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Negative log-likelihood of each image's true class, natural logarithm.

    Args:
        labels: int64 ``(N,)``.
        probabilities: float ``(N, C)``, rows sum to 1.

    Returns:
        float64 ``(N,)``. Probabilities are clipped to ``[e, 1 - e]``, where e is the machine precision of their dtype
        (1.2e-7 for float32), so that no loss exceeds `largest_log_loss` (15.9 for float32).
    """
    tiny = np.finfo(probabilities.dtype).eps
    chosen = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    result: NDArray[np.float64] = -np.log(np.clip(chosen, tiny, 1 - tiny).astype(np.float64))
    return result


def largest_log_loss(dtype: np.typing.DTypeLike) -> float:
    """Return the largest loss that `log_losses` gives for probabilities of this dtype."""
    return float(-np.log(np.finfo(dtype).eps.astype(np.float64)))


def log_loss(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
    """Mean of `log_losses`; ln C for uniform probabilities of C classes, 0 for perfect ones."""
    return float(log_losses(labels, probabilities).mean())


def reliability(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating], bins: int = CALIBRATION_BINS
) -> Reliability:
    """Reliability diagram: accuracy against confidence, in bins of the predicted class's probability.

    Args:
        labels: int64 ``(N,)``.
        probabilities: float ``(N, C)``, rows sum to 1.
        bins: Number of bins of equal width; see `calibration_bins`.
    """
    confidence, right = _confidence(labels, probabilities)
    bin_of = calibration_bins(confidence, bins)
    counts = np.bincount(bin_of, minlength=bins)
    return Reliability(
        np.linspace(0, 1, bins + 1),
        counts,
        _ratio(np.bincount(bin_of, weights=right, minlength=bins), counts, empty=np.nan),
        _ratio(np.bincount(bin_of, weights=confidence, minlength=bins), counts, empty=np.nan),
    )


def calibration_bins(confidence: NDArray[np.floating], bins: int = CALIBRATION_BINS) -> NDArray[np.int64]:
    """Return the bin of each probability ``(N,)``: bin k holds ``[k / bins, (k + 1) / bins)``, the last also 1."""
    edges = np.linspace(0, 1, bins + 1, dtype=confidence.dtype)
    return np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, bins - 1)


def calibration_gaps(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Outcome (1 correct, 0 wrong) minus confidence of each image, float64 ``(N,)`` in [-1, 1]."""
    confidence, right = _confidence(labels, probabilities)
    return right - confidence


def calibration_error(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating], bins: int = CALIBRATION_BINS
) -> float:
    """Expected calibration error of the predicted class's probability.

    The sum over bins of (images in the bin / all images) × |accuracy in the bin - mean confidence in the bin|
    (Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3). It is biased upward: on few images, even
    perfectly calibrated probabilities score above 0.

    Args:
        labels: int64 ``(N,)``.
        probabilities: float ``(N, C)``, rows sum to 1.
        bins: Number of bins of equal width; see `calibration_bins`.

    Returns:
        A value in [0, 1]; nan without images.
    """
    table = reliability(labels, probabilities, bins)
    gaps = np.nan_to_num(np.abs(table.accuracy - table.confidence))
    return float(_ratio((table.counts * gaps).sum(), table.counts.sum(), empty=np.nan))


def overconfidence(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
    """Mean confidence minus accuracy: positive if overconfident, negative if underconfident."""
    return float(-calibration_gaps(labels, probabilities).mean())


def _confidence(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Return the probability of each predicted class ``(N,)`` and whether it is correct ``(N,)``."""
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels


def _ratio(numerator: ArrayLike, denominator: ArrayLike, empty: float) -> NDArray[np.float64]:
    """Divide; ``empty`` for a denominator of 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    result = np.full(np.broadcast(numerator, denominator).shape, float(empty))
    value: NDArray[np.float64] = np.divide(numerator, denominator, out=result, where=denominator != 0)
    return value


def mean_of_known(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis without nan values; nan if all are."""
    known = ~np.isnan(scores)
    return _ratio(np.where(known, scores, 0).sum(axis=-1), known.sum(axis=-1), empty=np.nan)
