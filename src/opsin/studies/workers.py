"""Pool of worker processes that train the runs of a study in parallel."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsin.studies.jobs import JobResult, WorkerJob

STOP_SECONDS = 120  # time for a stopped run to finish its step and save its state

# Number of threads of the numerical libraries; also recorded in the run.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class _Process:
    """One worker process.

    Attributes:
        process: The process.
        job: Key of the current job; None: idle.
        log: File of its standard error.
    """

    process: subprocess.Popen[str]
    job: int | None
    log: Path


class Workers:
    """Pool of worker processes, each of which trains one run at a time; a context manager.

    Args:
        number: Number of processes.
        logs: Folder of their logs.
        devices: Number of GPUs to distribute; 0: none.
    """

    def __init__(self, number: int, logs: Path, devices: int = 0):
        self.number, self.logs, self.devices = number, logs, devices
        self.threads = max(1, available_cores() // number)
        self.places: list[_Process | None] = [None] * number
        self.answers: queue.Queue[tuple[int, subprocess.Popen[str], JobResult | None]] = queue.Queue()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop()

    @property
    def running(self) -> list[int]:
        """The keys of the current jobs."""
        return [place.job for place in self.places if place and place.job is not None]

    @property
    def idle(self) -> bool:
        """Whether another job can start."""
        return len(self.running) < self.number

    def start(self, key: int, job: WorkerJob) -> None:
        """Start a job on an idle worker.

        Args:
            key: Identifies the job in the results of `wait`.
            job: The job.
        """
        at = next(at for at, place in enumerate(self.places) if place is None or place.job is None)
        place = self.places[at] or self._launch(at)
        self.places[at], place.job = place, key
        assert place.process.stdin
        try:
            place.process.stdin.write(json.dumps(job) + "\n")
            place.process.stdin.flush()
        except OSError:
            pass  # the process died while idle; its reader reports it

    def wait(self, seconds: float) -> list[tuple[int, JobResult]]:
        """Return the results that have arrived, waiting at most ``seconds`` for the first."""
        found: list[tuple[int, JobResult]] = []
        deadline = time.monotonic() + seconds
        while True:
            try:
                at, process, result = self.answers.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                return found
            deadline = time.monotonic()
            place = self.places[at]
            if place is None or place.process is not process:
                continue
            if result is None:
                self.places[at] = None
                result = {"state": "failed", "why": _last_words(place, process.wait())}
            if place.job is not None:
                found.append((place.job, result))
                place.job = None

    def stop(self) -> None:
        """Stop all workers; runs in training save their state first."""
        places = [place for place in self.places if place]
        for place in places:
            if place.process.stdin:
                try:
                    place.process.stdin.close()
                except OSError:
                    pass
        deadline = time.monotonic() + STOP_SECONDS
        for place in places:
            try:
                place.process.wait(timeout=max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                place.process.kill()
                place.process.wait()
            if place.log.exists() and not place.log.stat().st_size:
                place.log.unlink()
        self.places = [None] * self.number

    def _launch(self, at: int) -> _Process:
        environment = os.environ | dict.fromkeys(THREADS, str(self.threads))
        if self.devices:
            environment["CUDA_VISIBLE_DEVICES"] = str(at % self.devices)
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"worker-{at + 1}.log"
        # A separate process group: Ctrl-C reaches only the study, which then stops its workers, on every system.
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "opsin.studies.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
                encoding="utf-8",
                **group,
            )
        threading.Thread(target=self._read, args=(at, process), daemon=True).start()
        return _Process(process, None, log)

    def _read(self, at: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout as answers:
            for line in answers:
                self.answers.put((at, process, json.loads(line)))
        self.answers.put((at, process, None))


def _last_words(place: _Process, code: int) -> str:
    """Describe how a worker ended without a result."""
    reason = (
        "it was killed, perhaps because memory ran out: try fewer --jobs" if code in (-9, 137) else f"exit code {code}"
    )
    lines = place.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if place.log.exists() else []
    return f"Its process ended without a result ({reason}{'; ' + lines[-1] if lines else ''}); see {place.log}."


def available_cores() -> int:
    """Return the number of cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
