"""Variance over seeds: several runs of one recipe that differ only in their seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from opsin.evaluation.verdict.finding import Finding, number

SURE = 0.01  # p-value below which the spread over seeds counts as more than the images explain
FREEDOM = 1e9  # degrees of freedom of an error that is known exactly
SPREAD = 0.005  # standard deviation of a score between 0 and 1 below which seeds do not matter


class Spread(NamedTuple):
    """Spread of the scores of the runs of one recipe, and the part of it that the sampling of images explains.

    Attributes:
        runs: Number of runs.
        variance: Variance of the scores of the runs; nan for a single one.
        by_images: Part of the variance that comes from the sampling of test images: even equally good runs make
            errors on different images; nan for a single run.
    """

    runs: int
    variance: float
    by_images: float

    @property
    def by_seeds(self) -> float:
        """Variance that remains for the seeds."""
        return max(0.0, self.variance - self.by_images)

    @property
    def p_value(self) -> float:
        """P-value of the spread if all runs were equally good; 1 for a single run.

        The ratio of both variances, times the runs less one, has a chi-square distribution; for the accuracy on images
        that are drawn one by one this is Cochran's Q (1950, Biometrika 37:256).
        """
        if self.runs < 2 or not self.variance:
            return 1.0
        if not self.by_images:
            return 0.0
        return float(special.chdtrc(self.runs - 1, (self.runs - 1) * self.variance / self.by_images))


class Contrast(NamedTuple):
    """The difference between the mean scores of two recipes.

    Attributes:
        value: The difference.
        error: Its standard error.
        freedom: Degrees of freedom of the error.
        by_images: Part of the squared error that more images would reduce.
        by_seeds: Part that only more seeds would reduce.
        by_runs: Part that more seeds would reduce.
    """

    value: float
    error: float
    freedom: float
    by_images: float
    by_seeds: float
    by_runs: float

    def bounds(self, level: float = 0.95) -> tuple[float, float]:
        """Return Student's interval."""
        half = float(special.stdtrit(self.freedom, 0.5 + level / 2)) * self.error
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided p-value of Student's test of no difference."""
        if not self.error:
            return 1.0 if not self.value else 0.0
        return float(2 * special.stdtr(self.freedom, -abs(self.value) / self.error))


def spread(scores: NDArray[np.float64], resampled: NDArray[np.float64], units: int) -> Spread:
    """Separate the variance over runs of a recipe into the parts of images and seeds.

    Args:
        scores: float64 ``(runs,)``.
        resampled: float64 ``(resamples, runs)``; scores on images or groups drawn with replacement, the same for all
            runs.
        units: Number of images or groups.
    """
    runs = len(scores)
    if runs < 2:
        return Spread(runs, math.nan, math.nan)
    centered = resampled - resampled.mean(axis=1, keepdims=True)
    return Spread(runs, float(scores.var(ddof=1)), float(_variance(centered, units).sum()) / (runs - 1))


def contrast(value: float, resampled: NDArray[np.float64], units: int, spreads: Sequence[Spread]) -> Contrast:
    """Return the difference between the mean scores of two recipes with its error for new images and new seeds.

    Runs correspond to the readers of a multi-reader multi-case study in which each reader reads under one of two
    conditions (Obuchowski and Rockette 1995, Communications in Statistics 24:285; Hillis, Berbaum and Metz 2008,
    Academic Radiology 15:647). The squared error is the variance over runs, which includes the part of the images that
    differs between runs, plus the part of the images that all runs share. If only one recipe was run with several
    seeds, the same variance is assumed for the other.

    Args:
        value: The difference.
        resampled: float64 ``(resamples,)``; of the difference, as in `spread`.
        units: Number of images or groups.
        spreads: Spreads of both recipes, at least one of which has several runs.
    """
    several = [each for each in spreads if each.runs > 1]
    known = [each if each.runs > 1 else several[0]._replace(runs=each.runs) for each in spreads]
    from_runs = [each.variance / each.runs for each in known]
    in_runs = sum(each.by_images / each.runs for each in known)
    from_images = max(0.0, float(_variance(resampled, units)) - in_runs)
    total = sum(from_runs) + from_images
    if not total:
        return Contrast(value, 0.0, FREEDOM, 0.0, 0.0, 0.0)
    if len(several) == 2:
        doubt = sum((part / total) ** 2 / (each.runs - 1) for part, each in zip(from_runs, known, strict=True))
    else:
        doubt = (sum(from_runs) / total) ** 2 / (several[0].runs - 1)
    doubt += (from_images / total) ** 2 / max(1, units - 1)
    by_seeds = min(total, sum(each.by_seeds / each.runs for each in known))
    return Contrast(value, math.sqrt(total), min(FREEDOM, 1 / doubt), total - by_seeds, by_seeds, sum(from_runs))


def find_unstable(scores: NDArray[np.float64], result: Spread, score: str, recipe: str = "") -> Finding | None:
    """Return a finding if the runs of one recipe differ by more than the sampling of test images explains.

    Args:
        scores: float64 ``(runs,)``.
        result: From `spread`.
        score: Name of the score.
        recipe: Name of the recipe, if there are several.
    """
    deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    if result.p_value >= SURE or deviation < SPREAD:
        return None
    which = f"the {len(scores)} runs of {recipe}" if recipe else f"its {len(scores)} runs"
    chance = f"p {'< 0.001' if result.p_value < 0.001 else f'= {result.p_value:.3f}'}"
    return Finding(
        "unstable",
        "warning",
        f"The recipe is unstable across seeds: {score} of {which} lies between {number(scores.min())} and "
        f"{number(scores.max())}, more than the sampling of images explains.",
        f"Standard deviation between seeds {number(deviation)}; the sampling of images explains "
        f"{number(math.sqrt(result.by_images))} ({chance}).",
        "Report the mean over seeds, never the best one. To stabilize it, try a lower learning rate, "
        "`--warmup-epochs 1`, `--average 0.999`, larger batches or more images. If a seed failed completely, "
        "look at its learning curves.",
    )


def _variance(resampled: NDArray[np.float64], units: int) -> NDArray[np.float64]:
    """Return the variance over resamples (first axis), corrected for the number of units."""
    result: NDArray[np.float64] = resampled.var(axis=0, ddof=1) * units / max(1, units - 1)
    return result
