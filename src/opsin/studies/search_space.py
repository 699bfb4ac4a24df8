"""Search space of a study: the table ``[search]`` with the variant, its keys and their ranges.

::

    [search]
    variant = "wide"                       # default: the base
    trials = 30

    [search.space]
    "training.learning_rate" = { low = 1e-4, high = 0.1, log = true }
    "training.batch_size" = { choices = [16, 32, 64] }
    "network.dropout" = { low = 0.0, high = 0.5 }
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opsin.errors import RecipeError, nearest
from opsin.studies.study import Study

if TYPE_CHECKING:
    from optuna.trial import Trial

TRIALS = 20
KEYS = ("variant", "trials", "space")
RANGE = ("low", "high", "log", "step", "choices")


@dataclass(frozen=True)
class Range:
    """Search range of one key.

    Attributes:
        key: Dotted key of the recipe.
        low: Lower bound; an integer if ``whole``.
        high: Upper bound.
        log: Whether values are sampled on a logarithmic scale.
        step: Distance between adjacent values; None: continuous.
        choices: Categorical values; the bounds are then 0.
        whole: Whether the values are integers.
    """

    key: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()
    whole: bool = False

    def suggest(self, trial: Trial) -> Any:
        """Return the value suggested by a trial."""
        if self.choices:
            return self.choices[trial.suggest_categorical(self.key, list(range(len(self.choices))))]
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)

    def named(self, value: Any) -> Any:
        """Return the recipe value of a trial's parameter."""
        return self.choices[int(value)] if self.choices else value


@dataclass(frozen=True)
class Search:
    """A hyperparameter search.

    Attributes:
        variant: The variant that is varied.
        trials: Number of trials.
        space: Range of each key.
    """

    variant: str
    trials: int
    space: tuple[Range, ...]


def read_search(study: Study) -> Search:
    """Read the table ``[search]`` of a study.

    Raises:
        RecipeError: The table is missing or invalid; the message names the place.
    """
    where, table = f"{study.name}, [search]", study.search
    if not table:
        raise RecipeError(f"{study.name} has no table [search]; see docs/studies.md for its keys.")
    for key in table:
        if key not in KEYS:
            raise RecipeError(f"{where}: unknown key '{key}'{nearest(key, KEYS)}; it has {', '.join(KEYS)}.")
    variant, trials, space = table.get("variant", study.base), table.get("trials", TRIALS), table.get("space", {})
    if variant not in study.variants:
        raise RecipeError(f"{where}: there is no variant '{variant}'{nearest(str(variant), study.variants)}.")
    if type(trials) is not int or trials < 1:
        raise RecipeError(f"{where}: 'trials' must be a whole number from 1, not {trials!r}.")
    if not isinstance(space, Mapping) or not space:
        raise RecipeError(f"{where}: [search.space] must name at least one key of the recipe.")
    ranges = tuple(_range(key, each, where) for key, each in space.items())
    for each in ranges:  # every bound must be a valid value of the recipe
        for value in each.choices or (each.low, each.high):
            study.variants[variant].recipe.set(each.key, int(value) if each.whole else value)
    return Search(variant, trials, ranges)


def _range(key: str, table: Any, where: str) -> Range:
    place = f"{where}, '{key}'"
    if not isinstance(table, Mapping):
        raise RecipeError(f"{place}: write {{ low = …, high = … }} or {{ choices = […] }}, not {table!r}.")
    for name in table:
        if name not in RANGE:
            raise RecipeError(f"{place}: unknown key '{name}'{nearest(name, RANGE)}; it has {', '.join(RANGE)}.")
    if "choices" in table:
        choices = table["choices"]
        if len(table) > 1 or not isinstance(choices, list) or len(choices) < 2:
            raise RecipeError(f"{place}: 'choices' must be a list of at least two values, without other keys.")
        return Range(key, choices=tuple(choices))
    low, high, log, step = table.get("low"), table.get("high"), table.get("log", False), table.get("step")
    numbers = [value for value in (low, high, *([] if step is None else [step]))]
    if not all(type(value) in (int, float) and math.isfinite(value) for value in numbers) or low >= high:  # type: ignore[operator]
        raise RecipeError(f"{place}: 'low' and 'high' must be numbers, with low < high.")
    if log and (low <= 0 or step is not None):  # type: ignore[operator]
        raise RecipeError(f"{place}: a logarithmic range must be above 0 and has no 'step'.")
    return Range(key, low, high, bool(log), step, (), all(type(value) is int for value in numbers))  # type: ignore[arg-type]
