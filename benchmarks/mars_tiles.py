"""Turn tiles of MarsScapes into data for segmentation: five classes, split as their file says.

    python benchmarks/mars_tiles.py marsscapes_tiles_64x128.npz mars.npz
    opsin study run mars-terrain --data mars.npz

The file holds `images` and `labels`, uint8 (N, 64, 128); `class_names`; `panorama`, of which each tile was cut; and
`is_test`. Its nine classes become background (sky, ridge, rover, unknown), soil (soil, gravel), bedrock, sand and big
rock; 255 stays void. Tiles of one class alone tell nothing about borders and are left out of the training images, and
so are those that are void for more than half.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

VOID = 255
CLASSES = {
    "background": ("sky", "ridge", "rover", "unknown"),
    "soil": ("soil", "gravel"),
    "bedrock": ("bedrock",),
    "sand": ("sand",),
    "big rock": ("big_rock",),
}


def main() -> None:
    """Write the npz."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tiles", type=Path, help="the npz of tiles")
    parser.add_argument("out", type=Path, help="the npz to write")
    options = parser.parse_args()
    with np.load(options.tiles, allow_pickle=False) as tiles:
        images, labels, panoramas, test = (tiles[name] for name in ("images", "labels", "panorama", "is_test"))
        names = tiles["class_names"].tolist()
    table = np.full(256, VOID, np.uint8)
    for number, old in enumerate(CLASSES.values()):
        for name in old:
            if name not in names:
                sys.exit(f"{options.tiles} has no class {name}; its classes are {', '.join(names)}.")
            table[names.index(name)] = number
    masks = table[labels]
    several = np.array([len(np.unique(mask[mask != VOID])) > 1 for mask in masks])
    kept = test | (several & ((masks == VOID).mean(axis=(1, 2)) <= 0.5))
    arrays = {"classes": np.array(list(CLASSES))}
    for split, rows in (("train", kept & ~test), ("test", test)):
        arrays |= {
            f"{split}_images": images[rows],
            f"{split}_masks": masks[rows],
            f"{split}_group": panoramas[rows],
        }
    np.savez_compressed(options.out, **arrays)
    print(f"{options.out}: {(kept & ~test).sum():,} tiles to train with, {test.sum():,} for test")


if __name__ == "__main__":
    main()
