"""Means over images and over groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mean_terms(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the contributions of images to the sums and counts of K scores, ``(N, 2 K)``."""
    known = ~np.isnan(scores)
    return np.concatenate([np.where(known, scores, 0), known], axis=1)


def means_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means ``(..., K)`` from sums and counts ``(..., 2 K)``; nan for a count of 0."""
    total, number = np.split(sums, 2, axis=-1)
    result: NDArray[np.float64] = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return result


def group_means(values: NDArray[np.float32], group_of: NDArray[np.int64], groups: int) -> NDArray[np.float32]:
    """Return the mean of ``values`` ``(N, ...)`` in each group, float32 ``(groups, ...)``."""
    sums = np.zeros((groups, *values.shape[1:]))
    np.add.at(sums, group_of, values)
    counts = np.bincount(group_of, minlength=groups).reshape(-1, *[1] * (values.ndim - 1))
    return (sums / counts).astype(np.float32)
