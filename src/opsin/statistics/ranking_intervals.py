"""Confidence intervals of the areas under ROC and precision-recall curves from influence functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.statistics.bootstrap import Interval, bounded, linearized
from opsin.statistics.clusters import group_method

Influence = Callable[[NDArray[np.bool_], NDArray[np.floating]], tuple[float, NDArray[np.float64]]]


def ranking_intervals(
    influence: Influence,
    positives: Iterable[NDArray[np.bool_]],
    scores: Iterable[NDArray[np.floating]],
    method: str,
    membership: sparse.csr_array | None = None,
) -> tuple[list[Interval], Interval]:
    """Return several areas on the same N images, and their mean, each with its 95 % interval.

    The interval of the mean accounts for the shared images; undefined areas are excluded from the mean.

    Args:
        influence: `opsin.metrics.thresholds.roc_auc_influence` or ``average_precision_influence``.
        positives: Positive images of each area, bool ``(N,)``.
        scores: Scores of each area, float ``(N,)``.
        method: Name of the method.
        membership: Sparse ``(G, N)``; membership of images in G groups; default: independent images.

    Returns:
        An interval for each area, nan between 0 and 1 if undefined, and the interval of the mean.
    """
    single: list[Interval] = []
    known, together = [], np.zeros(1)
    for positive, column in zip(positives, scores, strict=True):
        value, moved = influence(positive, column)
        units = _units_of_rarer(positive, membership)
        if membership is not None:
            moved = membership @ moved * np.sqrt(units / max(units - 1, 1))
        variance = float((moved**2).sum())
        single.append(_interval(value, variance, units - 1, units, method, len(column), membership))
        if not np.isnan(value):
            known.append((value, variance, max(units, 1)))
            together = together + moved
    values, variances, numbers = np.array(known or [(np.nan, 0, 1)], np.float64).T
    # Welch-Satterthwaite degrees of freedom of a mean of estimates with unequal variances; a single image has none, and
    # must not reduce those of the others to 0.
    parts = (variances**2 / np.maximum(numbers - 1, 0.5)).sum()
    free = float(variances.sum() ** 2 / parts) if parts > 0 else 0.0
    variance = float((together**2).sum()) / len(values) ** 2
    alike = len(numbers) ** 2 / float((1 / numbers).sum())
    images = max((interval.n for interval in single), default=0)
    return single, _interval(float(values.mean()), variance, free, alike, method, images, membership)


def _units_of_rarer(positive: NDArray[np.bool_], membership: sparse.csr_array | None) -> int:
    """Return the number of images, or of groups with such images, of the rarer class (positive or negative)."""
    kinds = (positive.astype(np.float64), (~positive).astype(np.float64))
    return int(min(kind.sum() if membership is None else (membership @ kind > 0).sum() for kind in kinds))


def _interval(
    value: float, variance: float, free: float, alike: float, method: str, n: int, membership: sparse.csr_array | None
) -> Interval:
    if membership is not None:
        method = group_method(min(round(alike), membership.shape[0]), f"clustered {method}")
    return bounded(value, *linearized(value, variance, free), method, n, alike)
