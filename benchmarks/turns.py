"""Benchmarks whose contenders train in processes of their own, an epoch each in turn (A B C A B C ...).

A temporary slowdown of the machine affects all of them. Before each epoch a contender waits for a line on its
standard input, after it reports the seconds as a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from common import limit_cores, machine, ratios, spread, table, thread_limits, today, versions

HERE = Path(__file__).resolve().parent


class Contender:
    """A process that trains one epoch each time it is told to.

    Args:
        script: The program that runs it; see `compete`.
        name: Which of its contenders.
        python: The interpreter that has its package.
        folder: Holds the data; its output goes there too.
        epochs: How many epochs it will be asked for.
        cores: How many cores it may use.

    Raises:
        ContenderError: It cannot start.
    """

    def __init__(self, script: str, name: str, python: str, folder: Path, epochs: int, cores: int):
        self.name = name
        self.log = folder / f"{name}.log"
        command = [python, str(HERE / script), name, str(folder), str(epochs), str(cores)]
        paths = [str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | thread_limits(cores) | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        with self.log.open("wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True
            )
        self.versions: dict[str, str] = self._receive()["versions"]
        self._receive()

    def epoch(self, last: bool) -> dict[str, Any]:
        """Train one epoch and return what it reports; wait until it is ready for the next."""
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        report = self._receive()
        if not last:
            self._receive()
        return report

    def stop(self) -> None:
        """End the process."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            words = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise ContenderError(words[-1] if words else f"it ended with exit code {self.process.returncode}")
        return json.loads(line)


class ContenderError(Exception):
    """A contender cannot run; the text is the last line it wrote."""


def turn_options(parser: argparse.ArgumentParser, contenders: Iterable[str]) -> None:
    """Add what all such benchmarks can be told."""
    names = list(contenders)
    parser.add_argument("--cores", type=int, default=2, help="cores and threads for each contender (2)")
    parser.add_argument("--contenders", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument(
        "--python", action="append", default=[], metavar="NAME=PATH", help="the interpreter of a contender or family"
    )
    parser.add_argument("--json", metavar="FILE", help="write what was measured of every epoch to a file")


def take_turns(
    script: str, options: argparse.Namespace, folder: Path, epochs: Mapping[str, int]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Let the contenders of a script train, an epoch each in turn.

    Args:
        script: The program that runs the contenders.
        options: Those of `turn_options`.
        folder: Holds the data.
        epochs: How many each contender trains.

    Returns:
        What each reports of its epochs, and why others do not run; a line on versions is printed.
    """
    contenders, left_out = [], {}
    given = dict(item.partition("=")[::2] for item in options.python)
    for name in options.contenders:
        python = given.get(name) or given.get(name.partition("-")[0]) or sys.executable
        try:
            contenders.append(Contender(script, name, python, folder, epochs[name], options.cores))
        except ContenderError as error:
            left_out[name] = str(error)
    reports: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    try:
        for number in range(1, max(epochs.values()) + 1):
            for contender in contenders:
                if number <= epochs[contender.name]:
                    reports[contender.name].append(contender.epoch(last=number == epochs[contender.name]))
    finally:
        for contender in contenders:
            contender.stop()
    known: dict[str, str] = {}
    for contender in contenders:
        known |= contender.versions
    print(", ".join(f"{package} {number}" for package, number in known.items()) + "\n")
    return reports, left_out


def race(
    script: str, options: argparse.Namespace, folder: Path, number: int, targets: Mapping[str, float]
) -> dict[str, list[dict[str, Any]]]:
    """Let all contenders train in turn and print their images per second; return the reports of each.

    The first epoch warms up and does not count.

    Args:
        script: The program that runs the contenders.
        options: Those of `turn_options`, and ``rounds``.
        folder: Holds the data.
        number: Images in an epoch.
        targets: Family of contenders -> how many times as fast as its fastest Opsin is meant to be.
    """
    reports, left_out = take_turns(script, options, folder, dict.fromkeys(options.contenders, options.rounds + 1))
    reports = {name: rows[1:] for name, rows in reports.items()}
    speeds = {name: [number / report["seconds"] for report in rows] for name, rows in reports.items()}
    show(speeds, left_out, targets)
    if options.json:
        result = {"machine": machine(), "date": today(), "images": number, "images_per_second": speeds}
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return reports


def show(
    speeds: dict[str, list[float]],
    left_out: Mapping[str, str],
    targets: Mapping[str, float],
) -> None:
    """Print the tables."""
    rows = []
    for name, values in speeds.items():
        against_bare = spread(ratios(values, speeds["bare"]), 3) if "bare" in speeds else ""
        opsin_against = spread(ratios(speeds["opsin"], values), 2) if "opsin" in speeds else ""
        rows.append([name, spread(values), against_bare, opsin_against])
    print(table(["contender", "images/s, median (min–max)", "its speed / bare", "Opsin's speed / its"], rows))
    if "opsin" in speeds:
        print(
            "\n"
            + table(["Opsin against the fastest", "ratio, median of rounds", "target", ""], verdicts(speeds, targets))
        )
    for name, reason in left_out.items():
        print(f"\nleft out: {name}: {reason}")


def verdicts(speeds: dict[str, list[float]], targets: Mapping[str, float]) -> list[list[str]]:
    """Compare Opsin with the fastest contender of each family; the loop over bytes is no family of its own."""
    rows = []
    for family, target in targets.items():
        members = [name for name in speeds if name == family or name.startswith(f"{family}-") and family != "bare"]
        if members:
            fastest = max(members, key=lambda name: statistics.median(speeds[name]))
            ratio = statistics.median(ratios(speeds["opsin"], speeds[fastest]))
            rows.append([fastest, f"{ratio:.3f}", f"≥ {target}", "met" if ratio >= target else "not met"])
    return rows


class Pace:
    """Waits for the word to begin an epoch, and reports what it took.

    Args:
        epochs: How many epochs there will be.
        channel: The file descriptor of the reports; what frameworks print goes elsewhere.
    """

    def __init__(self, epochs: int, channel: int):
        self.epochs = epochs
        self.channel = channel
        self.started = 0.0
        self.seconds: float | None = None

    def begin(self) -> None:
        """Report that all is ready, wait for the word, start the clock."""
        self._send({"ready": True})
        if not sys.stdin.readline():
            os._exit(0)
        self.started = time.perf_counter()

    def stop(self) -> None:
        """Stop the clock."""
        self.seconds = time.perf_counter() - self.started

    def end(self, not_counted: float = 0.0, **facts: Any) -> None:
        """Stop the clock, where that was not done, and report; ``not_counted`` seconds (validation) are taken off."""
        if self.seconds is None:
            self.stop()
        self._send({"seconds": self.seconds - not_counted, **facts})  # type: ignore[operator]
        self.seconds = None

    def _send(self, message: dict[str, Any]) -> None:
        os.write(self.channel, (json.dumps(message) + "\n").encode())


class Stopwatch:
    """Adds up the time spent in functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - started

        return timed

    def take(self) -> float:
        """Return the seconds so far and begin anew."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds


def train_in_turns(
    pace: Pace, dataset: Any, recipe: Any, report: Callable[[Any], dict[str, Any]] = lambda session: {}
) -> None:
    """Train as `opsin train` does: progress bar, curves, checkpoints, signals and history.

    Everything between two epochs counts (checkpoint, best weights, curves), apart from validation.

    Args:
        pace: Whose turn it is.
        dataset: An `opsin.Dataset`.
        recipe: An `opsin.Recipe` of so many epochs.
        report: Given the session after an epoch, returns what else is to be reported; its time does not count.
    """
    from rich.console import Console

    from opsin.runs.folder import RunFolder
    from opsin.training.callbacks import Checkpoints, Curves, ProgressBar, Signals
    from opsin.training.fit import Callback
    from opsin.training.prepare import prepare
    from opsin.training.session import Session

    session = Session(prepare(recipe, dataset))
    validation = Stopwatch()
    session.predict = validation.timing(session.predict)  # type: ignore[method-assign]
    session.task.score = validation.timing(session.task.score)  # type: ignore[method-assign]

    class Turns(Callback):
        """Comes last: reports an epoch, and holds the loop until the next may begin."""

        def on_start(self, state: Any) -> None:
            pace.begin()

        def on_epoch(self, state: Any, seconds: float) -> None:
            before = time.monotonic()
            pace.stop()
            validated, facts = validation.take(), report(session)
            validation.take()
            pace.end(validated, loop=seconds, **facts)
            if state.epoch < pace.epochs:
                pace.begin()
                checkpoints.saved += time.monotonic() - before  # the others' turns are not training time

    with tempfile.TemporaryDirectory() as place, open(os.devnull, "w", encoding="utf-8") as nowhere:
        folder = RunFolder.create(Path(place) / "run", session.recipe)
        checkpoints = Checkpoints(folder, lambda state: session.save(folder.path / "checkpoint.safetensors"))
        console = Console(force_terminal=True, file=nowhere, width=120)
        bar = ProgressBar(console, pace.epochs, len(session.batches), session.task.main_score)
        session.fit([Signals(), bar, Curves(folder), checkpoints, Turns()])


def compete(
    contenders: Mapping[str, Callable[..., None]],
    load: Callable[[Path], tuple[Any, ...]],
    packages: tuple[str, ...],
    before: Callable[[str, int], None] | None = None,
) -> None:
    """Run the contender named on the command line: NAME FOLDER EPOCHS CORES.

    Args:
        contenders: Name -> ``contender(pace, *data)``.
        load: Reads the data that stand in the folder.
        packages: Those whose versions are reported.
        before: Called with name and cores before anything heavy is imported.
    """
    name, folder, epochs, cores = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    limit_cores(cores)
    if before is not None:
        before(name, cores)
    channel = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # progress bars are drawn, and seen by nobody
    pace = Pace(epochs, channel)
    os.write(channel, (json.dumps({"versions": versions(packages)}) + "\n").encode())
    contenders[name](pace, *load(folder))
