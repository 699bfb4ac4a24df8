"""Comparing runs on the same test images: which recipe is better, or that it cannot be told."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from opsin.errors import RunError, nearest
from opsin.evaluation.comparison.differences import Difference, Measured, measure
from opsin.evaluation.comparison.pairing import Paired, pair_runs
from opsin.evaluation.comparison.seeds import find_unstable
from opsin.evaluation.comparison.wording import conclude
from opsin.evaluation.verdict.finding import Finding, capitalized, score_words
from opsin.recipe.validation import flat
from opsin.runs.folder import RunFolder
from opsin.statistics.clusters import ENOUGH_GROUPS
from opsin.tasks.registry import TASKS

if TYPE_CHECKING:
    from opsin.workflow.run import Run

SPLITS = ("test", "validation")
# What does not decide how a recipe turns out: the seed, which is what runs of one recipe differ in, and memory.
APART = ("seed", "data.memory_gb")


@dataclass(frozen=True)
class Compared:
    """A recipe and its runs, which differ only in their seeds.

    Attributes:
        name: What it is called: by its run, or by what the names of its runs begin with.
        runs: The run folders.
        seeds: The seed of each.
        scores: Score -> float64 ``(runs,)``, on the shared images.
        bounds: Score -> 95 % interval of its mean, for new images and new seeds; empty for a single run.
    """

    name: str
    runs: tuple[Path, ...]
    seeds: tuple[int, ...]
    scores: dict[str, NDArray[np.float64]]
    bounds: dict[str, tuple[float, float]]

    def mean(self, score: str) -> float:
        """Return the mean of a score over the seeds."""
        return float(self.scores[score].mean())

    def deviation(self, score: str) -> float | None:
        """Return the standard deviation of a score between the seeds; None for a single run."""
        return float(self.scores[score].std(ddof=1)) if len(self.runs) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        scores = {
            name: {
                "mean": self.mean(name),
                "deviation": self.deviation(name),
                "interval": list(self.bounds[name]) if name in self.bounds else None,
                "values": values.tolist(),
            }
            for name, values in self.scores.items()
        }
        return {"name": self.name, "runs": [str(run) for run in self.runs], "seeds": list(self.seeds), "scores": scores}


@dataclass(frozen=True)
class Comparison:
    """What comes out of comparing runs.

    Attributes:
        recipes: What was compared.
        split: On which images: "test" or "validation".
        score: The score that decides.
        images: How many images all runs share.
        groups: How many groups they come from; None where each stands for itself.
        differences: Of each pair of recipes and each score.
        sentence: Which recipe is better, or that it cannot be told, in one sentence or a few.
        findings: Recipes that are unstable across their seeds.
        notes: What to keep in mind, in sentences.
        keys: Key of the recipe -> its value in each recipe, for the keys that differ; None: left out.
        remark: A sentence on scores that are not compared; may be empty.
    """

    recipes: tuple[Compared, ...]
    split: str
    score: str
    images: int
    groups: int | None
    differences: tuple[Difference, ...]
    sentence: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    keys: dict[str, tuple[Any, ...]]
    remark: str = ""

    @property
    def runs(self) -> tuple[Path, ...]:
        """All run folders, recipe by recipe."""
        return tuple(run for recipe in self.recipes for run in recipe.runs)

    @property
    def methods(self) -> list[str]:
        """How the differences were found, in sentences."""
        ways: dict[tuple[str, str], list[str]] = {}
        for each in self.differences:
            scores = ways.setdefault((each.test, each.method), [])
            if each.score not in scores:
                scores.append(each.score)
        units = "" if self.groups is None else f" from {self.groups:,} groups"
        pairs = len({(each.first, each.second) for each in self.differences})
        found = [f"All runs were compared on the same {self.images:,} {self.split} images{units}."]
        if not pairs:
            return found
        for (test, method), scores in ways.items():
            named = capitalized(", ".join(map(score_words, scores)))
            found.append(f"{named}: p by {test}; interval by {method}.")
        found += [self.remark] if self.remark else []
        if pairs > 1:
            found.append(f"The p-values of each score are corrected for {pairs} pairs by Holm's method.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        named = [
            each.to_dict()
            | {
                "first": self.recipes[each.first].name,
                "second": self.recipes[each.second].name,
                "better": None if each.better is None else self.recipes[each.better].name,
            }
            for each in self.differences
        ]
        return {
            "sentence": self.sentence,
            "split": self.split,
            "score": self.score,
            "images": self.images,
            "groups": self.groups,
            "recipes": [recipe.to_dict() for recipe in self.recipes],
            "differences": named,
            "findings": [finding.to_dict() for finding in self.findings],
            "notes": list(self.notes),
            "methods": self.methods,
            "keys": {key: list(values) for key, values in self.keys.items()},
        }

    def write_page(self, path: str | Path) -> Path:
        """Write a self-contained HTML page: differences, learning curves, recipes, images in dispute; return its path.

        It leaves file names out where any of the runs is anonymous.
        """
        from opsin.reporting.pages.comparison import write_comparison

        return write_comparison(self, Path(path))


def compare(
    runs: Sequence[str | Path | Run | RunFolder],
    *,
    split: str = "test",
    score: str | None = None,
    names: Mapping[Path, str] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> Comparison:
    """Compare runs on the images of a split that all of them have predicted.

    Runs whose recipes differ only in the seed are runs of one recipe, and are judged together. Where there is one run
    of each recipe, intervals and p-values hold for these very networks on new images; where there are several, for new
    seeds as well.

    Args:
        runs: At least two runs, or their folders, of the same data and split.
        split: "test" or "validation". Nothing is predicted anew, so that no locked split is opened.
        score: The score that decides; left out, the main one of the task. Of classifiers accuracy, balanced_accuracy,
            macro_f1, roc_auc, average_precision or log_loss.
        names: Run folder -> what its recipe is called, the same for all runs of a recipe; left out: by the folders.
        pairs: Which recipes to compare with which, by ``names``; left out: each with each.

    Raises:
        RunError: The runs cannot be compared; the sentence says why.
    """
    folders = [_folder(run) for run in runs]
    if len({folder.path.resolve() for folder in folders}) < max(2, len(folders)):
        raise RunError("Give at least two runs to compare, each of them once.")
    compared = TASKS[folders[0].task].compared
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
    measured = measure(paired, own, wanted)
    if np.isnan(measured.scores[:, measured.names.index(score)]).any():
        raise RunError(f"{score} is undefined on these {len(paired.labels):,} images, which are all of one class.")
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
        images=len(paired.labels),
        groups=None if paired.groups is None else measured.units,
        differences=tuple(measured.differences),
        sentence=conclude(found, measured, score, paired.groups is not None),
        findings=tuple(_findings(found, measured, score)),
        notes=tuple(_notes(found, keys, paired, split, measured.units)),
        keys=keys,
        remark=measured.remark,
    )


def _folder(run: str | Path | Run | RunFolder) -> RunFolder:
    if isinstance(run, RunFolder):
        return run
    return RunFolder(run if isinstance(run, str | Path) else run.path)


def _group(folders: Sequence[RunFolder]) -> list[list[int]]:
    """Return which runs belong to one recipe, in the order given.

    Runs of one recipe that share a seed differ in something else, such as their data, and are taken one by one.
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
    """Return which runs are called alike, in the order given."""
    called = [names[folder.path] for folder in folders]
    return [[run for run, other in enumerate(called) if other == name] for name in dict.fromkeys(called)]


def _starts(recipes: Sequence[Sequence[int]]) -> list[int]:
    return np.cumsum([0, *(len(recipe) for recipe in recipes[:-1])]).tolist()


def _keys(runs: Sequence[RunFolder]) -> dict[str, tuple[Any, ...]]:
    """Return the keys in which the recipes of runs differ, with their values.

    An ensemble was not trained by its recipe: beside one, ``ensemble`` stands for all keys of networks and training.
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
    """Return a name for each recipe: that of its run, or what the names of its runs have in common at the front."""
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
    """Return what a reader must know before believing the comparison."""
    notes, images = [], len(paired.labels)
    if max(paired.sizes) > images:
        sizes = ", ".join(f"{size:,}" for size in dict.fromkeys(paired.sizes))
        notes.append(
            f"The runs have {sizes} {split} images and share {images:,} of them; only these are compared, as "
            "the others may have been trained on elsewhere."
        )
    if len(recipes) > 1 and all(len(recipe.runs) == 1 for recipe in recipes):
        notes.append(
            "Each recipe was trained once, so that this compares networks: another seed may turn out otherwise. "
            "Train them with further seeds (--seed 1, --seed 2) and compare all runs to compare the recipes themselves."
        )
    if len(recipes) > 1 and not keys:
        notes.append("The recipes are the same: what differs is the data, the version of the software or the machine.")
    if len({len(recipe.runs) > 1 for recipe in recipes}) > 1:
        notes.append("Recipes with a single run are taken to vary from seed to seed as much as the other ones do.")
    if paired.groups is not None and units < ENOUGH_GROUPS:
        notes.append(f"The images come from only {units} groups, so that intervals and p-values are indicative.")
    if len(recipes) > 2 and split == "test":
        notes.append(
            "The best of several scores on test is too good by the luck that made it the best. Choose by "
            "--split validation, and read the test score of the one that you chose."
        )
    return notes
