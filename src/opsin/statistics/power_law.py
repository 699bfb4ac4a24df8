"""What more training images would bring: a power law through the errors after training on growing parts of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
CAN_TELL = 0.1  # an interval of the accuracy that is wider than this says nothing worth saying
HARDLY = 0.005  # a gain below this is none
EXPONENTS = np.geomspace(0.05, 2, 150)  # those of networks are 0.07 to 1 (Hestness et al. 2017)


@dataclass(frozen=True)
class PowerLaw:
    """An error that falls with the number n of training images: ``floor + scale * n ** -exponent``.

    That is the form which measured learning curves have (Cortes et al. 1993; Hestness et al. 2017, Deep Learning
    Scaling is Predictable, Empirically).

    Attributes:
        floor: The error that no number of images takes away, 0 or more.
        scale: 0 or more.
        exponent: 0.05 to 2.
    """

    floor: float
    scale: float
    exponent: float

    def error(self, images: NDArray[np.floating] | float) -> Any:
        """Return the error after so many training images."""
        return self.floor + self.scale * np.asarray(images, float) ** -self.exponent

    def images(self, error: float) -> float:
        """Return how many training images bring the error down to this; infinite where none do."""
        if error <= self.floor:
            return math.inf
        return float((self.scale / (error - self.floor)) ** (1 / self.exponent))


def fit_power_laws(
    images: NDArray[np.floating], errors: NDArray[np.floating], noise: NDArray[np.floating]
) -> list[PowerLaw]:
    """Fit by least squares with floor and scale at or above 0.

    For a given exponent the two others follow from linear equations; all exponents of a fine grid are tried.

    Args:
        images: float ``(N,)``, above 0.
        errors: float ``(D, N)``; D curves, each fitted for itself.
        noise: float ``(N,)``, above 0; standard error of each.
    """
    middle = float(np.exp(np.log(images).mean()))  # keeps the equations well conditioned
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
class Foreseen:
    """What a learning curve says of more images.

    Attributes:
        law: The fit.
        reached: The score that it gives for all training images that there are.
        images: Twice as many.
        expected: The score with twice as many.
        low: Lower bound of that, 95 %.
        high: Upper bound.
        told: Whether that is certain enough to be worth saying.
        sentence: All of it in words.
        band: float ``(3, M)``: images, lower and upper bound of the error, for drawing.
    """

    law: PowerLaw
    reached: float
    images: int
    expected: float
    low: float
    high: float
    told: bool
    sentence: str
    band: NDArray[np.float64]


def foresee(
    images: NDArray[np.integer],
    errors: NDArray[np.floating],
    validated: int,
    score: str = "accuracy",
    seed: int = 0,
) -> Foreseen:
    """Fit a power law to measured errors and say what twice as many images would bring.

    The interval comes from a parametric bootstrap: the mean error at each size is drawn anew with its standard error,
    and the law is fitted again. That error is estimated from how far repetitions lie apart, all sizes together, with
    their variance in proportion to ``error * (1 - error)``; without repetitions it is that of a proportion of the
    validation images.

    Args:
        images: int ``(N,)``; training images of each run.
        errors: float ``(N,)``; validation error of each run, 1 less the score.
        validated: How many images each was validated on.
        score: What the score is called.
        seed: Of the bootstrap.

    Raises:
        ValueError: There are fewer than three sizes.
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
    told = bounds[1] - bounds[0] <= CAN_TELL
    sentence = _sentence(score, law, most, (1 - now, 1 - then), bounds, told)
    return Foreseen(law, 1 - now, round(2 * most), 1 - then, *bounds, told, sentence, np.stack([grid, low, high]))


def _pool(
    images: NDArray[np.integer], errors: NDArray[np.floating], validated: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Return the sizes, ascending, the mean error of each, its standard error, and that one's degrees of freedom."""
    sizes, place = np.unique(images, return_inverse=True)
    counts = np.bincount(place)
    means = np.bincount(place, errors) / counts
    spread = np.maximum(means * (1 - means), 0.5 / validated * (1 - 0.5 / validated))
    freedom = int((counts - 1).sum())
    share = 1 / validated
    if freedom:
        # No better than a quarter of the counting error: few repetitions may agree by chance.
        share = max(float((((errors - means[place]) ** 2) / spread[place]).sum() / freedom), share / 4)
    return sizes.astype(float), means, np.sqrt(share * spread / counts), freedom


def _sentence(
    score: str, law: PowerLaw, most: float, values: tuple[float, float], bounds: tuple[float, float], told: bool
) -> str:
    now, then = values
    twice = f"Twice as many training images ({2 * most:,.0f})"
    interval = f"({bounds[0]:.1%}–{bounds[1]:.1%})"
    if not told:
        return (
            f"What {twice[0].lower()}{twice[1:]} would bring cannot be told from these runs: the {score} may then lie "
            f"anywhere from {bounds[0]:.1%} to {bounds[1]:.1%}. More repeats, or a larger validation split, would tell."
        )
    if bounds[1] - now < HARDLY:
        return (
            f"{twice} would bring hardly anything: {score} would go from {now:.1%} to {then:.1%} {interval}. Look at "
            "the labels and at what is confused instead."
        )
    half = law.images((1 - now) / 2)
    times = half / most
    said = f"{twice} would bring {score} from {now:.1%} to about {then:.1%} {interval}."
    if times >= 30:
        return said
    return f"{said} To halve what it lacks of 100 % would take about {times:.{int(times < 2)}f} times as many."
