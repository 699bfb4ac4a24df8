"""Effect of recomputing batch normalization statistics on images without augmentation.

    python benchmarks/normalization.py blood_cells/home --seeds 3 --set data.image_size=96 --set training.epochs=8

Trains the same recipe twice for each seed: as Opsin does, with statistics recomputed on images without augmentation
before every validation, and the usual way, with the running means of the augmented batches. Prints the validation
accuracy of the best epoch and of the last one, where the learning rate is nearly 0 and the weights are constant, and
the test accuracy.
"""

from __future__ import annotations

import argparse
from typing import Any
from unittest import mock

import opsin
from common import machine, mean_spread, table, today

WAYS = {"running means of training": False, "taken anew from plain images": True}


def main() -> None:
    """Train both ways over the seeds, and print a table."""
    options = parse()
    print(f"{today()} · {machine()}")
    rows = []
    for name, renewed in WAYS.items():
        runs = [trained(seed, renewed, options) for seed in range(options.seeds)]
        last = [run.history[-1]["validation"]["accuracy"] for run in runs]
        best, test = ([run.scorecard[split]["accuracy"]["value"] for run in runs] for split in ("validation", "test"))
        rows.append([name, str(len(runs)), mean_spread(best), mean_spread(last), mean_spread(test)])
    print(table(["statistics", "seeds", "validation, best epoch", "validation, last epoch", "test"], rows))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="what is trained on")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 (3)")
    parser.add_argument("--runs", default="runs/normalization", help="where the runs are made (runs/normalization)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the recipe")
    return parser.parse_args()


def trained(seed: int, renewed: bool, options: argparse.Namespace) -> opsin.Run:
    """Train one run, or find it finished."""
    settings: dict[str, Any] = dict(item.partition("=")[::2] for item in options.set)
    settings |= {"seed": seed, "resume": True, "inspect": False}
    if renewed:
        return opsin.train(options.data, runs=f"{options.runs}/renewed", **settings)
    with mock.patch("opsin.training.session.renew_statistics"):
        return opsin.train(options.data, runs=f"{options.runs}/running", **settings)


if __name__ == "__main__":
    main()
