"""Training speed on small images in memory: Opsin's whole loop against a bare one, Keras, fastai and Lightning.

    python benchmarks/small_images.py --rounds 7

Every contender runs in a process of its own that stays alive; the epochs of all take turns (A B C A B C ...), so that
what slows the machine down for a while slows all of them. The first round warms up and is not counted. Only the
training part of an epoch is timed, except for Opsin, whose checkpoint, best weights and curves between epochs count.

A contender whose package is missing is left out and named. A package that cannot live beside the others can come from
another environment: --python fastai-vision=/elsewhere/bin/python.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common import machine, ratios, spread, table, thread_limits, today
from small_images_contenders import BATCH_SIZE, CONTENDERS

HERE = Path(__file__).resolve().parent
TARGETS = {"bare": 0.97, "keras": 1.5, "fastai-vision": 3.0, "fastai-tensors": 3.0, "lightning": 4.0}


class Contender:
    """A process that trains one epoch each time it is told to.

    Args:
        name: A key of `CONTENDERS`.
        python: The interpreter that has its package.
        folder: Holds the images; its output goes there too.
        epochs: How many epochs it will be asked for.
        cores: How many cores it may use.

    Raises:
        ContenderError: It cannot start.
    """

    def __init__(self, name: str, python: str, folder: Path, epochs: int, cores: int):
        self.name = name
        self.log = folder / f"{name}.log"
        command = [python, str(HERE / "small_images_contenders.py"), name, str(folder), str(epochs), str(cores)]
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


def main() -> None:
    """Run the benchmark and print its tables."""
    options = parse()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        number = write_images(folder, options.images)
        print(f"{today()} · {machine()}")
        print(
            f"Fashion-MNIST, {number:,} images an epoch, batches of {BATCH_SIZE}, {options.cores} cores, "
            f"n = {options.rounds} rounds after 1 to warm up\n",
            flush=True,
        )
        contenders, left_out = start(options, folder)
        try:
            reports = run(contenders, options.rounds)
        finally:
            for contender in contenders:
                contender.stop()
    speeds = {name: [number / report["seconds"] for report in rows] for name, rows in reports.items()}
    show(speeds, contenders, left_out)
    if "opsin" in reports:
        between = [1 - report["loop"] / report["seconds"] for report in reports["opsin"]]
        print(f"\nOf Opsin's time {statistics.median(between):.1%} is spent between epochs (files), counted above.")
    if options.json:
        result = {"machine": machine(), "date": today(), "images": number, "images_per_second": speeds}
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="epochs of each contender that count (7)")
    parser.add_argument("--cores", type=int, default=2, help="cores and threads for each contender (2)")
    parser.add_argument("--images", type=int, default=60_000, help="training images, for a quick try (60,000)")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), metavar="NAME")
    parser.add_argument(
        "--python", action="append", default=[], metavar="NAME=PATH", help="the interpreter of a contender or family"
    )
    parser.add_argument("--json", metavar="FILE", help="write the images per second of every round to a file")
    options = parser.parse_args()
    options.python = dict(item.partition("=")[::2] for item in options.python)
    return options


def write_images(folder: Path, limit: int) -> int:
    """Write the training images for the contenders, a whole number of batches, and return how many."""
    from opsin import read_dataset

    dataset = read_dataset("fashion-mnist")
    rows = np.flatnonzero(dataset.split == "train")[:limit]
    rows = rows[: len(rows) // BATCH_SIZE * BATCH_SIZE]
    np.save(folder / "images.npy", np.stack([dataset.images.read(int(row)) for row in rows]))
    np.save(folder / "labels.npy", dataset.labels[rows].astype(np.int64))
    return len(rows)


def start(options: argparse.Namespace, folder: Path) -> tuple[list[Contender], dict[str, str]]:
    """Start the contenders one after another; return those that run, and why others do not."""
    contenders, left_out = [], {}
    for name in options.contenders:
        python = options.python.get(name) or options.python.get(name.partition("-")[0]) or sys.executable
        try:
            contenders.append(Contender(name, python, folder, options.rounds + 1, options.cores))
        except ContenderError as error:
            left_out[name] = str(error)
    return contenders, left_out


def run(contenders: list[Contender], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Let the contenders take turns; return the reports of the rounds that count."""
    reports: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            report = contender.epoch(last=number == rounds)
            if number:
                reports[contender.name].append(report)
    return reports


def show(speeds: dict[str, list[float]], contenders: list[Contender], left_out: dict[str, str]) -> None:
    """Print the tables."""
    rows = []
    for name, values in speeds.items():
        against_bare = spread(ratios(values, speeds["bare"]), 3) if "bare" in speeds else ""
        opsin_against = spread(ratios(speeds["opsin"], values), 2) if "opsin" in speeds else ""
        rows.append([name, spread(values), against_bare, opsin_against])
    print(table(["contender", "images/s, median (min–max)", "its speed / bare", "Opsin's speed / its"], rows))
    if "opsin" in speeds:
        print("\n" + table(["Opsin against the fastest", "ratio, median of rounds", "target", ""], verdicts(speeds)))
    for name, reason in left_out.items():
        print(f"\nleft out: {name}: {reason}")
    known: dict[str, str] = {}
    for contender in contenders:
        known |= contender.versions
    print("\n" + ", ".join(f"{package} {number}" for package, number in known.items()))


def verdicts(speeds: dict[str, list[float]]) -> list[list[str]]:
    """Compare Opsin with the fastest contender of each family; the loop over bytes is no family of its own."""
    rows = []
    for family, target in TARGETS.items():
        members = [name for name in speeds if name == family or name.startswith(f"{family}-") and family != "bare"]
        if members:
            fastest = max(members, key=lambda name: statistics.median(speeds[name]))
            ratio = statistics.median(ratios(speeds["opsin"], speeds[fastest]))
            rows.append([fastest, f"{ratio:.3f}", f"≥ {target}", "met" if ratio >= target else "not met"])
    return rows


if __name__ == "__main__":
    main()
