"""Worker process that trains the runs of a study one after another: ``python -m opsin.studies.worker``.

It reads one job per line (JSON) from standard input and writes one result per line to standard output: ``{"state":
"finished"}``, or ``"failed"`` or ``"interrupted"`` with ``"why"``. At the end of its input it stops; a run in training
saves its state first, even if the study has crashed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from opsin.errors import OpsinError, TrainingInterrupted
from opsin.studies.jobs import JobResult, WorkerJob

LOG = 2  # output of libraries goes to the log (standard error); standard output is for results


class Worker:
    """Trains runs, and caches the images of the last run for the next."""

    def __init__(self) -> None:
        self.prepared: Any = None
        self.stamp = ""

    def run(self, job: WorkerJob) -> None:
        """Train, resume or skip one run, or combine its members into an ensemble.

        Args:
            job: The job, see `opsin.studies.jobs`.

        Raises:
            OpsinError: It cannot be trained.
            TrainingInterrupted: The study was stopped.
        """
        if job["members"]:
            self._ensemble(job)
            return
        from rich.console import Console

        from opsin.recipe.recipe import Recipe
        from opsin.training.prepare import prepare, prepare_from, stamp
        from opsin.workflow.request import RunOptions, ask
        from opsin.workflow.train import train_or_resume

        options = RunOptions(job["anonymous"], job["inspect"], job["open_test"], job["data_root"])
        asked, dataset = ask(None, Recipe.from_dict(job["recipe"]), {}, options.data_root or None)
        now = stamp(dataset)
        if now != self.stamp:
            self.prepared, self.stamp = None, now

        def ready() -> Any:
            memory = job["memory_gb"] if asked.data.memory_gb is None else asked.data.memory_gb
            within = replace(asked, data=replace(asked.data, memory_gb=memory))
            reused = prepare_from(self.prepared, within) if self.prepared is not None else None
            self.prepared = reused or prepare(within, dataset)
            return self.prepared

        train_or_resume(asked, dataset, Path(job["place"]), options, Console(quiet=True), ready)

    def _ensemble(self, job: WorkerJob) -> None:
        """Combine several runs into one."""
        from opsin.workflow.ensemble import ensemble

        shutil.rmtree(job["place"], ignore_errors=True)  # an unfinished one is replaced
        ensemble(job["members"], soup=job["soup"], out=job["place"], inspect=job["inspect"], quiet=True)


def answer(worker: Worker, job: WorkerJob) -> JobResult:
    """Run a job and return its result."""
    try:
        worker.run(job)
    except TrainingInterrupted as stopped:
        return {"state": "interrupted", "why": str(stopped)}
    except OpsinError as error:
        return {"state": "failed", "why": str(error)}
    except Exception as error:  # a bug fails this run, not the study; the traceback is in the log
        traceback.print_exc()
        return {"state": "failed", "why": f"{type(error).__name__}: {error}"}
    return {"state": "finished", "why": ""}


def main() -> None:
    """Process jobs until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(LOG, 1)
    jobs: SimpleQueue[str | None] = SimpleQueue()
    busy = threading.Event()

    def read() -> None:
        for line in sys.stdin:
            busy.set()
            jobs.put(line)
        jobs.put(None)
        if busy.is_set():
            signal.raise_signal(signal.SIGTERM)  # training stops after the current step and saves its state

    threading.Thread(target=read, daemon=True).start()
    worker = Worker()
    while (line := jobs.get()) is not None:
        print(json.dumps(answer(worker, json.loads(line))), file=answers, flush=True)
        busy.clear()


if __name__ == "__main__":
    main()
