"""The scorecard of regression: MAE, RMSE and R² on a split, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.metrics.regression import mean_absolute_error, r2, root_mean_square_error
from opsin.statistics.bootstrap import Interval, bca, bootstrap, without_spread
from opsin.statistics.clusters import group_method, membership_of
from opsin.tasks.regression.predictions import Values


class Sums(NamedTuple):
    """Sums over images, or over resampled images, float64 ``(...)`` each, of which every metric is a function.

    Attributes:
        n: Number of images.
        absolute: Absolute errors.
        squared: Squared errors.
        values: True values about the mean of all, which changes no variance and keeps digits.
        squares: Their squares.
    """

    n: NDArray[np.float64]
    absolute: NDArray[np.float64]
    squared: NDArray[np.float64]
    values: NDArray[np.float64]
    squares: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """Sum of squares of the true values about their mean; nan where they do not vary."""
        variance = self.squares - self.values**2 / self.n
        known = variance > 1e-12 * np.maximum(self.squares, np.finfo(float).tiny)
        return np.where(known, variance, np.nan)


class Metric(NamedTuple):
    """One metric of predicted numbers.

    Attributes:
        value: The metric of true and predicted values ``(N,)``.
        of_sums: The same of sums, for resampling.
        bounded: Whether 1 is its largest value; errors have none.
    """

    value: Callable[[NDArray[np.float64], NDArray[np.float32]], float]
    of_sums: Callable[[Sums], NDArray[np.float64]]
    bounded: bool = False


METRICS = {
    "mae": Metric(mean_absolute_error, lambda sums: sums.absolute / sums.n),
    "rmse": Metric(root_mean_square_error, lambda sums: np.sqrt(np.maximum(sums.squared, 0) / sums.n)),
    "r2": Metric(r2, lambda sums: 1 - sums.squared / sums.variance, bounded=True),
}


def score(
    predictions: Values,
    values: NDArray[np.float64],
    classes: Sequence[str],
    groups: NDArray[Any] | None = None,
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
    result = {}
    for (name, metric), one_low, one_high in zip(METRICS.items(), lows, highs, strict=True):
        value = metric.value(values, predictions.values)
        low, high, how = float(one_low), float(one_high), method
        if math.isnan(value):
            low, high = 0.0, 1.0
        elif math.isnan(low):
            least, most = (min(0.0, value), 1.0) if metric.bounded else (0.0, widest)
            low, high = without_spread(value, units, least, most)
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
    """Return the metrics ``(..., len(METRICS))`` of sums ``(..., 5)``; nan where undefined."""
    n, *others = np.moveaxis(sums, -1, 0)
    named = Sums(np.where(n > 0, n, np.nan), *others)
    return np.stack([metric.of_sums(named) for metric in METRICS.values()], axis=-1)


def absolute_errors(values: NDArray[np.float64], predictions: Values) -> NDArray[np.float64]:
    """Return by how much each image is off, float64 ``(N,)``; the mean is the mean absolute error."""
    return np.abs(predictions.values - values).astype(np.float64)
