"""`opsin.find_learning_rate`: the loss against the learning rate, and a suggestion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from opsin.data.dataset import Dataset
from opsin.recipe.recipe import Recipe
from opsin.runtime.progress import decoding
from opsin.training.lr_finder import LearningRateCurve, sweep_learning_rate
from opsin.training.prepare import prepare
from opsin.training.session import Session
from opsin.workflow.request import ask


def find_learning_rate(
    data: str | Path | Dataset | None = None,
    *,
    recipe: Recipe | str | Path | None = None,
    data_root: str | Path | None = None,
    steps: int = 100,
    quiet: bool = True,
    **settings: Any,
) -> LearningRateCurve:
    """Train a new network for some steps while the learning rate grows from 1e-6 to 1 (Smith 2017).

    Args:
        data: A folder, a CSV, npz or IDX file, the name of a known data set, or a `Dataset`. Default: the recipe's.
        recipe: A recipe, or the path of its TOML file. Default: every setting by its rule.
        data_root: A folder that holds named data sets.
        steps: Optimizer steps, one rate each.
        quiet: Show no progress.
        **settings: Any setting by its short name, as for `opsin.train`.

    Returns:
        The rates, the smoothed losses, and a suggestion for ``training.learning_rate``.

    Raises:
        RecipeError: A setting is unknown or out of range.
        DataError: The data cannot be read or used.
        TrainingError: The loss diverges in the first steps.
    """
    asked, dataset = ask(data, recipe, settings, data_root)
    with decoding(Console(quiet=quiet)) as progress:
        prepared = prepare(asked, dataset, progress=progress)
    return sweep_learning_rate(Session(prepared), steps)
