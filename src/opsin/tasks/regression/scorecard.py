"""The scorecard of regression: MAE, RMSE and R² on a split, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.metrics.regression import mean_absolute_error, r2, root_mean_square_error
from opsin.statistics.bootstrap import Interval, bca, bootstrap, without_spread
from opsin.statistics.clusters import group_method, membership_of
from opsin.tasks.regression.predictions import Values

SCORES = ("mae", "rmse", "r2")


def score(
    predictions: Values,
    values: NDArray[np.float64],
    classes: Sequence[str],
    groups: NDArray | None = None,
    positive: str | None = None,
) -> dict[str, Interval]:
    """Score predicted numbers, each score with its 95 % interval.

    Args:
        predictions: Of N images.
        values: float64 ``(N,)``, the true numbers.
        classes: The name of the value.
        groups: ``(N,)`` names of what images were taken from; whole groups are then drawn. Left out, or where each
            image is a group of its own, images are drawn (BCa).
        positive: Has no meaning here.

    Returns:
        ``mae``, ``rmse`` and ``r2``. R² is nan where all true values are equal.

    Raises:
        ValueError: There are no images, or the lengths differ.
    """
    if not len(values) == len(predictions) > 0 or (groups is not None and len(groups) != len(values)):
        raise ValueError(f"{len(predictions)} predictions cannot be scored against {len(values)} values and groups")
    membership = membership_of(groups)
    terms = error_terms(values, predictions)
    terms = terms if membership is None else sparse.csr_array(membership @ terms)
    lows, highs = bca(bootstrap(terms, error_scores))
    units = terms.shape[0]
    method = "BCa" if membership is None else group_method(units)
    # Images unlike all seen ones may be off by as much as the data range over.
    widest = max(float(np.ptp(values)), float(np.abs(predictions.values - values).max()))
    least, most = (0.0, 0.0, min(0.0, r2(values, predictions.values))), (widest, widest, 1.0)
    found = [measure(values, predictions.values) for measure in (mean_absolute_error, root_mean_square_error, r2)]
    result = {}
    for place, (name, value) in enumerate(zip(SCORES, found, strict=True)):
        low, high, how = float(lows[place]), float(highs[place]), method
        if math.isnan(value):
            low, high = 0.0, 1.0
        elif math.isnan(low):
            low, high = without_spread(value, units, least[place], most[place])
            how = f"Wilson bound{method.removeprefix('BCa').removeprefix('cluster bootstrap')}"
        result[name] = Interval(value, low, high, how, len(values))
    return result


def error_terms(values: NDArray[np.float64], predictions: Values) -> sparse.csr_array:
    """Return what images add to their number, and to the sums that scores are functions of, sparse ``(N, 5)``.

    These are absolute and squared error, and value and square about the mean of all, which changes no variance and
    keeps digits.
    """
    errors, centered = predictions.values - values, values - values.mean()
    columns = [np.ones(len(values)), np.abs(errors), errors**2, centered, centered**2]
    return sparse.csr_array(np.stack(columns, axis=1))


def error_scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return MAE, RMSE and R² ``(..., 3)`` of sums ``(..., 5)``; R² is nan where values do not vary."""
    n, absolute, squared, values, squares = np.moveaxis(sums, -1, 0)
    n = np.where(n > 0, n, np.nan)
    variance = squares - values**2 / n
    known = variance > 1e-12 * np.maximum(squares, np.finfo(float).tiny)
    explained = 1 - squared / np.where(known, variance, np.nan)
    return np.stack([absolute / n, np.sqrt(np.maximum(squared, 0) / n), explained], axis=-1)


def absolute_errors(values: NDArray[np.float64], predictions: Values) -> NDArray[np.float64]:
    """Return by how much each image is off, float64 ``(N,)``; the mean is the mean absolute error."""
    return np.abs(predictions.values - values).astype(np.float64)
