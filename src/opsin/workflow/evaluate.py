"""Looking at a run again: scoring it on its own splits or on other data, and inspecting it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from opsin.data.dataset import Dataset
from opsin.data.images import SPLITS, TEST, TRAIN, VALIDATION
from opsin.data.pixels import load_pixels, memory_budget
from opsin.data.preprocessing import Preprocessing
from opsin.data.read import detect, read_dataset
from opsin.data.splitting.from_recipe import groups_from_names
from opsin.errors import DataError, RunError, unreadable_message
from opsin.evaluation.evaluate_split import assess, judge
from opsin.inspection import Subject
from opsin.runs.folder import RunFolder
from opsin.runtime.progress import decoding
from opsin.training.prepare import Prepared, prepare, read_source
from opsin.workflow.console import warn_of_seen_images, warn_of_unlike_images
from opsin.workflow.report import report
from opsin.workflow.run import Run


def evaluate(
    run: Run | str | Path,
    data: str | Path | Dataset | None = None,
    *,
    split: str | None = None,
    data_root: str | Path | None = None,
    quiet: bool = False,
) -> dict[str, dict[str, Any]]:
    """Score a run on one of its splits, or on other data with the same classes, and bring its report up to date.

    Args:
        run: A run or its folder.
        data: Other data, all of which are scored; left out, the run's own. Images among them that the run was
            trained on are counted and reported.
        split: Which of the run's own splits, "train", "validation" or "test" (left out: test). Each look at test is
            logged in the run. Together with ``data`` it says that these are the run's own data, a `Dataset`, again.
        data_root: A folder that holds named data sets.
        quiet: Print nothing.

    Returns:
        Score -> ``{"value", "low", "high", "method", "n"}``.

    Raises:
        DataError: The data cannot be read, or hold a class that the run does not know.
        RunError: The run has no weights yet, or its data have changed since.
    """
    run = run if isinstance(run, Run) else Run(run)
    console = Console(quiet=quiet)
    if split is not None and isinstance(data, str | Path):
        raise DataError("Give either other data or a split of the run's own data, not both.")
    if data is None or split is not None:
        split = split or TEST
        if split not in SPLITS:
            raise DataError(f"There is no split '{split}'; there are {', '.join(SPLITS)}.")
        prepared = prepare_again(run.folder, data if isinstance(data, Dataset) else None, console)
        scores = assess_split(run.folder, prepared, split, "opsin evaluate", run.predictor.predict_pixels)
    else:
        scores = _assess_other(run, data, data_root, console)
    judge(run.folder)
    report(run, anonymous=bool(run.folder.info.get("anonymous")))
    return scores


def subject_of(run: Run, prepared: Prepared) -> Subject:
    """Return a run's network and data as inspections take them."""
    return Subject(
        run.predictor,
        prepared.pixels.images,
        prepared.scored_targets,
        {split: prepared.split.indices(split) for split in SPLITS},
        run.folder.classes,
        prepared.dataset.symmetry,
        prepared.dataset.groups,
    )


def assess_split(
    folder: RunFolder,
    prepared: Prepared,
    split: str,
    why: str,
    predict_pixels: Callable[[torch.Tensor, torch.Tensor], Any],
) -> dict[str, dict[str, Any]]:
    """Score a run on one of its own splits and write the files for the report; see `assess`."""
    rows = prepared.split.indices(split)
    dataset, pixels = prepared.dataset, prepared.pixels.images
    return assess(
        folder,
        split,
        why,
        lambda: predict_pixels(pixels, torch.from_numpy(rows)),
        [dataset.images.name(int(row)) for row in rows],
        prepared.split_targets(split),
        None if dataset.groups is None else dataset.groups[rows],
        lambda row: pixels[int(rows[row])].numpy(),
    )


def _assess_other(
    run: Run, data: str | Path | Dataset, data_root: str | Path | None, console: Console
) -> dict[str, dict[str, Any]]:
    """Score all samples of other data whose classes the run knows by name."""
    recipe = run.recipe.data
    dataset = data
    if not isinstance(dataset, Dataset):
        # Columns are the run's where the other data have any; class folders and the like have none.
        columns: dict[str, Any] = {"label": recipe.label, "group": recipe.group} if _has_columns(dataset) else {}
        read = functools.partial(
            read_dataset, dataset, data_root=data_root, check=False, task=run.folder.task, masks=recipe.masks
        )
        try:
            dataset = read(**columns)
        except DataError:  # other data may have no such groups; anything else is wrong without them too
            columns.pop("group", None)
            dataset = read(**columns)
    if dataset.task != run.folder.task:
        raise DataError(
            f"{dataset.name} is for {dataset.task}, but {run.path} was trained for {run.folder.task}; score it on "
            "data for the same task."
        )
    if run.recipe.split.group_by:
        with contextlib.suppress(DataError):  # other data may have names without groups
            names = [dataset.images.name(index) for index in range(len(dataset))]
            dataset = replace(dataset, groups=groups_from_names(names, run.recipe.split.group_by))
    targets = dataset.targets.translate(dataset.name, dataset.classes, run.folder.classes, str(run.path))
    budget = memory_budget(recipe.memory_gb)
    with decoding(console) as progress:
        pixels = load_pixels(dataset.images, run.predictor.preprocessing, budget=budget, progress=progress)
    if pixels.unreadable:
        reasons = {dataset.images.name(index): reason for index, reason in pixels.unreadable.items()}
        raise DataError(unreadable_message(dataset.name, reasons, skippable=False))
    targets = targets.at_input_size(targets.encode(run.predictor.preprocessing))
    seen = int(np.isin(pixels.digests(), run.folder.digests(TRAIN, VALIDATION)).sum())
    if seen:
        warn_of_seen_images(console, seen, len(dataset))
    rows = torch.arange(len(dataset))

    def predict() -> Any:
        predictions, unlike = run.predictor.predict_unlike(pixels.images, rows)
        if unlike is not None:
            warn_of_unlike_images(console, int((unlike > 1).sum()), len(dataset))
        return predictions

    name = dataset.name if dataset.name not in SPLITS else f"other {dataset.name}"
    return assess(
        run.folder,
        name,
        f"opsin evaluate on other data, {seen:,} of {len(dataset):,} images seen in training",
        predict,
        [dataset.images.name(row) for row in range(len(dataset))],
        targets,
        dataset.groups,
        lambda row: pixels.images[row].numpy(),
    )


def _has_columns(data: str | Path) -> bool:
    """Whether data are a table or an npz file, whose columns or arrays have names."""
    return Path(data).exists() and detect(Path(data)).format in ("CSV", "npz")


def prepare_again(folder: RunFolder, dataset: Dataset | None, console: Console) -> Prepared:
    """Read the data of a run again and check that they are unchanged."""
    dataset = dataset or read_source(folder.recipe, folder.info.get("data_root") or None)
    written = (folder.path / "preprocessing.json").exists()
    known = Preprocessing.from_dict(folder.read("preprocessing.json")) if written else None
    with decoding(console) as progress:
        prepared = prepare(folder.recipe, dataset, known=known, progress=progress)
    if prepared.fingerprint != folder.info["data"]["fingerprint"]:
        raise RunError(data_changed(folder))
    return prepared


def data_changed(folder: RunFolder) -> str:
    """Return the message for a run whose data have changed."""
    return (
        f"The data of {folder.path} have changed since the run started (images, labels, names, split or decisions). It "
        "cannot be resumed or compared; start a new run with --out."
    )
