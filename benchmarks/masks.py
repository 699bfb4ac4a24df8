"""Training speed of a U-Net on images of 128 by 128 in memory: Opsin's whole loop against a bare one and MONAI.

    python benchmarks/masks.py --rounds 7 --python monai=/elsewhere/bin/python

The U-Net (four levels, 32 to 256 channels) and the loss (cross-entropy and Dice) are the same for all; images are blobs
on noise. Contenders take turns; see turns.py. `opsin-augmented` turns, shears, zooms, flips and bends images and masks;
`opsin-auto` does so in the precision that Opsin chooses where nothing is said, all others in full precision;
`opsin-usual-memory` gives freed memory back to the system at once, as the C library does where nobody asks otherwise.
MONAI reads image and mask as PNG files, scales, flips and turns them by quarters, as in its tutorials; `monai-cached`
keeps what is read in memory (CacheDataset).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from common import machine, ratios, spread, today
from masks_contenders import BATCH_SIZE, CONTENDERS, SIDE
from turns import race, turn_options

TARGETS = {"bare": 0.95, "monai": 1.5}


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    turn_options(parser, CONTENDERS)
    parser.add_argument("--rounds", type=int, default=7, help="epochs of each contender that count (7)")
    parser.add_argument("--images", type=int, default=160, help="images in an epoch (160)")
    options = parser.parse_args()
    number = max(2, options.images // BATCH_SIZE) * BATCH_SIZE
    with tempfile.TemporaryDirectory() as place:
        write_blobs(Path(place), number)
        print(f"{today()} · {machine()}")
        print(
            f"{number:,} images of {SIDE}x{SIDE} an epoch, batches of {BATCH_SIZE}, {options.cores} cores, "
            f"n = {options.rounds} rounds after 1 to warm up\n",
            flush=True,
        )
        reports = race("masks_contenders.py", options, Path(place), number, TARGETS)
    seconds = {name: [each["seconds"] for each in rows] for name, rows in reports.items()}
    if {"opsin", "opsin-augmented", "opsin-auto"} <= seconds.keys():
        plain, varied, chosen = seconds["opsin"], seconds["opsin-augmented"], seconds["opsin-auto"]
        costs = [100 * (ratio - 1) for ratio in ratios(varied, plain)]
        print(f"\nAugmentation costs {spread(costs, 1)} % of an epoch (meant to be: below 10 %).")
        print(f"By default Opsin has {spread(ratios(varied, chosen), 2)} times that speed.")


def write_blobs(folder: Path, number: int) -> None:
    """Write images and masks, as arrays and as PNG files."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    masks = np.zeros((number, SIDE, SIDE), np.uint8)
    for mask in masks:
        for y, x, radius in generator.uniform((0, 0, 8), (SIDE, SIDE, 24), (5, 3)):
            mask |= ((rows - y) ** 2 + (columns - x) ** 2 < radius**2).astype(np.uint8)
    noise = generator.normal(0, 30, (*masks.shape, 3))
    images = (90 + 60 * masks[..., None] + noise).clip(0, 255).astype(np.uint8)
    np.save(folder / "images.npy", images)
    np.save(folder / "masks.npy", masks)
    for kind, pictures in (("images", images), ("masks", masks)):
        (folder / kind).mkdir()
        for place, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / kind / f"{place:04}.png")


if __name__ == "__main__":
    main()
