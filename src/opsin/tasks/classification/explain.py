"""Outputs that the heat maps of a classifier explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.evaluation.explained_outputs import NONE
from opsin.tasks.classification.predictions import Classifications


def explain_classes(
    labels: NDArray[np.int64], predictions: Classifications, rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the predicted class of some images, and the true one where it is another.

    Args:
        labels: int64 ``(N,)``, the true classes.
        predictions: Of the same N images.
        rows: int64 ``(K,)``, the images that are explained.

    Returns:
        int64 ``(K, 2)``; the second is -1 where there is nothing else to explain.
    """
    guesses, truth = predictions.labels[rows], labels[rows]
    return np.stack([guesses, np.where(guesses == truth, NONE, truth)], axis=1)
