"""`opsin.cross_validate`: a run for each fold, with the out-of-fold predictions pooled into one scorecard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from opsin.data.dataset import Dataset
from opsin.data.images import TEST
from opsin.errors import DataError, RecipeError, RunError
from opsin.evaluation.evaluate_split import judge
from opsin.evaluation.out_of_fold import reading, spread
from opsin.recipe.recipe import Recipe
from opsin.runs.cross_validation import CrossValidationFolder
from opsin.runs.folder import RunFolder, list_runs
from opsin.runs.out_of_fold import score_out_of_fold
from opsin.runtime.progress import decoding
from opsin.tasks.registry import task_spec
from opsin.training.prepare import Prepared, prepare, prepare_other_split
from opsin.workflow.console import print_data
from opsin.workflow.report import report
from opsin.workflow.request import RunOptions, ask, name_of_several
from opsin.workflow.run import Run
from opsin.workflow.train import train_or_resume

FOLDS = 5


class CrossValidation:
    """A finished cross-validation.

    Args:
        path: Its folder.

    Raises:
        RunError: There is none, or it is not finished.
    """

    def __init__(self, path: str | Path):
        self.folder = CrossValidationFolder(path)
        if self.folder.info.get("state") != "finished":
            raise RunError(f"{path} is not finished; the command that started it resumes it.")

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.folder.path

    @property
    def scorecard(self) -> dict[str, dict[str, Any]]:
        """Score -> ``{"value", "low", "high", "method", "n"}`` of the pooled predictions."""
        result: dict[str, dict[str, Any]] = self.folder.info["scores"]
        return result

    @property
    def spread(self) -> dict[str, dict[str, float]]:
        """Score -> ``{"mean", "deviation", "lowest", "highest"}`` over the folds."""
        result: dict[str, dict[str, float]] = self.folder.info["spread"]
        return result

    @property
    def runs(self) -> list[Run]:
        """The run of each fold."""
        return [Run(run.path) for run in self.folder.runs()]

    @property
    def report(self) -> Path:
        """The page, a self-contained HTML file."""
        return self.path / "cross-validation.html"

    def __repr__(self) -> str:
        return f"CrossValidation({str(self.path)!r})"


def cross_validate(
    data: str | Path | Dataset | Run | None = None,
    *,
    repeats: int = 1,
    each_group: bool = False,
    recipe: Recipe | str | Path | None = None,
    out: str | Path | None = None,
    runs: str | Path | None = None,
    data_root: str | Path | None = None,
    anonymous: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> CrossValidation:
    """Train a network for each fold, test each on its held-out fold, and score the pooled predictions.

    All images take part, whatever split they come with. Groups stay whole; validation images are held out of the
    other folds. The same call resumes an interrupted cross-validation. The reports of neighboring runs whose split
    leaks then say how much their scores owe to the leak.

    Args:
        data: As for `opsin.train`; or a run, whose data and recipe are taken.
        repeats: Number of repetitions, each with new folds.
        each_group: Leave out one group at a time: as many folds as groups.
        recipe: A recipe, or the path of its TOML file; default: every setting by its rule.
        out: Its folder; default: ``runs/NAME-cross-validation-HASH``.
        runs: Folder for new folders; default: ``runs``, or the parent of the run whose recipe is used.
        data_root: A folder that holds named data sets.
        anonymous: Leave file names and paths out of the reports.
        quiet: Print nothing.
        **settings: Any setting by its short name, as for `opsin.train`; ``folds=10`` instead of 5.

    Raises:
        RecipeError: A setting is unknown, out of range, or contradicts cross-validation.
        DataError: The data cannot be read, used, or split into such folds.
        TrainingInterrupted: Ctrl-C or a termination signal ended it; the same call resumes it.
    """
    console = Console(quiet=quiet)
    if isinstance(data, Run) or (isinstance(data, str | Path) and (Path(data) / "run.json").is_file()):
        run = (data if isinstance(data, Run) else Run(data)).folder
        runs = runs if runs is not None else run.path.parent
        data, recipe, data_root = None, _recipe_of(run, recipe), data_root or run.info.get("data_root") or None
    asked, dataset = ask(data, recipe, settings, data_root)
    if asked.split.fold:
        raise RecipeError(
            "Cross-validation trains on every fold; leave out --fold, or use `opsin train --folds --fold`."
        )
    if repeats < 1:
        raise RecipeError(f"--repeats must be at least 1, not {repeats}.")
    asked = _with_folds(asked, asked.split.folds or FOLDS)
    prepared = None
    if each_group:
        prepared = _prepare(_with_folds(asked, 2), dataset, console)
        asked = _with_folds(asked, _number_of_groups(prepared))
    place = Path(out) if out is not None else Path(runs or "runs") / name_of_several("cross-validation", asked, dataset)
    facts = {"recipe": asked.to_dict(), "name": dataset.name, "folds": asked.split.folds, "repeats": repeats}
    folder = CrossValidationFolder.create(place, state="training", **facts, anonymous=anonymous)
    options = RunOptions.create(data_root, anonymous=anonymous, inspect=False)
    for repeat in range(repeats):
        for fold in range(asked.split.folds):
            console.print(_position(repeat, repeats, fold, asked.split.folds), highlight=False)
            split = replace(asked.split, fold=fold, seed=asked.split.seed + repeat)
            prepared = _run_fold(
                replace(asked, split=split), dataset, prepared, folder.place(repeat, fold), options, console
            )
    return _conclude(folder, console)


def _recipe_of(run: RunFolder, recipe: Recipe | str | Path | None) -> Recipe:
    """Return the recipe of a run without what it says of a ready-made split."""
    if recipe is not None:
        raise RecipeError(f"{run.path} is a run and is cross-validated with its own recipe; leave out --recipe.")
    if not run.recipe.data.source:
        raise DataError(
            f"{run.path} was trained on a Dataset object; give that and the recipe: opsin.cross_validate(dataset, "
            "recipe=run.recipe)."
        )
    split = replace(run.recipe.split, folds=0, fold=0, test_groups=(), file="")
    return replace(run.recipe, split=split)


def _with_folds(recipe: Recipe, folds: int) -> Recipe:
    return replace(recipe, split=replace(recipe.split, folds=folds))


def _prepare(recipe: Recipe, dataset: Dataset, console: Console) -> Prepared:
    with decoding(console) as progress:
        prepared = prepare(recipe, dataset, progress=progress)
    print_data(console, prepared)
    return prepared


def _number_of_groups(prepared: Prepared) -> int:
    if prepared.dataset.groups is None:
        raise DataError(
            f"{prepared.dataset.name} has no groups to leave out one at a time; name them with --group (a "
            "column) or --group-by (a part of the names)."
        )
    return len(np.unique(prepared.split.groups))


def _position(repeat: int, repeats: int, fold: int, folds: int) -> str:
    again = f"repeat {repeat + 1} of {repeats}, " if repeats > 1 else ""
    return f"{again}fold {fold + 1} of {folds}"


def _run_fold(
    asked: Recipe, dataset: Dataset, prepared: Prepared | None, place: Path, options: RunOptions, console: Console
) -> Prepared | None:
    """Train, resume or skip the run of one fold; return decoded images for the next one."""

    def ready() -> Prepared:
        nonlocal prepared
        prepared = _prepare(asked, dataset, console) if prepared is None else prepare_other_split(prepared, asked)
        return prepared

    train_or_resume(asked, dataset, place, options, console, ready)
    return prepared


def _conclude(folder: CrossValidationFolder, console: Console) -> CrossValidation:
    """Pool the predictions of all folds, score them, and write the page."""
    from opsin.reporting.pages.cross_validation import write_cross_validation_page

    runs = folder.runs()
    classes = runs[0].classes
    pooled = folder.out_of_fold()
    folder.write_predictions(pooled, classes)
    scores = score_out_of_fold(pooled, classes)
    folds = int(folder.info["folds"])
    rows = [{"repeat": number // folds, **_fold_row(run)} for number, run in enumerate(runs)]
    task = task_spec(runs[0].task)
    over_folds = spread(task.metrics, [row["scores"] for row in rows])
    groups = int(runs[0].info["data"]["groups"])
    sentence = reading(task.main_metric, scores, over_folds, groups, len(runs))
    folder.update(
        task=runs[0].task,
        classes=list(classes),
        images=len(pooled.split) // pooled.repeats,
        groups=groups,
        runs=rows,
        scores=scores,
        spread=over_folds,
        reading=sentence,
        state="finished",
    )
    report = write_cross_validation_page(folder)
    console.print(sentence, highlight=False, soft_wrap=True)
    console.print(f"report  {report}", highlight=False, soft_wrap=True)
    _judge_leaky_runs(folder.path.resolve().parent, console)
    return CrossValidation(folder.path)


def _judge_leaky_runs(place: Path, console: Console) -> None:
    """Let the runs in a folder whose splits leak look for this cross-validation, and bring their reports up to date."""
    for run in list_runs(place):
        if not (run.path / "leak.json").exists():
            continue
        before = run.read("leak.json")
        judge(run)
        if run.read("leak.json") != before:
            report(run, anonymous=bool(run.info.get("anonymous")))
            console.print(f"{run.name}: {run.read('leak.json')['reading']}", highlight=False, markup=False)


def _fold_row(run: RunFolder) -> dict[str, Any]:
    """Return what is said of one fold: its run, images, groups and test scores."""
    card = run.scorecard[TEST]
    tested = [row for row in run.split_rows() if row["split"] == TEST]
    return {
        "run": run.name,
        "fold": run.recipe.split.fold,
        "images": len(tested),
        "groups": len({row["group"] for row in tested}) if run.info["data"]["groups"] else 0,
        "main": card[task_spec(run.task).main_metric],
        "scores": {name: card[name]["value"] for name in task_spec(run.task).metrics if name in card},
    }
