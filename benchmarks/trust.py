"""Calibration and out-of-distribution detection of a run on real images.

    python benchmarks/trust.py blood_cells/home cats_dogs/test skin_lesions/test blood_cells/away
    python benchmarks/trust.py mnist fashion-mnist

Trains on the first data by the default recipe (--set changes it; a finished run is not repeated), and shows log loss
and calibration error on its test images with and without the temperature that was fitted on validation. For every
other dataset, it then prints the area under the ROC curve of the distance to the training images (against the test
images), that of one minus the highest probability, and the fraction of images flagged as out of distribution. The
inverted and the upside-down test images are included.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

import opsin
from common import machine, table, today
from opsin.data.images import TEST
from opsin.data.read import read_dataset
from opsin.evaluation.calibration import tempered
from opsin.metrics.thresholds import roc_auc
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.scorecard import score_probabilities
from opsin.training.prepare import read_source

SHOWN = 1000  # images of a data set, drawn at random


def main() -> None:
    """Train, and print both tables."""
    options = parse()
    settings = dict(item.partition("=")[::2] for item in options.set)
    run = opsin.train(options.data, runs=options.runs, resume=True, inspect=False, **settings)
    print(f"{today()} · {machine()} · {run.path}")
    calibration(run)
    unlike(run, options.others)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="what is trained on")
    parser.add_argument("others", nargs="*", help="what is shown to the network")
    parser.add_argument("--runs", default="runs/trust", help="where the run folder is made (runs/trust)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the recipe")
    return parser.parse_args()


def calibration(run: opsin.Run) -> None:
    """Print the scores of the probabilities on test at temperature 1 and at the run's."""
    predicted = run.folder.predicted(TEST)
    labels, after = predicted.targets.values, predicted.predictions
    before = Classifications(tempered(after.probabilities, 1 / run.folder.temperature))
    rows = []
    for name, predictions in (("1", before), (f"{run.folder.temperature:.2f}", after)):
        scores = score_probabilities(predictions, labels, run.folder.groups(TEST))
        rows.append([name, *(f"{score.value:.4f} ({score.low:.4f}–{score.high:.4f})" for score in scores)])
    print(f"\n{len(labels):,} test images. {run.folder.calibration['decision']}\n")
    print(table(["temperature", "log loss", "calibration error"], rows))


def unlike(run: opsin.Run, others: list[str]) -> None:
    """Print how well other images are told from the test images."""
    sets = dict(images(run, others))
    scores, doubts = {}, {}
    for name, pixels in sets.items():
        predictions, distances = run.predictor.predict_unlike(pixels, torch.arange(len(pixels)))
        scores[name], doubts[name] = distances, 1 - predictions.confidence
    rows = []
    for name in sets:
        called = f"{100 * (scores[name] > 1).mean():.1f} %"
        areas = ["–", "–"] if name == TEST else [f"{area(one, name):.3f}" for one in (scores, doubts)]
        rows.append([name, f"{len(sets[name]):,}", *areas, called])
    print("\n" + table(["images", "n", "AUC of the distance", "AUC of 1 - confidence", "flagged"], rows))


def area(values: dict[str, NDArray], name: str) -> float:
    """Return how well values rank a data set above the test images."""
    both = np.concatenate([values[TEST], values[name]])
    return float(roc_auc(np.arange(len(both)) >= len(values[TEST]), both))


def images(run: opsin.Run, others: list[str]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the test images, changed ones, and those of other data, uint8 ``(N, H, W, C)``."""
    dataset = read_source(run.recipe)
    places = {dataset.images.name(row): row for row in range(len(dataset))}
    test = decoded(run, dataset.images, np.array([places[name] for name in run.folder.predicted(TEST).names]))
    yield TEST, test
    yield "test, inverted", 255 - test
    yield "test, upside down", test.flip(1)
    for other in others:
        found = read_dataset(other, check=False)
        yield other, decoded(run, found.images, np.arange(len(found)))


def decoded(run: opsin.Run, source: opsin.data.images.Images, rows: NDArray[np.int64]) -> torch.Tensor:
    """Return at most `SHOWN` images, drawn with seed 0."""
    rows = np.random.default_rng(0).permutation(rows)[:SHOWN]
    return torch.from_numpy(np.stack([run.predictor.preprocessing.read(source, int(row)) for row in rows]))


if __name__ == "__main__":
    main()
