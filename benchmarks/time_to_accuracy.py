"""Training time to 99 % test accuracy on MNIST: Opsin, and the standard recipes of Keras and fastai.

    python benchmarks/time_to_accuracy.py --goal 0.99

Every contender trains as many epochs as its recipe has, in turns of one epoch (see turns.py), and is tested after
each; only training is timed. Its time is that of all epochs up to the first that reaches the goal. This compares whole
recipes, not loops: networks, batch sizes and schedules are each contender's own.

    opsin-default    the default recipe for small images, 12 epochs
    opsin-short      the same with --epochs 4
    opsin-course     a plain CNN of 21,578 parameters, --network course_cnn --augment 0 --epochs 8
    keras-tensorflow the example "Simple MNIST convnet" of keras.io: two convolutions, dropout, Adam, 15 epochs of 128
    fastai           chapter 13 of fastai's book: five convolutions with batch normalization, one-cycle, 5 epochs of 512
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common import machine, table, today
from time_to_accuracy_contenders import CONTENDERS, EPOCHS
from turns import take_turns, turn_options


def main() -> None:
    """Train all, and print when each was there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    turn_options(parser, CONTENDERS)
    parser.add_argument("--goal", type=float, default=0.99, help="accuracy on the test images (0.99)")
    options = parser.parse_args()
    print(f"{today()} · {machine()}\n", flush=True)
    with tempfile.TemporaryDirectory() as place:
        write_mnist(Path(place))
        reports, left_out = take_turns("time_to_accuracy_contenders.py", options, Path(place), EPOCHS)
    header = ["contender", f"seconds to {options.goal:.2%}", "epoch", "best", "seconds in all"]
    print(table(header, rows(reports, options.goal)))
    for name, reason in left_out.items():
        print(f"\nleft out: {name}: {reason}")
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine(), "reports": reports}) + "\n", encoding="utf-8")


def write_mnist(folder: Path) -> None:
    """Write images and labels of both splits."""
    from opsin import read_dataset

    dataset = read_dataset("mnist")
    for split in ("train", "test"):
        some = np.flatnonzero(dataset.split == split)
        np.save(folder / f"{split}_images.npy", np.stack([dataset.images.read(int(row)) for row in some]))
        np.save(folder / f"{split}_labels.npy", dataset.targets.values[some].astype(np.int64))


def rows(reports: dict[str, list[dict[str, Any]]], goal: float) -> list[list[str]]:
    """Return a row for each contender."""
    made = []
    for name, epochs in reports.items():
        seconds = np.cumsum([epoch["seconds"] for epoch in epochs])
        accuracies = [epoch["accuracy"] for epoch in epochs]
        there = next((place for place, accuracy in enumerate(accuracies) if accuracy >= goal), None)
        when = ("not reached", "") if there is None else (f"{seconds[there]:.1f}", f"{there + 1} of {len(epochs)}")
        made.append([name, *when, f"{max(accuracies):.4f}", f"{seconds[-1]:.1f}"])
    return made


if __name__ == "__main__":
    main()
