"""Comparison of runs on the same images: which recipe is better, or no significant difference."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from opsin.errors import RunError, nearest
from opsin.evaluation.comparison.differences import Measured, measure
from opsin.evaluation.comparison.pairing import Paired, pair_runs
from opsin.evaluation.comparison.result import Compared, Comparison
from opsin.evaluation.comparison.seeds import find_unstable
from opsin.evaluation.comparison.wording import conclude
from opsin.evaluation.task import evaluation_of
from opsin.evaluation.verdict.finding import Finding, score_words
from opsin.recipe.validation import flat
from opsin.runs.folder import RunFolder
from opsin.statistics.clusters import ENOUGH_GROUPS
from opsin.tasks.registry import task_spec

SPLITS = ("test", "validation")
# Keys that do not distinguish recipes: the seed, in which runs of one recipe differ, and memory.
APART = ("seed", "data.memory_gb")


class HasPath(Protocol):
    """Any object with a run folder: `opsin.Run`, `RunFolder`."""

    @property
    def path(self) -> Path:
        """The run folder."""


def compare(
    runs: Sequence[str | Path | HasPath],
    *,
    split: str = "test",
    score: str | None = None,
    names: Mapping[Path, str] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> Comparison:
    """Compare runs on the images of a split that all of them have predicted.

    Runs whose recipes differ only in the seed are pooled. With one run per recipe, intervals and p-values hold for
    these networks on new images; with several, for new seeds as well.

    Args:
        runs: At least two runs, or their folders, of the same data and split.
        split: "test" or "validation". No new predictions are made, so the test split is not used again.
        score: The deciding score. Default: the main one of the task. For classifiers accuracy, balanced_accuracy,
            macro_f1, roc_auc, average_precision or log_loss.
        names: Run folder -> name of its recipe, the same for all runs of a recipe. Default: from the folders.
        pairs: Pairs of recipes to compare, by ``names``. Default: all pairs.

    Raises:
        RunError: The runs cannot be compared; the message has the reason.
    """
    folders = [_folder(run) for run in runs]
    if len({folder.path.resolve() for folder in folders}) < max(2, len(folders)):
        raise RunError("Give at least two different runs to compare.")
    compared = task_spec(folders[0].task).compared
    score = score or compared[0]
    for value, known, what in ((split, SPLITS, "split"), (score, compared, "score")):
        if value not in known:
            raise RunError(f"There is no {what} '{value}'{nearest(value, known)}; there are {', '.join(known)}.")
    recipes = _group(folders) if names is None else _named(folders, names)
    folders = [folders[run] for recipe in recipes for run in recipe]
    own = [list(range(at, at + len(recipe))) for at, recipe in zip(_starts(recipes), recipes, strict=True)]
    each = [[folders[run] for run in recipe] for recipe in own]
    called = _names(each) if names is None else [names[runs[0].path] for runs in each]
    wanted = None if pairs is None else [(called.index(first), called.index(second)) for first, second in pairs]
    paired = pair_runs(folders, split)
    measured = measure(evaluation_of(paired.task).compare(paired), own, wanted)
    if np.isnan(measured.scores[:, measured.names.index(score)]).any():
        raise RunError(f"{score} is undefined on these {len(paired.targets):,} images, which are all of one class.")
    keys = _keys([folders[recipe[0]] for recipe in own])
    found = tuple(
        Compared(
            name,
            tuple(folders[run].path for run in recipe),
            tuple(folders[run].recipe.seed for run in recipe),
            {
                each: values
                for each, values in zip(measured.names, measured.scores[recipe].T, strict=True)
                if not np.isnan(values[0])
            },
            dict(zip(measured.names, bounds, strict=True)) if bounds else {},
        )
        for name, recipe, bounds in zip(called, own, measured.bounds, strict=True)
    )
    return Comparison(
        recipes=found,
        split=split,
        score=score,
        images=len(paired.targets),
        groups=None if paired.groups is None else measured.units,
        differences=tuple(measured.differences),
        sentence=conclude(found, measured, score, paired.groups is not None),
        findings=tuple(_findings(found, measured, score)),
        notes=tuple(_notes(found, keys, paired, split, measured.units)),
        keys=keys,
        remark=measured.remark,
    )


def _folder(run: str | Path | HasPath) -> RunFolder:
    if isinstance(run, RunFolder):
        return run
    return RunFolder(run if isinstance(run, str | Path) else run.path)


def _group(folders: Sequence[RunFolder]) -> list[list[int]]:
    """Return the runs of each recipe, in the given order.

    Runs of one recipe with equal seeds differ in something else, such as their data, and are kept separate.
    """
    alike: dict[str, list[int]] = {}
    for number, folder in enumerate(folders):
        key = str(sorted((key, str(value)) for key, value in flat(folder.recipe.to_dict()).items() if key not in APART))
        alike.setdefault(key + folder.info.get("data", {}).get("fingerprint", ""), []).append(number)
    groups = []
    for runs in alike.values():
        seeds = {folders[run].recipe.seed for run in runs}
        groups += [runs] if len(seeds) == len(runs) else [[run] for run in runs]
    return sorted(groups)


def _named(folders: Sequence[RunFolder], names: Mapping[Path, str]) -> list[list[int]]:
    """Return the runs of each name, in the given order."""
    called = [names[folder.path] for folder in folders]
    return [[run for run, other in enumerate(called) if other == name] for name in dict.fromkeys(called)]


def _starts(recipes: Sequence[Sequence[int]]) -> list[int]:
    result: list[int] = np.cumsum([0, *(len(recipe) for recipe in recipes[:-1])]).tolist()
    return result


def _keys(runs: Sequence[RunFolder]) -> dict[str, tuple[Any, ...]]:
    """Return the keys in which the recipes of runs differ, with their values.

    An ensemble was not trained by its recipe: for it, ``ensemble`` replaces all keys of networks and training.
    """
    tables = [flat(run.recipe.to_dict()) for run in runs]
    if any("ensemble" in run.info for run in runs):
        kinds = [run.info.get("ensemble", {}).get("kind") for run in runs]
        tables = [
            {key: value for key, value in table.items() if not key.startswith(("network.", "training."))}
            | {"network.name": table["network.name"], "ensemble": kind}
            for table, kind in zip(tables, kinds, strict=True)
        ]
    every = dict.fromkeys(key for table in tables for key in table if key not in APART)
    values = {key: tuple(table.get(key) for table in tables) for key in every}
    return {key: found for key, found in values.items() if any(value != found[0] for value in found)}


def _names(recipes: Sequence[Sequence[RunFolder]]) -> list[str]:
    """Return a name for each recipe: that of its run, or the common prefix of the names of its runs."""
    names = []
    for runs in recipes:
        common = os.path.commonprefix([run.name for run in runs])
        if len(runs) > 1:
            common = common.rstrip("0123456789").rstrip("-_. ").removesuffix("seed").rstrip("-_. ")
        names.append(common or runs[0].name)
    if len(set(names)) == len(names):
        return names
    return [str(runs[0].path) for runs in recipes]


def _findings(recipes: Sequence[Compared], measured: Measured, score: str) -> list[Finding]:
    at = measured.names.index(score)
    found = [
        find_unstable(recipe.scores[score], spreads[at], score_words(score), recipe.name)
        for recipe, spreads in zip(recipes, measured.spreads, strict=True)
    ]
    return [finding for finding in found if finding]


def _notes(recipes: Sequence[Compared], keys: dict[str, Any], paired: Paired, split: str, units: int) -> list[str]:
    """Return the caveats of the comparison."""
    notes, images = [], len(paired.targets)
    if max(paired.sizes) > images:
        sizes = ", ".join(f"{size:,}" for size in dict.fromkeys(paired.sizes))
        notes.append(
            f"The runs have {sizes} {split} images and share {images:,} of them; only these are compared, "
            "because some runs may have been trained on the others."
        )
    if len(recipes) > 1 and all(len(recipe.runs) == 1 for recipe in recipes):
        notes.append(
            "Each recipe was trained once, so this compares two networks, and other seeds may give another result. "
            "To compare the recipes, train them with more seeds (--seed 1, --seed 2) and pass all runs."
        )
    if len(recipes) > 1 and not keys:
        notes.append("The recipes are the same; the data, the software version or the machine differ.")
    if len({len(recipe.runs) > 1 for recipe in recipes}) > 1:
        notes.append("Recipes with a single run are assumed to vary between seeds as much as the others.")
    if paired.groups is not None and units < ENOUGH_GROUPS:
        notes.append(f"The images come from only {units} groups, so intervals and p-values are indicative only.")
    if len(recipes) > 2 and split == "test":
        notes.append(
            "The best of several test scores is too optimistic. Select with --split validation, and read the test "
            "score of the selected recipe."
        )
    return notes
