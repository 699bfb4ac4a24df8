"""`opsin.train`: train a network, score it on the locked test split, and write the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from opsin.data.dataset import Dataset
from opsin.data.images import TEST, VALIDATION
from opsin.errors import RunError, TrainingError, TrainingInterrupted
from opsin.evaluation.evaluate_split import judge
from opsin.inspection import inspect as inspect_subject
from opsin.networks.summary import summarize
from opsin.recipe.recipe import Recipe
from opsin.runs.folder import RunFolder
from opsin.runtime.machine import describe_machine, is_another_alive, this_process
from opsin.runtime.progress import decoding, working
from opsin.storage.safetensors import load_weights
from opsin.training.callbacks import Checkpoints, Curves, ProgressBar, Signals
from opsin.training.fit import Callback
from opsin.training.prepare import Prepared, prepare, read_source
from opsin.training.session import Evaluator, Session
from opsin.workflow.calibrate import learn_from_validation
from opsin.workflow.check import audit_prepared
from opsin.workflow.console import print_audit, print_data, print_network, print_position, print_result
from opsin.workflow.evaluate import assess_split, prepare_again, subject_of
from opsin.workflow.report import report
from opsin.workflow.request import RunOptions, ask, find_same_run, free_place, identify, is_run_of
from opsin.workflow.run import Run

__all__ = ["resolve_recipe", "resume_run", "train"]


def train(
    data: str | Path | Dataset | None = None,
    *,
    recipe: Recipe | str | Path | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    runs: str | Path = "runs",
    data_root: str | Path | None = None,
    anonymous: bool = False,
    inspect: bool = True,
    open_test: bool = True,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
    **settings: Any,
) -> Run:
    """Train a network on labelled images, evaluate it on the locked test split, and write the report.

    Args:
        data: A folder, a CSV, npz or IDX file, the name of a known data set, or a `Dataset`. Default: the
            recipe's.
        recipe: A recipe, or the path of its TOML file; default: every setting by its rule.
        out: The run folder; default: ``runs/NAME-HASH``.
        resume: Resume the latest unfinished run of the same recipe below ``runs``, or return it if it is finished.
        runs: Folder for new run folders.
        data_root: A folder that holds named data sets (``mnist/``, ``cifar100/``).
        anonymous: Leave file names and paths out of the report.
        inspect: Inspect the trained network, which takes a while; `opsin.inspect` can do it later.
        open_test: Score the test split at the end. Else it stays locked, until `opsin.evaluate` opens it.
        quiet: Print nothing.
        callbacks: Further callbacks of the loop.
        **settings: Any setting by its short name, ``epochs=5, network="mlp", image_size=64``; they override the recipe.

    Returns:
        The finished run.

    Raises:
        RecipeError: A setting is unknown or out of range.
        DataError: The data cannot be read or used.
        TrainingInterrupted: Ctrl-C or a termination signal ended training; the run can be resumed.
        TrainingError: The loss is not a number; the last good weights are kept.
    """
    console = Console(quiet=quiet)
    asked, dataset = ask(data, recipe, settings, data_root)
    identity = identify(asked, dataset)
    if resume and (found := find_same_run(Path(out) if out is not None else None, Path(runs), identity)) is not None:
        return resume_run(found, dataset=dataset, quiet=quiet, callbacks=callbacks)
    if out is not None:
        RunFolder.check_free(Path(out))
    with decoding(console) as progress:
        prepared = prepare(asked, dataset, progress=progress)
    print_data(console, prepared)
    options = RunOptions.create(data_root, anonymous=anonymous, inspect=inspect, open_test=open_test)
    place = Path(out) if out is not None else Path(runs)
    return train_prepared(prepared, place, identity, options, console, callbacks, below=out is None)


def train_prepared(
    prepared: Prepared,
    place: Path,
    identity: str,
    options: RunOptions,
    console: Console,
    callbacks: Sequence[Callback] = (),
    below: bool = False,
) -> Run:
    """Train, evaluate and report on prepared data.

    Args:
        prepared: The data and the resolved recipe.
        place: The run folder.
        identity: Identity of recipe and data; see `identify`.
        options: Options beside the recipe.
        console: Progress goes here.
        callbacks: Further callbacks of the loop.
        below: Make a new run folder below ``place`` instead.
    """
    session = _create_session(prepared, console)
    print_network(console, session)
    place = free_place(place, prepared.dataset.name, session.recipe) if below else place
    folder = RunFolder.create(
        place, session.recipe, asked=identity, **options.to_dict(), process=this_process(), **_describe(session)
    )
    found = audit_prepared(prepared)
    folder.write("audit.json", found)
    print_audit(console, found)
    return _train(folder, session, console, callbacks)


def resume_run(
    path: str | Path,
    *,
    dataset: Dataset | None = None,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Resume an interrupted run; on the same machine it ends in the same weights, bit for bit.

    Args:
        path: The run folder.
        dataset: The data, if they were given as a `Dataset`.
        quiet: Print nothing.
        callbacks: Further callbacks of the loop.

    Raises:
        RunError: There is no run, its checkpoint is damaged, or the data have changed since.
    """
    console = Console(quiet=quiet)
    folder = RunFolder(path)
    if folder.info["state"] == "finished":
        console.print(f"{folder.path} is already finished.", highlight=False)
        return Run(path)
    if folder.info["state"] == "training" and is_another_alive(folder.info.get("process")):
        process = folder.info["process"]["pid"]
        raise RunError(f"{path} is being trained by process {process}; wait for it or stop it.")
    prepared = prepare_again(folder, dataset, console)
    checkpoint = folder.path / "checkpoint.safetensors"
    session = _create_session(prepared, console, begin=not checkpoint.exists())
    if checkpoint.exists():
        session.load(checkpoint)
    elif session.beginning.fingerprint != folder.info["network"].get("weights_fingerprint", ""):
        weights = session.recipe.network.weights
        raise RunError(f"The weights in {weights} have changed since {path} started from them; start a new run.")
    print_position(console, folder, session)
    folder.update(process=this_process())
    return _train(folder, session, console, callbacks)


def train_or_resume(
    asked: Recipe,
    dataset: Dataset,
    place: Path,
    options: RunOptions,
    console: Console,
    ready: Callable[[], Prepared],
) -> Run:
    """Train one run of several, resume it, or skip it if it is finished.

    Args:
        asked: The recipe as requested.
        dataset: Its data.
        place: The run folder.
        options: Options that all the runs share.
        console: Progress goes here.
        ready: Prepares the data; called only to start a run or to compare its data.

    Raises:
        RunError: The data have changed since the run started, or the folder holds another run.
        TrainingInterrupted: Ctrl-C or a termination signal ended it; the same call resumes it.
    """
    identity = identify(asked, dataset)
    try:
        if (place / "run.json").exists() and is_run_of(RunFolder(place), identity, ready):
            return resume_run(place, dataset=dataset, quiet=console.quiet)
        RunFolder.clear_unmade(place)
        RunFolder.check_free(place)
        return train_prepared(ready(), place, identity, options, console)
    except TrainingInterrupted:
        raise TrainingInterrupted(f"Stopped in {place}; nothing is lost. The same command resumes it.") from None


def resolve_recipe(recipe: Recipe, data_root: str | Path | None = None, quiet: bool = True) -> Recipe:
    """Read the data of a recipe and return it with every open key filled in, as a run would have it."""
    with decoding(Console(quiet=quiet)) as progress:
        prepared = prepare(recipe, read_source(recipe, data_root), progress=progress)
    return prepared.recipe if prepared.recipe.training.epochs else Session(prepared).recipe


def _create_session(prepared: Prepared, console: Console, begin: bool = True) -> Session:
    with _memory_explained(prepared.recipe), working(console, "computing what enters the head") as progress:
        return Session(prepared, begin, progress)


@contextmanager
def _memory_explained(recipe: Recipe) -> Iterator[None]:
    """Report a GPU that is out of memory as an error of the user's."""
    try:
        yield
    except torch.OutOfMemoryError:
        size = recipe.training.batch_size or 2
        raise TrainingError(
            f"The GPU is out of memory with batches of {size}; try --batch-size {max(1, size // 2)} "
            "--accumulate 2, or a smaller --image-size."
        ) from None


def _train(folder: RunFolder, session: Session, console: Console, callbacks: Sequence[Callback]) -> Run:
    """Train from where the session is, evaluate, and write the report."""
    write_tables(folder, session)
    folder.update(state="training")
    started = time.perf_counter()
    epochs_before = sum(row["seconds"] for row in folder.timings)  # all there is of a run that was killed
    before = max(float(folder.info.get("seconds", 0)), epochs_before) + session.feature_seconds
    checkpoints = Checkpoints(folder, lambda state: session.save(folder.path / "checkpoint.safetensors"))
    epochs = int(session.recipe.training.epochs or 0)
    task = session.task
    bar = ProgressBar(console, epochs, len(session.batches), task.main_score, lower_is_better=task.lower_is_better)
    try:
        with _memory_explained(session.recipe):
            state = session.fit([Signals(), bar, Curves(folder), *callbacks, checkpoints])
            if not state.stop:
                checkpoints.save_now(state)
    except Exception:
        folder.update(state="failed", seconds=round(before + time.perf_counter() - started, 1))
        raise
    seconds = round(before + time.perf_counter() - started, 1)
    images = session.batches.images_per_epoch * len(folder.timings)
    training = images / max(sum(row["seconds"] for row in folder.timings), 1e-9)
    folder.update(seconds=seconds, best=state.best, throughput=session.throughput | {"training": training})
    if state.stop:
        folder.update(state="interrupted")
        where = f"in epoch {state.epoch + 1} of {epochs}" if state.epoch < epochs else "after the last epoch"
        raise TrainingInterrupted(f"Stopped {where}; nothing is lost. Resume with: opsin train --resume {folder.path}")
    return finish(folder, session, console)


def finish(folder: RunFolder, session: Evaluator, console: Console, why: str = "end of training") -> Run:
    """Calibrate the best weights on validation, score them there and, once, on test, if at all; inspect; report.

    Args:
        folder: The run, which holds its best weights.
        session: Its network, task and data.
        console: Progress goes here.
        why: The reason for opening the test split, for the log.
    """
    load_weights(folder.path / "best.safetensors", session.network)
    learn_from_validation(folder, session)

    def predict_pixels(pixels: torch.Tensor, rows: torch.Tensor) -> Any:
        return session.predict(session.network, rows)

    for split in (VALIDATION, TEST) if folder.info.get("open_test", True) else (VALIDATION,):
        assess_split(folder, session.prepared, split, why, predict_pixels)
    folder.update(state="finished")
    run = Run(folder.path)
    try:
        if folder.info.get("inspect"):
            inspect_subject(folder, subject_of(run, session.prepared), console=console)
    finally:  # whoever stops the inspections has a report all the same
        judge(folder)
        page = report(run, anonymous=bool(folder.info.get("anonymous")))
    print_result(console, run.folder)
    console.print(f"report  {page}", highlight=False, soft_wrap=True)
    return run


def _describe(session: Session) -> dict[str, Any]:
    """Return machine, data, network and throughput for ``run.json``."""
    prepared, recipe = session.prepared, session.recipe
    shape = (prepared.preprocessing.channels, prepared.preprocessing.height, prepared.preprocessing.width)
    beginning = session.beginning
    return {
        "machine": describe_machine(session.fabric.device),
        "data": prepared.describe(),
        "network": {
            "name": recipe.network.name,
            "weights": beginning.weights,
            "weights_fingerprint": beginning.fingerprint,
            **summarize(session.network, shape),
        },
        "throughput": session.throughput,
        "feature_extraction": session.feature_extraction,
    }


def write_tables(folder: RunFolder, session: Evaluator) -> None:
    """Write ``preprocessing.json`` and ``split.csv``; a run may have stopped before they were written."""
    prepared = session.prepared
    known = session.task.fitted_state()
    outputs = {"classes": list(prepared.dataset.classes)} | ({"targets": known} if known else {})
    folder.write("preprocessing.json", outputs | prepared.preprocessing.to_dict())
    folder.write_split(prepared.rows())
