"""Differences between the scores of runs on the same images: size, significance, and images or seeds needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

from opsin.evaluation.comparison.measure import Measure
from opsin.evaluation.comparison.seeds import Contrast, Spread, contrast, spread
from opsin.metrics.names import describe_score
from opsin.statistics.bootstrap import Bootstrap, bca, bootstrap, without_spread
from opsin.statistics.clusters import group_method, membership_of
from opsin.statistics.paired_tests import holm, sign_flip, wald_bounds, wald_p_value
from opsin.tasks.registry import task_spec

POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """Difference of one score between two recipes on the same images.

    Attributes:
        first: Number of the first recipe.
        second: Number of the second.
        score: Name of the score.
        value: First minus second.
        low: Lower bound of the 95 % interval.
        high: Upper bound.
        method: Method of the bounds.
        p_value: P-value of no difference.
        test: Name of the test.
        corrected: P-value corrected for all pairs of recipes compared by this score (Holm).
        images_needed: Number of images (or groups) to detect a difference of this size with a power of 80 %; None if no
            number would, because the seeds differ too much or there is no difference.
        seeds_needed: Number of seeds of each recipe to detect it on the present images; None as above, or with one seed
            each.
    """

    first: int
    second: int
    score: str
    value: float
    low: float
    high: float
    method: str
    p_value: float
    test: str
    corrected: float
    images_needed: int | None
    seeds_needed: int | None

    @property
    def told(self) -> bool:
        """Whether the difference is significant: the corrected p-value is below 0.05."""
        return self.corrected < 0.05

    @property
    def better(self) -> int | None:
        """Number of the better recipe; None without a significant difference."""
        if not self.told or not self.value:
            return None
        return self.first if (self.value > 0) != describe_score(self.score).lower_is_better else self.second

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"better": self.better}


@dataclass(frozen=True)
class Measured:
    """Scores of all runs and differences between recipes.

    Attributes:
        names: The S scores.
        scores: float64 ``(R, S)``; scores of each run, nan if undefined.
        spreads: Spread of each recipe and score.
        bounds: Of each recipe with several runs and each score: the 95 % interval of the mean over seeds, for new
            images and new seeds; None for a single run.
        differences: Differences of each pair of recipes by score.
        units: Number of images or groups that were resampled.
        remark: A sentence on scores that are not compared; may be empty.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    spreads: list[list[Spread]]
    bounds: list[list[tuple[float, float]] | None]
    differences: list[Difference]
    units: int
    remark: str


def measure(
    task: Measure, recipes: Sequence[Sequence[int]], pairs: Sequence[tuple[int, int]] | None = None
) -> Measured:
    """Compare recipes pair by pair on the images that all their runs have predicted.

    Args:
        task: The scores of all runs on the images that they share.
        recipes: The runs of each recipe.
        pairs: Pairs of recipes to compare. Default: all pairs.
    """
    paired = task.paired
    membership = membership_of(paired.groups)
    names = tuple(score for score in task_spec(paired.task).metrics if score in (*task.summed, *task.ranked))
    terms = [_grouped(task.terms(run), membership) for run in range(len(paired.predictions))]
    pairs = list(combinations(range(len(recipes)), 2)) if pairs is None else list(pairs)
    weights = np.vstack([np.eye(len(terms)), *(_weights(recipes, pair, len(terms)) for pair in pairs)])
    seen = _look(task, names, terms, weights, membership)
    spreads = [
        [spread(seen.values[list(own), at], draws[:, list(own)], seen.units) for at, draws in enumerate(seen.draws)]
        for own in recipes
    ]
    bounds = [_of_mean(seen, own, spreads[at], names) if len(own) > 1 else None for at, own in enumerate(recipes)]
    differences = []
    for place, (first, second) in enumerate(pairs, len(terms)):
        draws = [draws[:, place] for draws in seen.draws]
        found = _Pair(
            first,
            second,
            dict(zip(names, seen.values[place].tolist(), strict=True)),
            dict(zip(names, draws, strict=True)),
            seen.units,
            len(pairs),
            membership is not None,
            task_spec(paired.task).compared,
        )
        if len(recipes[first]) == len(recipes[second]) == 1:
            own, other = recipes[first][0], recipes[second][0]
            chances = sign_flip(terms[own], terms[other], task.scores, len(pairs))
            by_score = dict(zip(task.summed, zip(*seen.bounds[:, place], chances, strict=True), strict=True))
            differences += _between_networks(found, task, (own, other), by_score)
        else:
            both = [dict(zip(names, spreads[recipe], strict=True)) for recipe in (first, second)]
            differences += _between_recipes(found, both)
    values = seen.values[: len(terms)]
    return Measured(names, values, spreads, bounds, _corrected(differences), seen.units, task.remark)


class _Seen(NamedTuple):
    """Scores of runs and differences of recipes (K in all), and how they vary.

    Attributes:
        values: float64 ``(K, S)``.
        draws: Of each score, float64 ``(draws, K)``, whose variance is that over new images: of resamples, or made of
            the influences of the images.
        bounds: float64 ``(2, K, summed)``; of the bootstrap.
        units: Number of images or groups.
    """

    values: NDArray[np.float64]
    draws: list[NDArray[np.float64]]
    bounds: NDArray[np.float64]
    units: int


def _of_mean(
    seen: _Seen, own: Sequence[int], spreads: Sequence[Spread], names: Sequence[str]
) -> list[tuple[float, float]]:
    """Return the interval of each score's mean over the runs of a recipe, as its difference from an exact 0."""
    sure = Spread(len(own), 0.0, 0.0)
    rows = list(own)
    found = []
    for at, (draws, each, name) in enumerate(zip(seen.draws, spreads, names, strict=True)):
        value = float(seen.values[rows, at].mean())
        low, high = contrast(value, draws[:, rows].mean(axis=1), seen.units, [each, sure]).bounds()
        score = describe_score(name)
        # Student's interval is unbounded, but a fraction lies between 0 and 1, and an error is at least 0.
        found.append(
            (max(low, 0.0) if score.part or score.lower_is_better else low, min(high, 1.0) if score.part else high)
        )
    return found


def _look(
    task: Measure,
    names: tuple[str, ...],
    terms: list[sparse.csr_array],
    weights: NDArray[np.float64],
    membership: sparse.csr_array | None,
) -> _Seen:
    result = _bootstrap(task, terms, weights)
    units, number = terms[0].shape[0], len(task.summed)
    values = dict(zip(task.summed, result.values.reshape(-1, number).T, strict=True))
    draws = dict(
        zip(task.summed, np.moveaxis(result.resampled.reshape(len(result.resampled), -1, number), -1, 0), strict=True)
    )
    for score in task.ranked:
        areas, moved = zip(*(task.area(run, score) for run in range(len(terms))), strict=True)
        values[score] = weights @ np.array(areas)
        if membership is not None:
            moved = tuple(membership @ each * math.sqrt(units / max(1, units - 1)) for each in moved)
        # Scaled so that the variance of the rows, corrected for few units, is the sum of the squared influences.
        draws[score] = np.stack(moved, axis=1) @ weights.T * (units - 1) / math.sqrt(units)
    bounds = np.array([bound.reshape(-1, number) for bound in bca(result)])
    return _Seen(np.stack([values[score] for score in names], axis=1), [draws[score] for score in names], bounds, units)


def _grouped(terms: sparse.csr_array, membership: sparse.csr_array | None) -> sparse.csr_array:
    """Return what each group, or without groups each image, adds to the sums."""
    return terms if membership is None else sparse.csr_array(membership @ terms)


def _weights(recipes: Sequence[Sequence[int]], pair: tuple[int, int], runs: int) -> NDArray[np.float64]:
    """Return the weights ``(1, R)`` that turn the scores of the runs into the difference of two recipes."""
    weights = np.zeros((1, runs))
    for recipe, sign in zip(pair, (1, -1), strict=True):
        weights[0, list(recipes[recipe])] = sign / len(recipes[recipe])
    return weights


def _bootstrap(task: Measure, terms: list[sparse.csr_array], weights: NDArray[np.float64]) -> Bootstrap:
    """Score all runs, and all weighted sums of their scores, on the same resamples of the images."""

    def score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        by_run = task.scores(sums.reshape(*sums.shape[:-1], len(terms), -1))
        return (weights @ by_run).reshape(*sums.shape[:-1], -1)

    return bootstrap(sparse.csr_array(sparse.hstack(terms, format="csr")), score)


@dataclass(frozen=True)
class _Pair:
    """Two recipes and the difference of their scores, before its significance is known."""

    first: int
    second: int
    values: dict[str, float]
    draws: dict[str, NDArray[np.float64]]
    units: int
    pairs: int
    grouped: bool
    compared: tuple[str, ...]

    def difference(self, score: str, bounds: tuple[float, float], method: str, p_value: float, test: str) -> Difference:
        value = self.values[score]
        low, high = (float(bound) for bound in bounds)
        return Difference(self.first, self.second, score, value, low, high, method, p_value, test, p_value, None, None)

    @property
    def defined(self) -> list[str]:
        """Return the compared scores that are defined on these images."""
        return [score for score in self.compared if not math.isnan(self.values[score])]

    def squared_error(self, score: str) -> float:
        """Return the variance of a difference over new images or groups."""
        return float(self.draws[score].var(ddof=1)) * self.units / max(1, self.units - 1)

    @property
    def reach(self) -> float:
        """Number of standard errors a difference needs to be detected with the wanted power, given the pairs."""
        return float(special.ndtri(1 - 0.025 / self.pairs) + special.ndtri(POWER))


def _between_networks(
    pair: _Pair, task: Measure, runs: tuple[int, int], by_score: dict[str, tuple[float, float, float]]
) -> list[Difference]:
    """Compare two single runs: these networks on new images.

    Args:
        pair: The two recipes.
        task: The scores.
        runs: The two runs.
        by_score: Lower and upper bound of the bootstrap and p-value of the permutations, for scores that are functions
            of sums.
    """
    found = []
    for score in pair.defined:
        value, error = pair.values[score], pair.squared_error(score)
        bounds = wald_bounds(value, error + 2 * task.one_image(score), pair.units)
        p_value, test, method = wald_p_value(value, error, pair.units), "Wald's test of the influences", "the same"
        if score in by_score:
            low, high, p_value = by_score[score]
            bounds = float(np.fmin(low, bounds[0])), float(np.fmax(high, bounds[1]))
            test, method = "sign-flip permutation", "the wider of BCa and Wald's, from a paired bootstrap"
        exact = None if pair.grouped else task.exact(score, *runs)
        if pair.grouped:
            method = group_method(pair.units)
        elif exact is not None:
            test, p_value = exact.test, p_value if exact.p_value is None else exact.p_value
            bounds, method = (bounds, method) if exact.bounds is None else (exact.bounds, exact.method)
        most = task.largest(score)
        if bounds[0] == bounds[1] and math.isfinite(most):
            bounds, method = without_spread(value, pair.units, -most, most), "Wilson's bound"
        difference = pair.difference(score, bounds, method, float(p_value), test)
        found.append(replace(difference, images_needed=_needed(pair, value, error, 0.0)))
    return found


def _between_recipes(pair: _Pair, spreads: Sequence[dict[str, Spread]]) -> list[Difference]:
    """Compare recipes of which at least one has several seeds: new images and new seeds."""
    found = []
    for score in pair.defined:
        both = [each[score] for each in spreads]
        result = contrast(pair.values[score], pair.draws[score], pair.units, both)
        bounds, method = result.bounds(), "the same"
        if pair.grouped:
            method = f"the same, by {group_method(pair.units)}"
        if not result.error:
            bounds, method = without_spread(result.value, pair.units, -1.0), "Wilson's bound"
        difference = pair.difference(score, bounds, method, result.p_value, "Student's test over images and seeds")
        images = _needed(pair, result.value, result.by_images, result.by_seeds)
        seeds = _seeds_needed(pair, result, both)
        found.append(replace(difference, images_needed=images, seeds_needed=seeds))
    return found


def _needed(pair: _Pair, value: float, by_images: float, by_seeds: float) -> int | None:
    """Return the number of images or groups to detect such a difference; None if no number would."""
    allowed = (value / pair.reach) ** 2 - by_seeds
    if not value or allowed <= 0:
        return None
    # A test of few images needs more than the normal distribution says: never as few as could not tell it here.
    return max(math.ceil(pair.units * by_images / allowed), pair.units + 1)


def _seeds_needed(pair: _Pair, result: Contrast, spreads: Sequence[Spread]) -> int | None:
    """Return the number of seeds of each recipe to detect such a difference on the same images."""
    allowed = (result.value / pair.reach) ** 2 - (result.error**2 - result.by_runs)
    if not result.value or allowed <= 0:
        return None
    # As many of each as there would be, if they spread like those that there are.
    of_one_each = result.by_runs * 2 / sum(1 / each.runs for each in spreads)
    return max(2, math.ceil(of_one_each / allowed))


def _corrected(differences: list[Difference]) -> list[Difference]:
    """Correct the p-values of each score for the number of pairs."""
    found = []
    for score in dict.fromkeys(difference.score for difference in differences):
        own = [difference for difference in differences if difference.score == score]
        corrected = holm(np.array([difference.p_value for difference in own]))
        found += [
            Difference(**(asdict(each) | {"corrected": float(p)})) for each, p in zip(own, corrected, strict=True)
        ]
    return found
