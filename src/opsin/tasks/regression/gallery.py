"""Rows of the gallery, the largest errors first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.evaluation.worst_to_best import worst_and_others
from opsin.tasks.regression.predictions import Values


def select_by_error(values: NDArray[np.float64], predictions: Values, limit: int = 48) -> NDArray[np.int64]:
    """Choose images whose number is predicted, from the worst error to the smallest.

    Half of the places are for the largest errors; the others are spread evenly, by rank, over what remains down to the
    smallest, so that the usual error and the best are seen as well.

    Args:
        values: float64 ``(N,)``, the true numbers.
        predictions: Of the same N images.
        limit: The number of places.

    Returns:
        int64 ``(min(limit, N),)``; rows of ``predictions`` by falling error, then by row.
    """
    return worst_and_others(np.abs(predictions.values - values), limit)
