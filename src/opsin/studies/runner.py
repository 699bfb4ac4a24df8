"""Run a study: every variant with every seed, several at a time in worker processes, and write the report."""

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

from opsin.data.catalog import CATALOGUE
from opsin.data.dataset import Dataset
from opsin.errors import DataError, OpsinError, RecipeError, RunError, TrainingInterrupted
from opsin.reporting.formats import number_of
from opsin.runs.folder import RunFolder
from opsin.runs.study import StudyFolder
from opsin.studies.jobs import Job
from opsin.studies.progress import StudyTable
from opsin.studies.study import Study
from opsin.studies.workers import Workers, available_cores
from opsin.workflow.request import RunOptions, ask, identify

POLL = 0.5  # seconds between two looks at how far the runs have come
MEMORY = 1 / 3  # part of the free memory that the images of all runs may take


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

    Each variant's test split is opened once for each finished run; the best is chosen on validation. Called again, it
    passes over finished runs, which it knows by the hash of their recipe, goes on with interrupted ones, and tries
    failed ones anew.

    Args:
        study: A TOML file, the name of a study of ours, or a `Study`.
        data: The images of all variants; left out: those the study names.
        seeds: How many seeds, or which; left out: those of the study.
        jobs: How many runs are trained side by side; left out: one for each core, or for each GPU.
        only: Some variants only.
        budget: Minutes after which no run goes on; what was finished is reported.
        settings: ``key=value`` for all variants, as ``training.epochs=3``.
        out: The study's folder; left out, ``runs/NAME-study``.
        data_root: A folder that holds named data sets.
        anonymous: Leave file names and paths out of the reports.
        inspect: Inspect each network further, as `opsin.train` does.
        quiet: Say nothing.

    Returns:
        The study's folder.

    Raises:
        RecipeError: The study is wrong.
        DataError: The images of not one variant can be read.
        OpsinError: Not one run could be finished.
        TrainingInterrupted: Ctrl-C or a termination signal ended it; the same call goes on with it.
    """
    console = Console(quiet=quiet)
    study = wanted_study(study, data, seeds, only, settings)
    refuse_missing_data(study, data_root)
    number, devices = choose_workers(study, jobs, len(study.variants) * len(study.seeds) * max(1, study.folds))
    place = Path(out) if out is not None else Path("runs") / f"{study.name}-study"
    folder = StudyFolder.create(place, state="training", anonymous=anonymous, **describe(study))
    waiting = _jobs(study, folder)
    _pass_over_finished(waiting, data_root)
    shared = worker_options(number, RunOptions.create(data_root, anonymous=anonymous, inspect=inspect))
    deadline = time.monotonic() + 60 * budget if budget is not None else None
    with stopping() as stopped, Workers(number, place / "logs", devices) as workers:
        console.print(_headline(study, waiting, number, workers.threads), highlight=False)
        with StudyTable(console, study, waiting) as table:
            _run(waiting, workers, shared, folder, table, stopped, deadline)
        if any(job.state == "training" for job in waiting):
            console.print("stopping: the runs in progress save their state first", highlight=False)
    for job in waiting:
        if job.state == "training":
            job.state = "interrupted"
    folder.update(runs=[job.row for job in waiting])
    return _conclude(study, folder, waiting, console, stopped.is_set())


def describe(study: Study) -> dict[str, Any]:
    """Return what ``study.json`` says of the study itself."""
    variants = {
        name: {
            "parent": each.parent,
            "asks": each.asks,
            "published": each.published,
            "changes": each.changes,
            "recipe": each.recipe.to_dict(),
            "begins_with": each.begins_with,
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
    """Return how many runs are trained side by side, and how many GPUs they share (0: none)."""
    devices = _count_devices(study)
    return jobs or max(1, min(devices or available_cores(), runs)), devices


def worker_options(number: int, options: RunOptions) -> dict[str, Any]:
    """Return the part of a job that is the same for all workers, each with its share of the free memory."""
    memory = psutil.virtual_memory().available * MEMORY / number / 2**30
    return {"options": options.to_dict(), "memory_gb": round(memory, 2)}


def wanted_study(
    source: Study | str | Path,
    data: str | Path | None,
    seeds: int | Sequence[int] | None,
    only: Sequence[str],
    settings: Sequence[str],
) -> Study:
    """Return a study as a call wants it: its images, seeds, variants and settings."""
    study = source if isinstance(source, Study) else Study.read(source)
    study = study.set([*([] if data is None else [f"data.source={_in_full(data)}"]), *settings])
    if seeds is not None:
        wanted = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
        if not wanted:
            raise RecipeError("--seeds must be at least 1.")
        study = replace(study, seeds=wanted)
    return study.select(only) if only else study


def refuse_missing_data(study: Study, data_root: str | Path | None) -> None:
    """Raise where the images of not one variant can be read, before anything is begun.

    Raises:
        DataError: They cannot; the first variant's reason.
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
    known = not source or source in CATALOGUE or os.path.lexists(source)
    raise DataError(
        str(errors[0]) + ("" if known else f" Say where your images are: --data PATH, in place of {source}.")
    )


def _in_full(data: str | Path) -> str:
    """Return the path of what is there in full, as workers may stand elsewhere; a name stays as it is."""
    return str(Path(data).resolve()) if Path(data).exists() else str(data)


def _jobs(study: Study, folder: StudyFolder) -> list[Job]:
    """Return all runs, seed by seed and fold by fold, those that others need before these."""
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
            if variant.begins_with is not None:
                weights = str(places[variant.begins_with].resolve())
                recipe = recipe.merge({"network": {"weights": weights, "pretrained": False}})
                if recipe.data.label != study.variants[variant.begins_with].recipe.data.label:
                    # Images are shared out by label: otherwise it would hold out some that those weights have seen.
                    recipe = recipe.merge({"split": {"file": weights}})
            needs = tuple(places[other] for other in variant.needs)
            made.append(Job(name, seed, places[name], recipe, fold, needs, bool(variant.ensemble), variant.soup))
    return made


def _pass_over_finished(jobs: Sequence[Job], data_root: str | Path | None) -> None:
    """Mark the jobs whose runs are finished; where files have other dates now, a worker looks inside."""
    read: dict[str, Dataset] = {}
    for job in jobs:
        if not (job.place / "run.json").exists() or RunFolder(job.place).info["state"] != "finished":
            continue
        if job.members:
            members = {each.state for each in jobs if each.place in job.needs}
            job.state = "finished" if members == {"finished"} else job.state
            continue
        images = repr((job.recipe.task, job.recipe.data))
        with suppress(OpsinError):  # what is wrong with the data, the worker says
            asked, read[images] = ask(read.get(images), job.recipe, {}, data_root)
            if RunFolder(job.place).info.get("asked") == identify(asked, read[images]):
                job.state = "finished"


def _run(
    jobs: list[Job],
    workers: Workers,
    shared: dict[str, Any],
    folder: StudyFolder,
    table: StudyTable,
    stopped: threading.Event,
    deadline: float | None,
) -> None:
    """Keep all workers busy until every run is done, the time is up, or a person ends it."""
    while not stopped.is_set() and (deadline is None or time.monotonic() < deadline):
        finished = {job.place for job in jobs if job.state == "finished"}
        lost = {job.place: job for job in jobs if job.state in ("failed", "skipped")}
        for job in jobs:
            gone = [lost[run].variant for run in job.needs if run in lost]
            if job.state == "waiting" and gone:
                job.state, job.why = "skipped", f"It needs the run of {gone[0]}, which failed."
                table.tell(job)
            elif job.state == "waiting" and workers.idle and finished.issuperset(job.needs):
                workers.start(jobs.index(job), job.message | shared)
                job.state = "training"
        if not workers.running:
            return
        for number, said in workers.wait(POLL):
            jobs[number].state, jobs[number].why = said["state"], said["why"]
            folder.update(runs=[job.row for job in jobs])
            table.tell(jobs[number])
        table.draw()


def _conclude(study: Study, folder: StudyFolder, jobs: list[Job], console: Console, stopped: bool) -> StudyFolder:
    """Compare what is finished, write the report, and say how it ended."""
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
            "command resumes it."
        )
    folder.update(state="interrupted" if open_ones else "finished")
    failed = [job for job in jobs if job.state == "failed"]
    if not finished and failed:
        raise OpsinError(f"No run of {study.name} could be finished. {failed[0].variant}: {failed[0].why}")
    if not finished:
        raise RunError(f"The time was up before a run was finished in {folder.path}; the same command resumes it.")
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
    again = f", {done} of them finished before" if done else ""
    factors = [number_of(len(study.variants), "variant"), number_of(len(study.seeds), "seed")]
    factors += [number_of(study.folds, "fold")] if study.folds else []
    return (
        f"{study.name}: {' × '.join(factors)} = {number_of(len(jobs), 'run')}{again}; "
        f"{number} at a time, {number_of(threads, 'core')} each"
    )


def _count_devices(study: Study) -> int:
    """Return how many GPUs the runs can share; 0 where they are to run on the processor."""
    if all(each.recipe.training.device in ("cpu", "mps") for each in study.variants.values()):
        return 0
    import torch

    return torch.cuda.device_count()


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C or a termination signal sets, once; a second one ends at once."""
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
