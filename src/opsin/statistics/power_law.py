"""Learning curves: a power law fitted to the errors at several training set sizes, and its extrapolation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
CONCLUSIVE = 0.1  # maximum width of the interval of a conclusive extrapolation
NEGLIGIBLE = 0.005  # a smaller gain is reported as none
EXPONENTS = np.geomspace(0.05, 2, 150)  # for neural networks 0.07 to 1 (Hestness et al. 2017)


@dataclass(frozen=True)
class PowerLaw:
    """Error as a function of the number n of training images: ``floor + scale * n ** -exponent``.

    Empirical learning curves have this form (Cortes et al. 1993; Hestness et al. 2017, Deep Learning Scaling is
    Predictable, Empirically).

    Attributes:
        floor: Irreducible error, 0 or more.
        scale: 0 or more.
        exponent: 0.05 to 2.
    """

    floor: float
    scale: float
    exponent: float

    def error(self, images: NDArray[np.floating] | float) -> Any:
        """Return the error for a number of training images."""
        return self.floor + self.scale * np.asarray(images, float) ** -self.exponent

    def images(self, error: float) -> float:
        """Return the number of training images for an error; infinite if it is below the floor."""
        if error <= self.floor:
            return math.inf
        return float((self.scale / (error - self.floor)) ** (1 / self.exponent))


def fit_power_laws(
    images: NDArray[np.floating], errors: NDArray[np.floating], noise: NDArray[np.floating]
) -> list[PowerLaw]:
    """Fit power laws by weighted least squares with non-negative floor and scale.

    For a given exponent, floor and scale are the solution of linear equations; the exponent is found by grid search.

    Args:
        images: float ``(N,)``, above 0.
        errors: float ``(D, N)``; D curves, each fitted separately.
        noise: float ``(N,)``, above 0; standard errors.
    """
    middle = float(np.exp(np.log(images).mean()))  # for numerical conditioning
    basis, weights = (images / middle) ** -EXPONENTS[:, None], noise**-2.0
    ones, cross, squares = weights.sum(), basis @ weights, basis**2 @ weights
    level, slope = (errors @ weights)[:, None], (errors * weights) @ basis.T
    determinant = ones * squares - cross**2
    floor, height = (level * squares - slope * cross) / determinant, (ones * slope - cross * level) / determinant
    flat, bare = height < 0, floor < 0
    height = np.where(flat, 0, np.where(bare, slope / squares, height))
    floor = np.where(flat, level / ones, np.where(bare, 0, floor))
    cost = -2 * (floor * level + height * slope) + floor**2 * ones + 2 * floor * height * cross + height**2 * squares
    best = cost.argmin(axis=1)
    return [
        PowerLaw(float(floor[row, at]), float(height[row, at] * middle ** EXPONENTS[at]), float(EXPONENTS[at]))
        for row, at in enumerate(best)
    ]


@dataclass(frozen=True)
class Extrapolation:
    """Extrapolation of a learning curve to twice as many training images.

    Attributes:
        law: The fit.
        reached: Fitted score for all training images.
        images: Twice the number of training images.
        expected: Extrapolated score for that number.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        conclusive: Whether the interval is narrow enough for a statement.
        sentence: The result in words.
        band: float ``(3, M)``: images, lower and upper bound of the error, for plots.
    """

    law: PowerLaw
    reached: float
    images: int
    expected: float
    low: float
    high: float
    conclusive: bool
    sentence: str
    band: NDArray[np.float64]


def extrapolate(
    images: NDArray[np.integer],
    errors: NDArray[np.floating],
    validated: int,
    score: str = "accuracy",
    seed: int = 0,
) -> Extrapolation:
    """Fit a power law to measured errors and extrapolate it to twice as many images.

    The interval is a parametric bootstrap: the mean error at each size is resampled with its standard error, and the
    law is refitted. The standard error is pooled over the repetitions at all sizes, with a variance proportional to
    ``error * (1 - error)``; without repetitions it is that of a proportion of the validation images.

    Args:
        images: int ``(N,)``; number of training images of each run.
        errors: float ``(N,)``; validation error of each run, 1 minus the score.
        validated: Number of validation images.
        score: Name of the score.
        seed: Random seed of the bootstrap.

    Raises:
        ValueError: There are fewer than three distinct sizes.
    """
    sizes, means, noise, freedom = _pool(images, errors, validated)
    if len(sizes) < 3:
        raise ValueError("a learning curve needs three sizes")
    law = fit_power_laws(sizes, means[None], noise)[0]
    generator = np.random.default_rng(seed)
    shape = (DRAWS, len(sizes))
    scatter = generator.standard_t(freedom, shape) if freedom else generator.standard_normal(shape)
    draws = np.clip(means + noise * scatter, 0, 1)
    laws = fit_power_laws(sizes, draws, noise)
    most = float(sizes[-1])
    grid = np.geomspace(sizes[0], 2 * most, 60)
    low, high = np.quantile([each.error(grid) for each in laws], [0.025, 0.975], axis=0)
    now, then = float(law.error(most)), float(law.error(2 * most))
    bounds = (1 - float(high[-1]), 1 - float(low[-1]))
    conclusive = bounds[1] - bounds[0] <= CONCLUSIVE
    sentence = _sentence(score, law, most, (1 - now, 1 - then), bounds, conclusive)
    return Extrapolation(
        law, 1 - now, round(2 * most), 1 - then, *bounds, conclusive, sentence, np.stack([grid, low, high])
    )


def _pool(
    images: NDArray[np.integer], errors: NDArray[np.floating], validated: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Return the sizes in ascending order, their mean errors and standard errors, and the degrees of freedom."""
    sizes, place = np.unique(images, return_inverse=True)
    counts = np.bincount(place)
    means = np.bincount(place, errors) / counts
    spread = np.maximum(means * (1 - means), 0.5 / validated * (1 - 0.5 / validated))
    freedom = int((counts - 1).sum())
    share = 1 / validated
    if freedom:
        # At least a quarter of the binomial variance: few repetitions may agree by chance.
        share = max(float((((errors - means[place]) ** 2) / spread[place]).sum() / freedom), share / 4)
    return sizes.astype(float), means, np.sqrt(share * spread / counts), freedom


def _sentence(
    score: str, law: PowerLaw, most: float, values: tuple[float, float], bounds: tuple[float, float], conclusive: bool
) -> str:
    now, then = values
    twice = f"Twice as many training images ({2 * most:,.0f})"
    interval = f"({bounds[0]:.1%}–{bounds[1]:.1%})"
    if not conclusive:
        return (
            f"These runs do not determine the gain of {twice[0].lower()}{twice[1:]}: the 95 % interval of the {score} "
            f"is {bounds[0]:.1%} to {bounds[1]:.1%}. Use more repeats (--repeats) or a larger validation split."
        )
    if bounds[1] - now < NEGLIGIBLE:
        return (
            f"{twice} would hardly improve {score}: from {now:.1%} to {then:.1%} {interval}. Check the labels and the "
            "confusion matrix instead."
        )
    half = law.images((1 - now) / 2)
    times = half / most
    said = f"{twice} would improve {score} from {now:.1%} to about {then:.1%} {interval}."
    if times >= 30:
        return said
    return f"{said} Halving the remaining error would take about {times:.{int(times < 2)}f} times as many."
