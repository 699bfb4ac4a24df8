"""Error of `opsin estimate-accuracy`: accuracy estimated without labels against measured accuracy, on corrupted images.

    python benchmarks/estimate_accuracy.py runs/cells runs/lesions --images 120

Validation images of each run are corrupted differently from the simulated domains: by single corruptions at severities
2 and 4, and by 15 harsher domains (severities up to 5). The accuracy estimated from the predictions alone is compared
with the true accuracy, once with the class frequencies of the validation images and six times with given random class
frequencies (a flat Dirichlet distribution). `median` is the simulated estimate, which does not use the images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import opsin
from common import machine, table, today
from opsin.inspection.domain_shift import Answers, estimate_from_answers
from opsin.inspection.robustness import applicable, simulate_laboratories
from opsin.inspection.robustness_run import choose_rows, trial_of
from opsin.tasks.classification.predictions import Classifications
from opsin.workflow.evaluate import prepare_again, subject_of

SEVERITIES = (2, 4)
HARSHER = 15


def main() -> None:
    """Corrupt images, estimate the accuracy on them, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="run folders of classifiers")
    parser.add_argument("--images", type=int, default=120, help="validation images per run (120)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the images and class frequencies (0)")
    options = parser.parse_args()
    print(f"{today()} · {machine()}\n")
    rows = []
    for path in options.runs:
        run = opsin.load_run(path)
        home, changed = change(run, options)
        for shares, times in (("home", 1), ("random", 6)):
            found = list(errors(home, changed, len(run.folder.classes), times, shares == "random", options.seed))
            for kind in changed:
                off = np.array([error for name, *error in found if name == kind])
                rows.append([run.name, shares, kind, str(len(off)), *(f"{100 * value:.1f}" for value in figures(off))])
    print(table(["run", "classes", "images", "n", "absolute error", "mean error", "absolute error, median"], rows))
    print("\nabsolute error: mean absolute difference, in percentage points")


def change(run: opsin.Run, options: argparse.Namespace) -> tuple[Answers, dict[str, Answers]]:
    """Return the predictions of a run in its simulated domains, and on images corrupted differently."""
    subject = subject_of(run, prepare_again(run.folder, None, Console(stderr=True)))
    trial = trial_of(subject, choose_rows(subject, options.images, options.seed))
    alone = [
        cast(Classifications, trial.look({name: severity}, {})[0])
        for name in applicable(trial.images)
        for severity in SEVERITIES
    ]
    _, home = simulate_laboratories(trial)
    _, harsher = simulate_laboratories(trial, number=HARSHER, strongest=5.0)
    assert home is not None and harsher is not None  # as the runs are classifiers
    harsher = replace(harsher, predicted=harsher.predicted[1:], confidence=harsher.confidence[1:])
    return home, {"single corruptions": Answers.of(alone, home.labels), "harsher domains": harsher}


def errors(
    home: Answers, changed: dict[str, Answers], classes: int, times: int, random: bool, seed: int
) -> Iterator[tuple[str, float, float]]:
    """Yield the kind of images and the errors of the estimate and of the median simulated domain."""
    generator = np.random.default_rng(seed)
    counts = np.bincount(home.labels, minlength=classes)
    for _ in range(times):
        for kind, several in changed.items():
            for predicted, confidence in zip(several.predicted, several.confidence, strict=True):
                shares = generator.dirichlet(np.ones(classes)) * (counts > 0) if random else counts / counts.sum()
                shares = shares / shares.sum()
                weights = (shares / np.maximum(counts, 1))[home.labels]
                drawn = np.arange(len(weights))
                if random:  # a resample of the same size with these class frequencies
                    drawn = generator.choice(drawn, len(drawn), p=weights / weights.sum())
                estimate = estimate_from_answers(home, predicted[drawn], confidence[drawn], shares, exact=not random)
                right = float((predicted == home.labels)[drawn].mean())
                middle = float(np.median((home.predicted[1:] == home.labels) @ weights))
                yield kind, estimate.expected - right, middle - right


def figures(off: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean absolute and the mean error of the estimate, and the mean absolute error of the median."""
    return float(np.abs(off[:, 0]).mean()), float(off[:, 0].mean()), float(np.abs(off[:, 1]).mean())


if __name__ == "__main__":
    main()
