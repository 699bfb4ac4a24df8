"""Worker processes that train the runs of a study side by side, each on its share of the machine."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STOP_SECONDS = 120  # how long a stopped run may take to end its step and save

# What decides how many threads the libraries start, and what the run says of the machine.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class _Process:
    """One worker process.

    Attributes:
        process: The process.
        job: The key of what it is training; None: it waits.
        log: What it writes beside its answers.
    """

    process: subprocess.Popen[str]
    job: Any
    log: Path


class Workers:
    """A few worker processes, each of which trains one run at a time; a context manager.

    Args:
        number: How many.
        logs: The folder of their logs.
        devices: How many GPUs there are to share; 0: none.
    """

    def __init__(self, number: int, logs: Path, devices: int = 0):
        self.number, self.logs, self.devices = number, logs, devices
        self.threads = max(1, available_cores() // number)
        self.places: list[_Process | None] = [None] * number
        self.answers: queue.Queue[tuple[int, subprocess.Popen[str], dict[str, str] | None]] = queue.Queue()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *problem: object) -> None:
        self.stop()

    @property
    def running(self) -> list[Any]:
        """The keys of the jobs that are being done."""
        return [place.job for place in self.places if place and place.job is not None]

    @property
    def idle(self) -> bool:
        """Whether another job can begin."""
        return len(self.running) < self.number

    def start(self, key: Any, job: Mapping[str, Any]) -> None:
        """Give a job to a worker that waits.

        Args:
            key: Comes back with the answer.
            job: See `opsin.studies.worker`.
        """
        at = next(at for at, place in enumerate(self.places) if place is None or place.job is None)
        place = self.places[at] or self._begin(at)
        self.places[at], place.job = place, key
        assert place.process.stdin
        try:
            place.process.stdin.write(json.dumps(job) + "\n")
            place.process.stdin.flush()
        except OSError:
            pass  # it died while it waited; its reader says so

    def wait(self, seconds: float) -> list[tuple[Any, dict[str, str]]]:
        """Return the answers ``{"state", "why"}`` that have come, after waiting for the first at most so long."""
        found: list[tuple[Any, dict[str, str]]] = []
        deadline = time.monotonic() + seconds
        while True:
            try:
                at, process, said = self.answers.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                return found
            deadline = time.monotonic()
            place = self.places[at]
            if place is None or place.process is not process:
                continue
            if said is None:
                self.places[at] = None
                said = {"state": "failed", "why": _last_words(place, process.wait())}
            if place.job is not None:
                found.append((place.job, said))
                place.job = None

    def stop(self) -> None:
        """End all workers; what they are training saves its state first."""
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

    def _begin(self, at: int) -> _Process:
        environment = os.environ | dict.fromkeys(THREADS, str(self.threads))
        if self.devices:
            environment["CUDA_VISIBLE_DEVICES"] = str(at % self.devices)
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"worker-{at + 1}.log"
        # A group of its own: Ctrl-C reaches the study alone, which then stops its workers one way on every system.
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "opsin.studies.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
                encoding="utf-8",
                **apart,
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
    """Say how a worker ended that gave no answer."""
    reason = "it was killed, perhaps for want of memory: try fewer --jobs" if code in (-9, 137) else f"exit code {code}"
    lines = place.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if place.log.exists() else []
    return f"Its process ended without an answer ({reason}{'; ' + lines[-1] if lines else ''}); see {place.log}."


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
