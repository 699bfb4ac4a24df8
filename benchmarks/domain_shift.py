"""Estimate a network's accuracy under domain shift from source images alone, then measure it once on the target.

    python benchmarks/domain_shift.py cells/home cells/away --seeds 3 --set data.image_size=96

Each seed is an ordinary run below --runs, trained on HOME. The estimate is written into the run folder before the
labels of AWAY are read, and AWAY is measured once per run; a second call reads both from the run folder. Of AWAY, the
estimate uses only the number of images of each class, so that it refers to the class frequencies of AWAY. The method
`answers` also uses the images of AWAY, without their labels.

Methods, all fixed before the first measurement:

    laboratories   median of 30 simulated domains, severities up to 3 (as in the report)
    milder         the same with severities up to 2
    harsher        the same with severities up to 4
    corruptions    mean over single corruptions that are not part of the augmentation, severities 2 and 4
    home           accuracy on the test split of HOME (no domain shift)
    answers        from the predictions on the images of AWAY, as in `opsin estimate-accuracy --shares`
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

import opsin
from common import machine, table, today, versions
from opsin.inspection.domain_shift import Answers, estimate_accuracy, estimate_from_answers
from opsin.inspection.robustness import measure_corruptions, simulate_laboratories
from opsin.inspection.robustness_run import choose_rows, trial_of
from opsin.workflow.evaluate import prepare_again, subject_of

STRONGEST = {"laboratories": 3.0, "milder": 2.0, "harsher": 4.0}
SEVERITIES = (2, 4)


def main() -> None:
    """Train, estimate, measure, and print a table."""
    options = parse()
    print(f"{today()} · {machine()}")
    rows = [inspect(seed, options) for seed in range(options.seeds)]
    show(rows, options)
    print("\n" + ", ".join(f"{package} {number}" for package, number in versions(("torch", "opsin", "timm")).items()))
    if options.json:
        result = {"machine": machine(), "date": today(), "results": rows}
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", help="labelled images to train on")
    parser.add_argument("away", help="labelled images from another domain, of some of the same classes")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, counted from 0 (3)")
    parser.add_argument("--images", type=int, default=100, help="validation images for the estimate (100)")
    parser.add_argument("--runs", default="runs/domain-shift", help="folder of the runs (runs/domain-shift)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the recipe")
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file")
    return parser.parse_args()


def inspect(seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train one seed, estimate and measure the accuracy on AWAY, and return the figures."""
    settings = dict(item.partition("=")[::2] for item in options.set)
    run = opsin.train(options.home, seed=seed, runs=options.runs, resume=True, inspect=False, **settings)
    file = run.path / f"estimated-{Path(options.away).name}.json"
    if not file.exists():
        file.write_text(json.dumps(estimate_away(run, options), indent=1) + "\n", encoding="utf-8")
    estimated = json.loads(file.read_text(encoding="utf-8"))
    name = opsin.read_dataset(options.away, check=False).name
    if name not in run.scorecard:
        opsin.evaluate(run, options.away)
    return {"seed": seed, "run": run.name, "estimated": estimated, "measured": run.scorecard[name]["accuracy"]}


def estimate_away(run: opsin.Run, options: argparse.Namespace) -> dict[str, Any]:
    """Return method -> accuracy, from HOME and the number of images of each class in AWAY."""
    counts = class_counts(run, options.away)
    subject = subject_of(run, prepare_again(run.folder, None, Console()))
    trial = trial_of(subject, choose_rows(subject, options.images))
    classes = subject.classes
    result: dict[str, Any] = {}
    answers: dict[str, Answers | None] = {}
    for name, strongest in STRONGEST.items():
        laboratories, answers[name] = simulate_laboratories(trial, strongest=strongest)
        result[name] = estimate_accuracy(laboratories, counts)
    found = measure_corruptions(trial, run.recipe.augmentation)
    result["corruptions"] = {
        "expected": weigh({row["class"]: row["corrupted"] for row in found["classes"]}, counts, run)
    }
    recalls = {name: run.scorecard["test"][f"recall/{name}"]["value"] for name in classes}
    result["home"] = {"expected": weigh(recalls, counts, run), "all": run.scorecard["test"]["accuracy"]}
    away = opsin.read_dataset(options.away, check=False).images
    answered = run.predictor.predict([away.read(row) for row in range(len(away))]).predictions
    home = answers["laboratories"]
    assert home is not None  # as the run is a classifier
    result["answers"] = asdict(estimate_from_answers(home, answered.labels, answered.confidence, counts, exact=True))
    return result


def class_counts(run: opsin.Run, data: str) -> list[int]:
    """Return how many images of each of the run's classes other data hold; no image is opened."""
    other = opsin.read_dataset(data, check=False)
    there = dict(zip(other.classes, other.counts().tolist(), strict=True))
    return [there.get(name, 0) for name in run.folder.classes]


def weigh(recalls: dict[str, float | None], counts: list[int], run: opsin.Run) -> float:
    """Return the accuracy that follows from the recalls, with these numbers of images."""
    pairs = [(recalls.get(name), count) for name, count in zip(run.folder.classes, counts, strict=True)]
    known = [(recall, count) for recall, count in pairs if recall is not None and count]
    return sum(recall * count for recall, count in known) / sum(count for _, count in known)


def show(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print a row for each seed, and the error of each method."""
    methods = list(rows[0]["estimated"])
    lines = []
    for row in rows:
        estimated, measured = row["estimated"], row["measured"]
        cells = [f"{estimated[method]['expected']:.1%}" for method in methods]
        laboratories = estimated["laboratories"]
        lines.append(
            [
                str(row["seed"]),
                f"{measured['value']:.1%} ({measured['low']:.1%}–{measured['high']:.1%})",
                *cells,
                f"{laboratories['low']:.1%}–{laboratories['high']:.1%}",
            ]
        )
    print(f"\n{Path(options.home).name} → {Path(options.away).name}, {rows[0]['measured']['n']:,} images away\n")
    print(table(["seed", "measured away", *methods, "central 80 % of simulated domains"], lines))
    for method in methods:
        off = [100 * (row["estimated"][method]["expected"] - row["measured"]["value"]) for row in rows]
        spread = f"({min(off):+.1f} to {max(off):+.1f}, n = {len(off)})"
        print(f"{method}: error {statistics.mean(off):+.1f} points {spread}")


if __name__ == "__main__":
    main()
