"""A process that trains the runs of a study, one after another: ``python -m opsin.studies.worker``.

It reads a job, a line of JSON, from standard input, and answers with a line on standard output: ``{"state":
"finished"}``, or ``"failed"`` or ``"interrupted"`` with ``"why"``. The end of its input means: stop. A run that is
being trained then saves its state first, whatever became of the study that wanted it.
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

LOG = 2  # what libraries print goes to the log, as standard output is for answers


class Worker:
    """Trains runs, and keeps the images of the last one for the next."""

    def __init__(self) -> None:
        self.prepared: Any = None
        self.stamp = ""

    def run(self, job: dict[str, Any]) -> None:
        """Train, go on with, or pass over one run.

        Args:
            job: ``recipe``, ``place``, ``members`` (folders of the runs it puts together in the place of training) and
                ``soup``, ``memory_gb`` (for the images), and ``options`` (the fields of `RunOptions`).

        Raises:
            OpsinError: It cannot be trained.
            TrainingInterrupted: The study was stopped.
        """
        if job["members"]:
            self._put_together(job)
            return
        from rich.console import Console

        from opsin.recipe.recipe import Recipe
        from opsin.training.prepare import prepare, prepare_from, stamp
        from opsin.workflow.request import RunOptions, ask
        from opsin.workflow.train import train_or_resume

        options = RunOptions(**job["options"])
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

    def _put_together(self, job: dict[str, Any]) -> None:
        """Make one run of several."""
        from opsin.workflow.ensemble import ensemble

        shutil.rmtree(job["place"], ignore_errors=True)  # one that was stopped halfway is made anew
        ensemble(job["members"], soup=job["soup"], out=job["place"], inspect=job["options"]["inspect"], quiet=True)


def answer(worker: Worker, job: dict[str, Any]) -> dict[str, str]:
    """Run a job and say how it went."""
    try:
        worker.run(job)
    except TrainingInterrupted as stopped:
        return {"state": "interrupted", "why": str(stopped)}
    except OpsinError as error:
        return {"state": "failed", "why": str(error)}
    except Exception as error:  # a bug costs this run, not the study; its traceback is in the log
        traceback.print_exc()
        return {"state": "failed", "why": f"{type(error).__name__}: {error}"}
    return {"state": "finished", "why": ""}


def main() -> None:
    """Answer jobs until the input ends."""
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
            signal.raise_signal(signal.SIGTERM)  # the loop stops after its step and saves; before and after it, we end

    threading.Thread(target=read, daemon=True).start()
    worker = Worker()
    while (line := jobs.get()) is not None:
        print(json.dumps(answer(worker, json.loads(line))), file=answers, flush=True)
        busy.clear()


if __name__ == "__main__":
    main()
