"""How sure a score is: Wilson's interval for proportions, the bootstrap for everything else.

Every score here is a function of sums over images (hits of a class, losses, calibration gaps), so that a resample needs
only new sums: one sparse matrix product scores all resamples at once. The units that are drawn are images, cells of the
confusion matrix standing for all their images, or, where images come in groups (patient, slide, video), whole groups.

Nothing is random from call to call: the generator is seeded with 0.
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
    """A score and the range its true value lies in with 95 % confidence.

    Attributes:
        value: The score; nan where it is undefined (recall of a class without images).
        low: Lower bound, finite.
        high: Upper bound, finite.
        method: How the bounds were found.
        n: The images that the score is about.
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
    """S scores of the data and of each resample.

    Attributes:
        values: float64 ``(S,)``; the scores.
        resampled: float64 ``(resamples, S)``; nan where a resample leaves a score undefined.
        acceleration: float64 ``(S,)``; how fast each score's standard error changes with the score (jackknife).
        n: Images or groups that were drawn.
    """

    values: NDArray[np.float64]
    resampled: NDArray[np.float64]
    acceleration: NDArray[np.float64]
    n: int


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Return the score interval of a proportion (Wilson 1927, Journal of the American Statistical Association 22:209).

    It keeps its level for few images and near 0 and 1, and is finite at them: 20 of 20 right give 0.84 to 1.

    Args:
        successes: How many were right, from 0 to ``n``.
        n: How many there were; 0 gives a value of nan between 0 and 1.
        level: Confidence.
    """
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, "Wilson", 0)
    z = float(special.ndtri(0.5 + level / 2))
    share = successes / n
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At 0 and n the bound is exactly 0 or 1; rounding must not push it past the value.
    low, high = max(0.0, min(center - half, share)), min(1.0, max(center + half, share))
    return Interval(float(share), float(low), float(high), "Wilson", int(n))


def mean_bounds(intervals: Sequence[Interval]) -> tuple[float, float]:
    """Return the bounds of the mean of independent scores, from those of each.

    The distances from value to bound add up like standard errors (Zou and Donner 2008, Statistics in Medicine 27:1693).

    Args:
        intervals: At least one, each with a value.
    """
    values, lows, highs = np.array([(each.value, each.low, each.high) for each in intervals]).T
    mean, number = float(values.mean()), len(values)
    return mean - float(np.linalg.norm(values - lows)) / number, mean + float(np.linalg.norm(highs - values)) / number


def number_of_resamples(n: int) -> int:
    """Return 2,000, or above 10,000 units as many as 20 million draws allow, but never fewer than 1,000.

    Efron and Tibshirani (1993, An Introduction to the Bootstrap, section 14.3) ask for 1,000 or more for BCa.
    """
    return max(1000, min(RESAMPLES, DRAWS // max(n, 1)))


def bootstrap(
    terms: sparse.csr_array,
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    counts: NDArray[np.int64] | None = None,
    resamples: int | None = None,
) -> Bootstrap:
    """Draw images or groups with replacement, as many as there are, and score each such resample.

    Args:
        terms: Sparse ``(U, M)``; what one image or group of each kind adds to each of M sums.
        score: From sums ``(..., M)`` to scores ``(..., S)``, nan where undefined.
        counts: int64 ``(U,)``; how many images each row of ``terms`` stands for. Left out, one.
        resamples: How many; left out, `number_of_resamples`. Memory is bounded whatever the number.
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
    """Return the bias-corrected and accelerated bounds (Efron 1987, same journal 82:171) of each score.

    The normal quantiles are widened to ``sqrt(u / (u - 1))`` times Student's for u units (Hesterberg 2015, The American
    Statistician 69:371), without which few groups give intervals that are too short.

    Args:
        result: From `bootstrap`.
        level: Confidence.
        units: int64 ``(S,)``; the number of images or groups that each score is about; left out, all of them.

    Returns:
        Lower and upper bounds, float64 ``(S,)`` each; nan where the resamples do not differ (see `without_spread`).
    """
    units = np.full(len(result.values), result.n) if units is None else units
    known = ~np.isnan(result.resampled)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Scores on few images take few values; half of those that equal the estimate lie below it.
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

    For scores that err upward on few images, as the calibration error does: resampling errs upward once more, which BCa
    and percentiles take for the truth and the reflection takes back. How far upward they err depends on the unknown
    truth, so that the upper bound is the percentile's where that is larger.

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
    """Return bounds of a score between 0 and 1 from the variance that the influences of single images give it.

    A Student's t interval of the log-odds, whose bounds stay between 0 and 1 (for the area under the ROC curve: Pepe
    2003, The Statistical Evaluation of Medical Tests, section 5.2).

    Args:
        value: The score.
        variance: Sum of squared influences of independent images or groups.
        free: Degrees of freedom, about the number of the rarer kind of image or group less 1.
        level: Confidence.

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
    """Return bounds of a score that is the same in all resamples: all right, all wrong, one image, one group.

    Images unlike all n seen ones may exist, up to the part that Wilson's upper bound of 0 in n allows, and may have any
    score; for a proportion of 0 or 1 this is Wilson's interval itself.

    Args:
        value: The score.
        n: Images or groups that it is about.
        least: Its smallest possible value.
        most: Its largest possible value.
        level: Confidence.
    """
    unseen = wilson(0, n, level).high
    return value - unseen * (value - least), value + unseen * (most - value)


def bounded(value: float, low: float, high: float, method: str, n: int, alike: float, most: float = 1.0) -> Interval:
    """Return the interval of a score, also where nothing varies from which bounds could have come.

    Args:
        value: The score; nan where it is undefined, for which the interval is everything.
        low: Lower bound; nan where nothing varies, for which `without_spread` gives the bounds.
        high: Upper bound.
        method: How bounds are found where something varies.
        n: The images that the score is about.
        alike: Images or groups that it rests on.
        most: The largest possible score.
    """
    if np.isnan(value):
        return Interval(value, 0.0, most, method, n)
    if np.isnan(low) or np.isnan(high):
        low, high = without_spread(value, alike, most=most)
        method = re.sub(_NEEDS_SPREAD, "Wilson bound", method)
    return Interval(value, float(low), float(high), method, n)


def _draws(generator: np.random.Generator, counts: NDArray[np.int64], resamples: int) -> NDArray[np.float64]:
    """Return how often each unit is drawn, ``(resamples, U)``, each row summing to the number of images or groups."""
    n, units = int(counts.sum()), len(counts)
    if n > units:
        return generator.multinomial(n, counts / n, size=resamples).astype(np.float64)
    # Where no unit stands for several, counting uniform draws is the same and several times faster.
    drawn = generator.integers(0, units, size=(resamples, units), dtype=np.int64)
    drawn += np.arange(resamples)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units).astype(np.float64)


def _chunks(rows: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of as many rows at a time as keeps an array of that width below `CHUNK` numbers."""
    step = max(1, CHUNK // max(width, 1))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def _quantiles(units: NDArray[np.int64], level: float) -> NDArray[np.float64]:
    """Return the lower and upper standard normal quantiles ``(2, ...)``, widened for few units; nan for one."""
    free = np.where(units > 1, units - 1.0, np.nan)
    upper = np.sqrt((free + 1) / free) * special.stdtrit(free, 0.5 + level / 2)
    return np.stack([-upper, upper])


def _acceleration(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Efron's acceleration ``(S,)`` from sums of powers 0 to 3 of jackknife scores ``(4, S)``."""
    count, first, second, third = moments
    mean = first / np.maximum(count, 1)
    square = second - count * mean**2
    cube = third - 3 * mean * second + 2 * count * mean**3
    return np.divide(-cube, 6 * np.abs(square) ** 1.5, out=np.zeros_like(square), where=square > 0)


def _spread(resampled: NDArray[np.float64]) -> bool:
    """Return whether the resampled scores differ by more than rounding."""
    return len(resampled) > 0 and bool(np.ptp(resampled) > 1e-12 * max(1.0, float(np.abs(resampled).max())))
