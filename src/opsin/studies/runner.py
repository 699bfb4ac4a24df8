"""Run a study: train every variant with every seed in worker processes, and write the report."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from opsin.data.catalog import CATALOG
from opsin.data.dataset import Dataset
from opsin.errors import DataError, OpsinError, RecipeError, RunError, TrainingInterrupted
from opsin.reporting.formats import number_of
from opsin.runs.folder import RunFolder
from opsin.runs.study import StudyFolder
from opsin.studies.jobs import Job, WorkerOptions
from opsin.studies.progress import StudyTable
from opsin.studies.study import Study
from opsin.studies.workers import Workers, available_cores
from opsin.workflow.request import ask, identify

POLL = 0.5  # seconds between two updates of the progress
MEMORY = 1 / 3  # fraction of the free memory for the images of all runs


def run_study(
    study: Study | str | Path,
    *,
    data: str | Path | None = None,
    seeds: int | Sequence[int] | None = None,
    jobs: int | None = None,
    only: Sequence[str] = (),
    budget: float | None = None,
    settings: Sequence[str] = (),
    out: str | Path | None = None,
    data_root: str | Path | None = None,
    anonymous: bool = False,
    inspect: bool = False,
    quiet: bool = False,
) -> StudyFolder:
    """Train every variant of a study with every seed, compare them, and write the report.

    The test split is evaluated once per finished run; the best variant is chosen on validation. A second call skips
    finished runs (identified by the hash of their recipe), resumes interrupted ones and retries failed ones.

    Args:
        study: A TOML file, the name of a bundled study, or a `Study`.
        data: Images of all variants; default: those of the study.
        seeds: Number of seeds, or a list of them; default: those of the study.
        jobs: Number of runs trained in parallel; default: one per GPU, else one per core.
        only: Names of the variants to train; default: all.
        budget: Time budget in minutes; after it all runs stop, and the finished ones are reported.
        settings: ``key=value`` for all variants, such as ``training.epochs=3``.
        out: Folder of the study; default: ``runs/NAME-study``.
        data_root: Folder of named datasets.
        anonymous: Omit file names and paths from the reports.
        inspect: Inspect each network after training, as in `opsin.train`.
        quiet: Print nothing.

    Returns:
        The study's folder.

    Raises:
        RecipeError: The study is invalid.
        DataError: No variant's images can be read.
        OpsinError: No run could be finished.
        TrainingInterrupted: Ctrl-C or a termination signal; the same call resumes the study.
    """
    console = Console(quiet=quiet)
    study = resolve_study(study, data, seeds, only, settings)
    check_data(study, data_root)
    number, devices = choose_workers(study, jobs, len(study.variants) * len(study.seeds) * max(1, study.folds))
    place = Path(out) if out is not None else Path("runs") / f"{study.name}-study"
    folder = StudyFolder.create(place, state="training", anonymous=anonymous, **describe(study))
    waiting = _jobs(study, folder)
    _mark_finished(waiting, data_root)
    options = worker_options(number, data_root, anonymous, inspect)
    deadline = time.monotonic() + 60 * budget if budget is not None else None
    with stopping() as stopped, Workers(number, place / "logs", devices) as workers:
        console.print(_headline(study, waiting, number, workers.threads), highlight=False)
        with StudyTable(console, study, waiting) as table:
            _run(waiting, workers, options, folder, table, stopped, deadline)
        if any(job.state == "training" for job in waiting):
            console.print("stopping; the runs in training save their state first", highlight=False)
    for job in waiting:
        if job.state == "training":
            job.state = "interrupted"
    folder.update(runs=[job.row for job in waiting])
    return _conclude(study, folder, waiting, console, stopped.is_set())


def describe(study: Study) -> dict[str, Any]:
    """Return the definition of the study for ``study.json``."""
    variants = {
        name: {
            "parent": each.parent,
            "asks": each.asks,
            "published": each.published,
            "changes": each.changes,
            "recipe": each.recipe.to_dict(),
            "starts_from": each.starts_from,
            "ensemble": list(each.ensemble),
            "soup": each.soup,
        }
        for name, each in study.variants.items()
    }
    return {
        "name": study.name,
        "question": study.question,
        "seeds": list(study.seeds),
        "folds": study.folds,
        "score": study.score,
        "base": study.base,
        "variants": variants,
    }


def choose_workers(study: Study, jobs: int | None, runs: int) -> tuple[int, int]:
    """Return the number of runs trained in parallel, and the number of GPUs they use (0: none)."""
    devices = _count_devices(study)
    return jobs or max(1, min(devices or available_cores(), runs)), devices


def worker_options(
    number: int, data_root: str | Path | None, anonymous: bool = False, inspect: bool = False, open_test: bool = True
) -> WorkerOptions:
    """Return the common options of all jobs; the free memory is divided evenly among the workers."""
    root = str(Path(data_root).resolve()) if data_root is not None else ""
    memory = psutil.virtual_memory().available * MEMORY / number / 2**30
    return {
        "data_root": root,
        "anonymous": anonymous,
        "inspect": inspect,
        "open_test": open_test,
        "memory_gb": round(memory, 2),
    }


def resolve_study(
    source: Study | str | Path,
    data: str | Path | None,
    seeds: int | Sequence[int] | None,
    only: Sequence[str],
    settings: Sequence[str],
) -> Study:
    """Return the study with the data, seeds, variants and settings of a call."""
    study = source if isinstance(source, Study) else Study.read(source)
    study = study.set([*([] if data is None else [f"data.source={_absolute(data)}"]), *settings])
    if seeds is not None:
        wanted = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
        if not wanted:
            raise RecipeError("--seeds must be at least 1.")
        study = replace(study, seeds=wanted)
    return study.select(only) if only else study


def check_data(study: Study, data_root: str | Path | None) -> None:
    """Check that the images of at least one variant can be read, before any run starts.

    Raises:
        DataError: None can; the message is that of the first variant.
    """
    from opsin.training.prepare import read_source

    recipes = {repr((each.recipe.task, each.recipe.data)): each.recipe for each in study.variants.values()}
    errors = []
    for recipe in recipes.values():
        try:
            read_source(recipe, data_root)
            return
        except DataError as error:
            errors.append(error)
    source = next(iter(recipes.values())).data.source
    known = not source or source in CATALOG or os.path.lexists(source)
    raise DataError(
        str(errors[0]) + ("" if known else f" Give the path of your images: --data PATH, instead of {source}.")
    )


def _absolute(data: str | Path) -> str:
    """Return an existing path as an absolute one; the name of a dataset is returned as it is."""
    return str(Path(data).resolve()) if Path(data).exists() else str(data)


def _jobs(study: Study, folder: StudyFolder) -> list[Job]:
    """Return all runs, by seed and fold, each after the runs it needs."""
    made: list[Job] = []
    for seed, fold in itertools.product(study.seeds, range(study.folds) if study.folds else [None]):
        places = {name: folder.place(name, seed, study.hash(name, seed), fold) for name in study.variants}
        left = list(study.variants)
        while left:
            name = next(name for name in left if not set(study.variants[name].needs) & set(left))
            left.remove(name)
            variant = study.variants[name]
            recipe = replace(variant.recipe, seed=seed)
            if fold is not None:
                recipe = recipe.merge({"split": {"fold": fold}})
            if variant.starts_from is not None:
                weights = str(places[variant.starts_from].resolve())
                recipe = recipe.merge({"network": {"weights": weights, "pretrained": False}})
                if recipe.data.label != study.variants[variant.starts_from].recipe.data.label:
                    # The split is stratified by label: reuse the other run's, so that test images stay unseen.
                    recipe = recipe.merge({"split": {"file": weights}})
            needs = tuple(places[other] for other in variant.needs)
            made.append(Job(name, seed, places[name], recipe, fold, needs, bool(variant.ensemble), variant.soup))
    return made


def _mark_finished(jobs: Sequence[Job], data_root: str | Path | None) -> None:
    """Mark the jobs whose runs are finished; if file dates have changed, a worker compares the contents."""
    read: dict[str, Dataset] = {}
    for job in jobs:
        if not (job.place / "run.json").exists() or RunFolder(job.place).info["state"] != "finished":
            continue
        if job.members:
            members = {each.state for each in jobs if each.place in job.needs}
            job.state = "finished" if members == {"finished"} else job.state
            continue
        images = repr((job.recipe.task, job.recipe.data))
        with suppress(OpsinError):  # the worker reports errors of the data
            asked, read[images] = ask(read.get(images), job.recipe, {}, data_root)
            if RunFolder(job.place).info.get("asked") == identify(asked, read[images]):
                job.state = "finished"


def _run(
    jobs: list[Job],
    workers: Workers,
    options: WorkerOptions,
    folder: StudyFolder,
    table: StudyTable,
    stopped: threading.Event,
    deadline: float | None,
) -> None:
    """Distribute the jobs to the workers until all are done, the deadline has passed or the study is stopped."""
    while not stopped.is_set() and (deadline is None or time.monotonic() < deadline):
        finished = {job.place for job in jobs if job.state == "finished"}
        lost = {job.place: job for job in jobs if job.state in ("failed", "skipped")}
        for job in jobs:
            gone = [lost[run].variant for run in job.needs if run in lost]
            if job.state == "waiting" and gone:
                job.state, job.why = "skipped", f"It needs the run of {gone[0]}, which failed."
                table.report(job)
            elif job.state == "waiting" and workers.idle and finished.issuperset(job.needs):
                workers.start(jobs.index(job), {**job.message, **options})
                job.state = "training"
        if not workers.running:
            return
        for number, result in workers.wait(POLL):
            jobs[number].state, jobs[number].why = result["state"], result["why"]
            folder.update(runs=[job.row for job in jobs])
            table.report(jobs[number])
        table.draw()


def _conclude(study: Study, folder: StudyFolder, jobs: list[Job], console: Console, stopped: bool) -> StudyFolder:
    """Compare the finished runs, write the report, and print the outcome."""
    from opsin.reporting.pages.study import write_study_page
    from opsin.studies.results import conclude_study

    finished = [job for job in jobs if job.state == "finished"]
    if finished:
        conclude_study(study, folder)
        write_study_page(folder)
    open_ones = [job for job in jobs if job.state in ("waiting", "training", "interrupted")]
    if stopped:
        folder.update(state="interrupted")
        raise TrainingInterrupted(
            f"Stopped with {len(finished)} of {len(jobs)} runs finished in {folder.path}; nothing is lost. The same "
            "command resumes the study."
        )
    folder.update(state="interrupted" if open_ones else "finished")
    failed = [job for job in jobs if job.state == "failed"]
    if not finished and failed:
        raise OpsinError(f"No run of {study.name} could be finished. {failed[0].variant}: {failed[0].why}")
    if not finished:
        raise RunError(
            f"The time budget ended before any run finished in {folder.path}; the same command resumes the study."
        )
    console.print(folder.info["sentence"], highlight=False, soft_wrap=True)
    if open_ones:
        console.print(
            f"{len(open_ones)} of {len(jobs)} runs are not finished; the same command resumes them.",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"report  {folder.page}", highlight=False, soft_wrap=True)
    return folder


def _headline(study: Study, jobs: Sequence[Job], number: int, threads: int) -> str:
    done = sum(job.state == "finished" for job in jobs)
    again = f", {done} already finished" if done else ""
    factors = [number_of(len(study.variants), "variant"), number_of(len(study.seeds), "seed")]
    factors += [number_of(study.folds, "fold")] if study.folds else []
    return (
        f"{study.name}: {' × '.join(factors)} = {number_of(len(jobs), 'run')}{again}; "
        f"{number} in parallel, {number_of(threads, 'core')} each"
    )


def _count_devices(study: Study) -> int:
    """Return the number of GPUs for the runs; 0 if all variants train on the CPU."""
    if all(each.recipe.training.device in ("cpu", "mps") for each in study.variants.values()):
        return 0
    import torch

    return torch.cuda.device_count()


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or a termination signal sets; a second signal ends the process immediately."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def receive(number: int, frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, receive) for number in numbers}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
