"""Test accuracy of the default recipe on named datasets, over several seeds.

    python benchmarks/accuracy.py mnist fashion-mnist --seeds 3

Each seed is an ordinary run below --runs: it trains with the defaults and evaluates the test split once. The split is
the same for all; weights, order and augmentation differ. Finished runs are skipped, an interrupted one is resumed. Any
key of the recipe can be changed by --set, for a quick try (--set training.epochs=1) or to compare.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import opsin
from common import machine, table, today, versions


def main() -> None:
    """Train, and print a table for each data set."""
    options = parse()
    print(f"{today()} · {machine()}")
    results = {}
    for name in options.data:
        rows = [train(name, seed, options) for seed in range(options.seeds)]
        results[name] = rows
        show(name, rows)
    print("\n" + ", ".join(f"{package} {number}" for package, number in versions(("torch", "opsin", "timm")).items()))
    if options.json:
        result = {"machine": machine(), "date": today(), "results": results}
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="names of datasets (opsin datasets), or paths")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, counted from 0 (3)")
    parser.add_argument("--runs", default="runs/accuracy", help="folder of the runs (runs/accuracy)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the recipe")
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file")
    return parser.parse_args()


def train(data: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train one seed, or find its finished run, and return its figures."""
    settings = dict(item.partition("=")[::2] for item in options.set)
    run = opsin.train(data, seed=seed, runs=options.runs, resume=True, **settings)
    accuracy = run.scorecard["test"]["accuracy"]
    recipe = run.recipe
    return {
        "seed": seed,
        "accuracy": accuracy,
        "minutes": run.folder.info["seconds"] / 60,
        "network": recipe.network.name,
        "parameters": run.folder.info["network"]["parameters"],
        "epochs": recipe.training.epochs,
        "precision": recipe.training.precision,
        "images_per_second": run.folder.info["throughput"]["training"],
        "run": run.name,
    }


def show(name: str, rows: list[dict[str, Any]]) -> None:
    """Print the figures of one data set."""
    first = rows[0]
    print(
        f"\n{name}: {first['network']}, {first['parameters']:,} parameters, {first['epochs']} epochs, "
        f"{first['precision']}; {first['accuracy']['n']:,} test images\n"
    )
    lines = []
    for row in rows:
        score = row["accuracy"]
        interval = f"{score['low']:.2%}–{score['high']:.2%} ({score['method']})"
        lines.append([str(row["seed"]), f"{score['value']:.2%}", interval, f"{row['minutes']:.1f}", row["run"]])
    print(table(["seed", "test accuracy", "95 % interval", "minutes", "run"], lines))
    values = [row["accuracy"]["value"] for row in rows]
    minutes = [row["minutes"] for row in rows]
    deviation = f", standard deviation {statistics.stdev(values):.2%}" if len(values) > 1 else ""
    print(
        f"\nmean {statistics.mean(values):.2%} ({min(values):.2%}–{max(values):.2%}{deviation}, n = {len(values)}), "
        f"{statistics.mean(minutes):.1f} minutes of training and validation a run"
    )


if __name__ == "__main__":
    main()
