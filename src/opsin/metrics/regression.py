"""Regression errors as pure functions of arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def mean_absolute_error(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Return the mean absolute error of truth and prediction, both ``(N,)``; nan for N = 0."""
    errors = np.abs(np.asarray(predicted, np.float64) - np.asarray(truth, np.float64))
    return float(errors.mean()) if errors.size else math.nan


def root_mean_square_error(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Return the root mean square error of truth and prediction, both ``(N,)``; nan for N = 0."""
    errors = np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)
    return math.sqrt(float((errors**2).mean())) if errors.size else math.nan


def r2(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Return the coefficient of determination, 1 - sum of squared errors / sum of squares about the mean of the truth.

    Args:
        truth: ``(N,)``.
        predicted: ``(N,)``.

    Returns:
        At most 1; 0 for always predicting the mean of the truth, negative if worse than that; nan if all true values
        are equal (no variance to explain).
    """
    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    if not truth.size or float(np.ptp(truth)) == 0:
        return math.nan
    return 1 - float(((predicted - truth) ** 2).sum()) / float(((truth - truth.mean()) ** 2).sum())
