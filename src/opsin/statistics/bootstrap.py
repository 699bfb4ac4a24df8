"""Confidence intervals of scores: Wilson's interval for proportions, the bootstrap for everything else.

Every score is a function of sums over images (hits of a class, losses, calibration gaps), so that a resample only needs
new sums: one sparse matrix product scores all resamples at once. The resampled units are images, with equal images
pooled (cells of the confusion matrix), or whole groups (patient, slide, video).

Results are deterministic: the generator is seeded with 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

RESAMPLES = 2000
DRAWS = 20_000_000
CHUNK = 4_000_000
_NEEDS_SPREAD = "BCa|cluster bootstrap|reflected bootstrap|(clustered )?(DeLong|jackknife)"


@dataclass(frozen=True)
class Interval:
    """A score with its 95 % confidence interval.

    Attributes:
        value: The score; nan if undefined (recall of a class without images).
        low: Lower bound, finite.
        high: Upper bound, finite.
        method: Method of the interval.
        n: Number of images of the score.
    """

    value: float
    low: float
    high: float
    method: str
    n: int

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"value", "low", "high", "method", "n"}`` for JSON; an undefined value is None."""
        value = None if math.isnan(self.value) else self.value
        return {"value": value, "low": self.low, "high": self.high, "method": self.method, "n": self.n}


@dataclass(frozen=True)
class Bootstrap:
    """S scores of the data and of each bootstrap resample.

    Attributes:
        values: float64 ``(S,)``; the scores.
        resampled: float64 ``(resamples, S)``; nan where a score is undefined for a resample.
        acceleration: float64 ``(S,)``; jackknife estimate of the BCa acceleration.
        n: Number of resampled images or groups.
    """

    values: NDArray[np.float64]
    resampled: NDArray[np.float64]
    acceleration: NDArray[np.float64]
    n: int


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Return the score interval of a proportion (Wilson 1927, Journal of the American Statistical Association 22:209).

    Its coverage is close to nominal for few images and near 0 and 1, where it has positive width: 20 of 20 give 0.84 to
    1.

    Args:
        successes: Number of successes, from 0 to ``n``.
        n: Number of trials; 0 gives a value of nan between 0 and 1.
        level: Confidence level.
    """
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, "Wilson", 0)
    z = float(special.ndtri(0.5 + level / 2))
    share = successes / n
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At 0 and n the bound is exactly 0 or 1, despite rounding.
    low, high = max(0.0, min(center - half, share)), min(1.0, max(center + half, share))
    return Interval(float(share), float(low), float(high), "Wilson", int(n))


def mean_bounds(intervals: Sequence[Interval]) -> tuple[float, float]:
    """Return the bounds of the mean of independent scores from their individual bounds.

    The distances from value to bound are combined like standard errors (Zou and Donner 2008, Statistics in Medicine
    27:1693).

    Args:
        intervals: At least one, each with a value.
    """
    values, lows, highs = np.array([(each.value, each.low, each.high) for each in intervals]).T
    mean, number = float(values.mean()), len(values)
    return mean - float(np.linalg.norm(values - lows)) / number, mean + float(np.linalg.norm(highs - values)) / number


def number_of_resamples(n: int) -> int:
    """Return the number of resamples: 2,000; above 10,000 units fewer (20 million draws in total), at least 1,000.

    Efron and Tibshirani (1993, An Introduction to the Bootstrap, section 14.3) recommend at least 1,000 for BCa.
    """
    return max(1000, min(RESAMPLES, DRAWS // max(n, 1)))


def bootstrap(
    terms: sparse.csr_array,
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    counts: NDArray[np.int64] | None = None,
    resamples: int | None = None,
) -> Bootstrap:
    """Nonparametric bootstrap: resample images or groups with replacement and score each resample.

    Args:
        terms: Sparse ``(U, M)``; contribution of one image or group to each of M sums.
        score: Maps sums ``(..., M)`` to scores ``(..., S)``, nan where undefined.
        counts: int64 ``(U,)``; multiplicity of each row of ``terms``; default: 1.
        resamples: Number of resamples; default: `number_of_resamples`. Memory is bounded for any number.
    """
    counts = np.ones(terms.shape[0], np.int64) if counts is None else counts
    n, (units, sums) = int(counts.sum()), terms.shape
    generator = np.random.default_rng(0)
    columns = sparse.csr_array(terms.T)
    total = columns @ counts.astype(np.float64)
    resampled = [
        score((columns @ _draws(generator, counts, stop - start).T).T)
        for start, stop in _chunks(resamples or number_of_resamples(n), max(units, sums))
    ]
    values = score(total)
    moments = np.zeros((4, len(values)))
    for start, stop in _chunks(units, sums):
        without_one = score(total - terms[start:stop].toarray()) - values
        weights = np.where(np.isnan(without_one), 0, counts[start:stop, None])
        without_one = np.nan_to_num(without_one)
        moments += [(weights * without_one**power).sum(axis=0) for power in range(4)]
    return Bootstrap(values, np.concatenate(resampled), _acceleration(moments), n)


def bca(
    result: Bootstrap, level: float = 0.95, units: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bias-corrected and accelerated bounds of each score (BCa; Efron 1987, JASA 82:171).

    The normal quantiles are widened to ``sqrt(u / (u - 1))`` times Student's for u units (Hesterberg 2015, The American
    Statistician 69:371), as intervals from few groups are too short otherwise.

    Args:
        result: From `bootstrap`.
        level: Confidence level.
        units: int64 ``(S,)``; number of images or groups of each score; default: all of them.

    Returns:
        Lower and upper bounds, float64 ``(S,)`` each; nan where the resamples do not differ (see `without_spread`).
    """
    units = np.full(len(result.values), result.n) if units is None else units
    known = ~np.isnan(result.resampled)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Scores of few images are discrete; half of the ties with the estimate count as below it.
        ties = np.abs(result.resampled - result.values) <= 1e-12 * np.maximum(1, np.abs(result.values))
        below = ((result.resampled < result.values) & ~ties).sum(axis=0) + ties.sum(axis=0) / 2
        number = known.sum(axis=0)
        bias = special.ndtri(np.clip(below / number, 0.5 / number, 1 - 0.5 / number))
        shifted = bias + _quantiles(units, level)
        stretch = 1 - result.acceleration * shifted
        levels = special.ndtr(np.where(stretch > 0, bias + shifted / stretch, np.copysign(np.inf, shifted)))
    bounds = np.full((2, len(result.values)), np.nan)
    for index in np.flatnonzero((units > 1) & (number > 0)):
        resampled, value = result.resampled[known[:, index], index], result.values[index]
        if _spread(resampled):
            low, high = np.quantile(resampled, levels[:, index])
            bounds[:, index] = min(low, value), max(high, value)
    return bounds[0], bounds[1]


def reflected(result: Bootstrap, level: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the basic bootstrap bounds, ``2 value - quantile`` (Davison and Hinkley 1997, section 5.2), of each score.

    For scores with an upward bias on few images, such as the calibration error: resampling adds the bias a second time,
    which BCa and percentile intervals keep and the reflection removes. As the bias depends on the unknown true value,
    the upper bound is that of the percentile interval if it is larger.

    Returns:
        As `bca`.
    """
    bounds = np.full((2, len(result.values)), np.nan)
    levels = special.ndtr(_quantiles(np.array(result.n), level))
    for index, value in enumerate(result.values):
        if result.n > 1 and _spread(result.resampled[:, index]):
            low, high = np.quantile(result.resampled[:, index], levels)
            bounds[:, index] = min(2 * value - high, value), max(2 * value - low, high)
    return bounds[0], bounds[1]


def linearized(value: float, variance: float, free: float, level: float = 0.95) -> tuple[float, float]:
    """Return bounds of a score between 0 and 1 from the variance given by influence functions.

    A Student's t interval on the logit scale, which stays between 0 and 1 (for the area under the ROC curve: Pepe
    2003, The Statistical Evaluation of Medical Tests, section 5.2).

    Args:
        value: The score.
        variance: Sum of squared influences of independent images or groups.
        free: Degrees of freedom, about the number of images or groups of the rarer class minus 1.
        level: Confidence level.

    Returns:
        Lower and upper bound; nan where nothing varies (see `without_spread`).
    """
    if not 0 < value < 1 or variance < 1e-24 or free <= 0:
        return math.nan, math.nan
    odds = math.log(value / (1 - value))
    half = float(special.stdtrit(free, 0.5 + level / 2)) * math.sqrt(variance) / (value * (1 - value))
    return float(special.expit(odds - half)), float(special.expit(odds + half))


def without_spread(
    value: float, n: float, least: float = 0.0, most: float = 1.0, level: float = 0.95
) -> tuple[float, float]:
    """Return bounds of a score without variation between resamples: all correct, all wrong, one image, one group.

    A fraction of unseen images, at most Wilson's upper bound for 0 of n, may have any score; for a proportion of 0 or 1
    this is Wilson's interval.

    Args:
        value: The score.
        n: Number of images or groups.
        least: Smallest possible value.
        most: Largest possible value.
        level: Confidence level.
    """
    unseen = wilson(0, n, level).high
    return value - unseen * (value - least), value + unseen * (most - value)


def bounded(value: float, low: float, high: float, method: str, n: int, alike: float, most: float = 1.0) -> Interval:
    """Return the interval of a score, with a fallback for scores without variation.

    Args:
        value: The score; nan if undefined, which gives the whole range.
        low: Lower bound; nan without variation, which gives the bounds of `without_spread`.
        high: Upper bound.
        method: Name of the method of the bounds.
        n: Number of images of the score.
        alike: Effective number of images or groups.
        most: Largest possible score.
    """
    if np.isnan(value):
        return Interval(value, 0.0, most, method, n)
    if np.isnan(low) or np.isnan(high):
        low, high = without_spread(value, alike, most=most)
        method = re.sub(_NEEDS_SPREAD, "Wilson bound", method)
    return Interval(value, float(low), float(high), method, n)


def _draws(generator: np.random.Generator, counts: NDArray[np.int64], resamples: int) -> NDArray[np.float64]:
    """Return the multiplicity of each unit ``(resamples, U)``; each row sums to the number of images or groups."""
    n, units = int(counts.sum()), len(counts)
    if n > units:
        return generator.multinomial(n, counts / n, size=resamples).astype(np.float64)
    # Without multiplicities, counting uniform draws is equivalent and several times faster.
    drawn = generator.integers(0, units, size=(resamples, units), dtype=np.int64)
    drawn += np.arange(resamples)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units).astype(np.float64)


def _chunks(rows: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of chunks of rows; an array of that width has at most `CHUNK` elements per chunk."""
    step = max(1, CHUNK // max(width, 1))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def _quantiles(units: NDArray[np.int64], level: float) -> NDArray[np.float64]:
    """Return the lower and upper standard normal quantiles ``(2, ...)``, widened for few units; nan for one unit."""
    free = np.where(units > 1, units - 1.0, np.nan)
    upper = np.sqrt((free + 1) / free) * special.stdtrit(free, 0.5 + level / 2)
    return np.stack([-upper, upper])


def _acceleration(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Efron's acceleration ``(S,)`` from sums of powers 0 to 3 of jackknife scores ``(4, S)``."""
    count, first, second, third = moments
    mean = first / np.maximum(count, 1)
    square = second - count * mean**2
    cube = third - 3 * mean * second + 2 * count * mean**3
    result: NDArray[np.float64] = np.divide(
        -cube, 6 * np.abs(square) ** 1.5, out=np.zeros_like(square), where=square > 0
    )
    return result


def _spread(resampled: NDArray[np.float64]) -> bool:
    """Whether the resampled scores differ by more than rounding."""
    return len(resampled) > 0 and bool(np.ptp(resampled) > 1e-12 * max(1.0, float(np.abs(resampled).max())))
