"""Detection of a shortcut by the verdict: a ruler along the edge of all images of one class.

    OPSIN_DATA=~/data python benchmarks/ruler.py --seeds 3

Draws a ruler along the lower edge of every cat of cats_dogs (class folders below train/ and test/), trains a small
network on these images and on the original ones, and prints the test accuracy, the attribution in the margin relative
to its area, and the number of runs with a warning in the verdict.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from PIL import Image, ImageDraw

import opsin
from common import machine, mean_spread, table, today
from opsin.evaluation.verdict.attribution import METHODS

SETTINGS = {"network": "small_resnet", "pretrained": False, "image_size": 64, "epochs": 6}


def main() -> None:
    """Train both kinds over the seeds, and print a table."""
    options = parse()
    print(f"{today()} · {machine()}")
    ruled = draw_rulers(options.data, options.runs / "ruled")
    rows = []
    for name, source in (("untouched", options.data), ("ruler along the edge of the cats", ruled)):
        found = [inspected(source, seed, options.runs) for seed in range(options.seeds)]
        accuracy, share = ([entry[key] for entry in found] for key in (0, 1))
        told = sum(entry[2] for entry in found)
        rows.append([name, mean_spread(accuracy), mean_spread(share), f"{told} of {len(found)}"])
    print(table(["pictures", "test accuracy", "margin / its area", "runs whose verdict tells"], rows))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("OPSIN_DATA", ".")) / "cats_dogs"
    parser.add_argument("--data", type=Path, default=default, help="the pictures ($OPSIN_DATA/cats_dogs)")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 0 (3)")
    parser.add_argument("--runs", type=Path, default=Path("runs/ruler"), help="where the runs are made (runs/ruler)")
    return parser.parse_args()


def draw_rulers(source: Path, target: Path) -> Path:
    """Copy the pictures, with a ruler along the lower edge of every cat."""
    for path in sorted(source.glob("*/*/*.jpg")):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        image = Image.open(path).convert("RGB")
        if path.parent.name == "cats":
            ruler, top = ImageDraw.Draw(image), image.height - max(6, image.height // 12)
            ruler.rectangle((0, top, image.width, image.height), fill=(245, 245, 240))
            for x in range(0, image.width, 4):
                ruler.line((x, top, x, image.height - 2), fill=(20, 20, 20))
        image.save(place, quality=92)
    return target


def inspected(source: Path, seed: int, runs: Path) -> tuple[float, float, bool]:
    """Train one run; return its test accuracy, the margin's share by its area, and whether the verdict tells of it."""
    run = opsin.train(source, seed=seed, runs=runs, resume=True, **SETTINGS)
    border = run.folder.attributions["border"]
    share = statistics.fmean(statistics.fmean(border["shares"][method]) for method in METHODS)
    told = any(finding["kind"] == "looks-at-border" for finding in run.folder.verdict)
    return run.scorecard["test"]["accuracy"]["value"], share / border["area"], told


if __name__ == "__main__":
    main()
