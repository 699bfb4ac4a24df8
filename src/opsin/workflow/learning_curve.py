"""`opsin.learning_curve`: validation score against the number of training images."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from opsin.data.dataset import Dataset
from opsin.data.images import TRAIN, VALIDATION
from opsin.errors import DataError, RecipeError
from opsin.metrics.names import describe_score
from opsin.recipe.recipe import Recipe
from opsin.runs.collection import RunCollection
from opsin.runs.folder import FORMAT, RunFolder
from opsin.runtime.progress import decoding
from opsin.statistics.power_law import extrapolate
from opsin.storage.atomic import write_json
from opsin.tasks.registry import task_spec
from opsin.training.prepare import Prepared, prepare, prepare_other_split
from opsin.version import __version__
from opsin.workflow.console import print_data
from opsin.workflow.request import RunOptions, ask, name_of_several
from opsin.workflow.run import Run
from opsin.workflow.train import train_or_resume

SIZES = (0.1, 0.2, 0.4, 0.7, 1.0)
REPEATS = 3


class LearningCurve(RunCollection):
    """A finished learning curve.

    Its ``info`` holds ``runs``, ``sentence``, ``law``, ``doubled`` and ``band`` among others.

    Args:
        path: Its folder.

    Raises:
        RunError: There is none, it is damaged, not finished, or of another format version.
    """

    file, kind = "learning-curve.json", "finished learning curve"

    @property
    def sentence(self) -> str:
        """What twice as many training images would bring, in words."""
        result: str = self.info["sentence"]
        return result

    @property
    def report(self) -> Path:
        """The page, a self-contained HTML file."""
        return self.path / "learning-curve.html"

    def __repr__(self) -> str:
        return f"LearningCurve({str(self.path)!r})"


def learning_curve(
    data: str | Path | Dataset | Run | None = None,
    *,
    sizes: Sequence[float] = SIZES,
    repeats: int = REPEATS,
    recipe: Recipe | str | Path | None = None,
    out: str | Path | None = None,
    runs: str | Path = "runs",
    data_root: str | Path | None = None,
    anonymous: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> LearningCurve:
    """Train on growing parts of the training images and predict the gain from twice as many.

    All networks are scored on the same validation images; the test split stays locked. Each repeat has its own seed;
    within a repeat, the smaller parts are subsets of the larger ones. The same call resumes an interrupted curve.

    Args:
        data: As for `opsin.train`; or a run, whose data and recipe are taken.
        sizes: At least three: parts of the training images up to 1, or numbers of images above 1.
        repeats: Number of runs for each size.
        recipe: A recipe, or the path of its TOML file; default: every setting by its rule.
        out: Its folder; default: ``runs/NAME-learning-curve-HASH``.
        runs: Folder for new folders.
        data_root: A folder that holds named data sets.
        anonymous: Leave file names and paths out of the reports.
        quiet: Print nothing.
        **settings: Any setting by its short name, as for `opsin.train`.

    Raises:
        RecipeError: A setting is unknown or out of range, or there are too few sizes.
        DataError: The data cannot be read or used.
        TrainingInterrupted: Ctrl-C or a termination signal ended it; the same call resumes it.
    """
    console = Console(quiet=quiet)
    if isinstance(data, Run) or (isinstance(data, str | Path) and (Path(data) / "run.json").is_file()):
        run = (data if isinstance(data, Run) else Run(data)).folder
        data, recipe, data_root = None, _recipe_of(run, recipe), data_root or run.info.get("data_root") or None
    asked, dataset = ask(data, recipe, settings, data_root)
    if repeats < 1:
        raise RecipeError(f"--repeats must be at least 1, not {repeats}.")
    if min(sizes, default=0) <= 0 or len(set(sizes)) < 3:
        raise RecipeError("A learning curve needs at least three different --sizes above 0, as in 0.1,0.3,1.")
    asked = replace(asked, split=replace(asked.split, train_fraction=1.0))
    with decoding(console) as progress:
        prepared = prepare(asked, dataset, progress=progress)
    print_data(console, prepared)
    parts = _parts(sizes, prepared)
    place = Path(out) if out is not None else Path(runs) / name_of_several("learning-curve", asked, dataset)
    if not any(place.glob("part-*/run.json")):
        RunFolder.check_free(place)
    options = RunOptions.create(data_root, anonymous=anonymous, inspect=False, open_test=False)
    made = []
    for repeat in range(repeats):
        for part in parts:
            each = replace(asked, seed=asked.seed + repeat, split=replace(asked.split, train_fraction=part))
            console.print(f"repeat {repeat + 1} of {repeats}, {part:.3g} of the training images", highlight=False)
            folder = place / f"part-{part:g}-seed-{each.seed}"
            ready = functools.partial(prepare_other_split, prepared, each)
            made.append(train_or_resume(each, dataset, folder, options, console, ready).folder)
    return _conclude(place, asked, prepared, made, anonymous, console)


def _recipe_of(run: RunFolder, recipe: Recipe | str | Path | None) -> Recipe:
    if recipe is not None:
        raise RecipeError(f"{run.path} is a run and keeps its own recipe; leave out --recipe.")
    if not run.recipe.data.source:
        raise DataError(
            f"{run.path} was trained on a Dataset object; give that and the recipe: opsin.learning_curve(dataset, "
            "recipe=run.recipe)."
        )
    return run.recipe


def _parts(sizes: Sequence[float], prepared: Prepared) -> list[float]:
    """Return the sizes as parts of the training images, ascending.

    Raises:
        RecipeError: There are not so many training images, or too few sizes are different.
    """
    available = len(prepared.split.indices(TRAIN))
    if max(sizes) > available:
        raise RecipeError(f"--sizes: there are only {available:,} training images, not {max(sizes):,.0f}.")
    parts = sorted({float(f"{size / available:.4g}") if size > 1 else float(size) for size in sizes})
    if len(parts) < 3:
        raise RecipeError("A learning curve needs at least three different --sizes; 1 means all training images.")
    return parts


def _conclude(
    place: Path, asked: Recipe, prepared: Prepared, made: list[RunFolder], anonymous: bool, console: Console
) -> LearningCurve:
    """Fit the curve, and write ``learning-curve.json`` and the page."""
    from opsin.reporting.pages.learning_curve import write_curve_page

    rows, name = [], task_spec(prepared.dataset.task).learning_metric
    for run in made:
        score, images = run.scorecard[VALIDATION][name], run.info["data"]["splits"][TRAIN]
        rows.append({"run": run.name, "images": images, "seed": run.recipe.seed, "score": score})
    validated = len(prepared.split.indices(VALIDATION))
    images = np.array([row["images"] for row in rows])
    if len(np.unique(images)) < 3:
        raise DataError(f"{prepared.dataset.name}: its groups are so large that fewer than three --sizes differ.")
    errors = np.clip([1 - row["score"]["value"] for row in rows], 0.0, 1.0)
    seen = extrapolate(images, errors, validated, describe_score(name).words)
    law = {"floor": seen.law.floor, "scale": seen.law.scale, "exponent": seen.law.exponent}
    doubled = {
        "images": seen.images,
        "score": seen.expected,
        "low": seen.low,
        "high": seen.high,
        "told": seen.conclusive,
    }
    info = {
        "format": FORMAT,
        "opsin": __version__,
        "name": prepared.dataset.name,
        "anonymous": anonymous,
        "recipe": asked.to_dict(),
        "validated": validated,
        "runs": rows,
        "law": law,
        "score": name,
        "reached": seen.reached,
        "doubled": doubled,
        "sentence": seen.sentence,
        "band": np.round(seen.band, 6).tolist(),
    }
    write_json(place / LearningCurve.file, info)
    curve = LearningCurve(place)
    write_curve_page(curve.path, curve.info)
    console.print(seen.sentence, highlight=False, soft_wrap=True)
    console.print(f"report  {curve.report}", highlight=False, soft_wrap=True)
    return curve
