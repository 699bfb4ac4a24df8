"""Multilabel scores: pure functions of truth and probabilities.

The ROC AUC of a label is undefined if no image or every image has it, its average precision if no image has it; such
scores are nan and excluded from means. F1 is nan only for a label that is neither true nor predicted for any image.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.thresholds import average_precision, roc_auc


def average_precisions(truth: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the average precision of each label, float64 ``(L,)``, of truth and probabilities ``(N, L)``."""
    return np.array([average_precision(*columns) for columns in zip(truth.T, probabilities.T, strict=True)])


def mean_average_precision(truth: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> float:
    """Return the mean average precision (mAP, macro) of the labels that at least one image has; nan without any."""
    return _mean(average_precisions(truth, probabilities))


def mean_roc_auc(truth: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> float:
    """Return the mean area under the ROC curve of the labels for which it is defined."""
    return _mean(np.array([roc_auc(*columns) for columns in zip(truth.T, probabilities.T, strict=True)]))


def binary_log_losses(truth: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the binary cross-entropy of each label of each image, natural log, float64 ``(N, L)``.

    Probabilities are clipped to ``[e, 1 - e]``, where e is the machine precision of their dtype.
    """
    tiny = np.finfo(probabilities.dtype).eps
    clipped = np.clip(probabilities, tiny, 1 - tiny).astype(np.float64)
    result: NDArray[np.float64] = -np.log(np.where(truth, clipped, 1 - clipped))
    return result


def binary_log_loss(truth: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> float:
    """Return the mean of `binary_log_losses`; ln 2 for constant probabilities of one half."""
    losses = binary_log_losses(truth, probabilities)
    return float(losses.mean()) if losses.size else math.nan


def _mean(scores: NDArray[np.float64]) -> float:
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else math.nan
