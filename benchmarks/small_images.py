"""Training speed on small images in memory: Opsin's complete loop against a minimal one, Keras, fastai and Lightning.

    python benchmarks/small_images.py --rounds 7

Every contender runs in its own persistent process; their epochs alternate (A B C A B C ...), so that a temporary
slowdown of the machine affects all of them. The first round is a warm-up and is not counted. Only the
training part of an epoch is timed, except for Opsin, whose checkpoint, best weights and curves between epochs count.

A contender whose package is missing is skipped and listed. A package that conflicts with the others can be in another
environment: --python fastai-vision=/elsewhere/bin/python.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np

from common import machine, today
from small_images_contenders import BATCH_SIZE, CONTENDERS
from turns import race, turn_options

TARGETS = {"bare": 0.97, "keras": 1.5, "fastai-vision": 3.0, "fastai-tensors": 3.0, "lightning": 4.0}


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
        reports = race("small_images_contenders.py", options, folder, number, TARGETS)
    if "opsin" in reports:
        between = [1 - report["loop"] / report["seconds"] for report in reports["opsin"]]
        print(f"\nOf Opsin's time {statistics.median(between):.1%} is spent between epochs (files), counted above.")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    turn_options(parser, CONTENDERS)
    parser.add_argument("--rounds", type=int, default=7, help="epochs of each contender that count (7)")
    parser.add_argument("--images", type=int, default=60_000, help="training images, for a quick try (60,000)")
    return parser.parse_args()


def write_images(folder: Path, limit: int) -> int:
    """Write the training images for the contenders, a whole number of batches, and return how many."""
    from opsin import read_dataset

    dataset = read_dataset("fashion-mnist")
    rows = np.flatnonzero(dataset.split == "train")[:limit]
    rows = rows[: len(rows) // BATCH_SIZE * BATCH_SIZE]
    np.save(folder / "images.npy", np.stack([dataset.images.read(int(row)) for row in rows]))
    np.save(folder / "labels.npy", dataset.targets.values[rows].astype(np.int64))
    return len(rows)


if __name__ == "__main__":
    main()
