"""Rows of the gallery, the least likely label sets first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.evaluation.worst_to_best import worst_and_others
from opsin.metrics.multilabel import binary_log_losses
from opsin.tasks.multilabel.predictions import LabelSets


def select_by_likelihood(truth: NDArray[np.bool_], predictions: LabelSets, limit: int = 48) -> NDArray[np.int64]:
    """Choose images with several labels, from those whose labels the network found least likely to the surest.

    Args:
        truth: bool ``(N, L)``, the true labels.
        predictions: Of the same N images.
        limit: The number of places; they are filled as by `select_by_error`.

    Returns:
        int64 ``(min(limit, N),)``; rows of ``predictions`` by falling binary cross-entropy, then by row.
    """
    return worst_and_others(binary_log_losses(truth, predictions.probabilities).sum(axis=1), limit)
