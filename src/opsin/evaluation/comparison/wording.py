"""Text of the outcome of a comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opsin.evaluation.comparison.differences import Difference, Measured
from opsin.evaluation.comparison.seeds import SURE, Spread
from opsin.evaluation.verdict.finding import number, score_words
from opsin.metrics.names import describe_score

if TYPE_CHECKING:
    from opsin.evaluation.comparison.result import Compared


def conclude(recipes: Sequence[Compared], measured: Measured, score: str, grouped: bool) -> str:
    """Return a text on which recipe is better, or that there is no significant difference and what would show one.

    Args:
        recipes: The compared recipes.
        measured: Differences of each pair and score, and spreads over seeds.
        score: The deciding score.
        grouped: Whether images come in groups, which are then the unit that is counted.
    """
    name = score_words(score)
    if len(recipes) == 1:
        return _of_one(recipes[0], measured.spreads[0][measured.names.index(score)], score)
    own = [difference for difference in measured.differences if difference.score == score]
    best = min(range(len(recipes)), key=lambda at: _loss(recipes[at].mean(score), score))
    if len(recipes) == 2 and own:
        return _of_two(recipes, own[0], best, grouped)
    beaten: list[tuple[int, Difference]] = []
    level: list[tuple[int, Difference]] = []
    for difference in own:
        if best in (difference.first, difference.second):
            other = difference.second if difference.first == best else difference.first
            (beaten if difference.better == best else level).append((other, difference))
    sentence = f"{recipes[best].name} has the best {name}, {number(recipes[best].mean(score))}."
    if beaten:
        names = _listed([recipes[other].name for other, _ in beaten])
        sentence += f" It is better than {names} ({_largest(beaten)} after Holm's correction for {len(own)} pairs)."
    for other, difference in level:
        sentence += (
            f" There is no significant difference from {recipes[other].name} ({number(recipes[other].mean(score))}, "
            f"{p_words(difference.corrected)}): {what_it_takes(difference, grouped)}."
        )
    return sentence


def _of_one(recipe: Compared, spread: Spread, score: str) -> str:
    values = recipe.scores[score]
    explained = "could explain" if spread.p_value >= SURE else "cannot explain"
    return (
        f"These are {len(recipe.runs)} runs of one recipe with different seeds: {score_words(score)} "
        f"{number(recipe.mean(score))} on average, from {number(values.min())} to {number(values.max())} (standard "
        f"deviation {number(recipe.deviation(score) or 0.0)}); the sampling of images alone {explained} this spread "
        f"({p_words(spread.p_value)})."
    )


def _of_two(recipes: Sequence[Compared], difference: Difference, best: int, grouped: bool) -> str:
    first, second = recipes[best], recipes[1 - best]
    name = score_words(difference.score)
    sign = 1 if difference.first == best else -1
    low, high = sorted((sign * difference.low, sign * difference.high))
    means = f"{name} {number(first.mean(difference.score))} against {number(second.mean(difference.score))}"
    measured = (
        f"difference {_plain(sign * difference.value)}, 95 % interval {_plain(low)} to {_plain(high)}, "
        f"{p_words(difference.corrected)}"
    )
    if difference.told:
        return f"{first.name} is better than {second.name}: {means} ({measured})."
    return f"There is no significant difference between {first.name} and {second.name}: {means} ({measured}); " + (
        f"{what_it_takes(difference, grouped)}."
    )


def what_it_takes(difference: Difference, grouped: bool) -> str:
    """Return a text on the images or seeds needed to detect a difference of this size."""
    if not difference.value:
        return "their scores are equal, so no number of images would show a difference"
    needed = []
    if difference.images_needed is not None:
        needed.append(f"about {_rounded(difference.images_needed)} {'groups' if grouped else 'images'}")
    if difference.seeds_needed is not None:
        needed.append(f"about {_rounded(difference.seeds_needed)} seeds of each on the same images")
    if not needed:
        return "detecting a difference of this size needs both more images and more seeds"
    return f"detecting a difference of this size would need {' or '.join(needed)} (power 80 %)"


def p_words(p_value: float) -> str:
    """Format a p-value: ``p = 0.012``, or ``p < 0.001``."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}" if p_value < 0.1 else f"p = {p_value:.2f}"


def _rounded(count: int) -> str:
    """Format a count, rounded up to two significant digits."""
    step = 10 ** max(0, math.floor(math.log10(max(1, count))) - 1)
    return f"{math.ceil(count / step) * step:,}"


def _plain(value: float) -> str:
    """Format a difference with three decimals, without a minus sign for zero."""
    return f"{round(value, 3) + 0.0:.3f}"


def _largest(beaten: Sequence[tuple[int, Difference]]) -> str:
    worst = max(difference.corrected for _, difference in beaten)
    return p_words(worst) if worst < 0.001 else f"p at most {worst:.3f}"


def _loss(mean: float, score: str) -> float:
    return mean if describe_score(score).lower_is_better else -mean


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
