"""Turn mosaics of CIFAR-100 into the files of its binary version, which Opsin reads.

    python benchmarks/unpack_cifar100.py MOSAICS/ cifar100/
    opsin train cifar100/

The folder of mosaics holds `train/` and `test/` with one lossless picture for each class (`00_apple.webp`): its images,
32 x 32 pixels each, from left to right and from top to bottom; and `coarse.json`, the superclass of each class. The
images of all classes are written in turn (the first of each class, then the second of each), so that a part from the
beginning of a file holds every class.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
SUFFIXES = (".webp", ".png")


def main() -> None:
    """Write train.bin, test.bin and the two files of names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mosaics", type=Path, help="the folder with train/, test/ and coarse.json")
    parser.add_argument("out", type=Path, help="the folder for the binary files")
    options = parser.parse_args()
    parents = json.loads((options.mosaics / "coarse.json").read_text(encoding="utf-8"))
    fine, coarse = sorted(parents), sorted(set(parents.values()))
    options.out.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        pictures = read_mosaics(options.mosaics / split, fine)
        content = np.concatenate(
            [records(pictures[name], coarse.index(parents[name]), number) for number, name in enumerate(fine)]
        )
        turns = np.concatenate([np.arange(len(pictures[name])) for name in fine])
        content[np.argsort(turns, kind="stable")].tofile(options.out / f"{split}.bin")
        print(f"{options.out / split}.bin: {len(content):,} images of {len(fine)} classes")
    for file, names in (("fine_label_names.txt", fine), ("coarse_label_names.txt", coarse)):
        (options.out / file).write_text("\n".join(names) + "\n", encoding="utf-8", newline="\n")


def read_mosaics(folder: Path, names: list[str]) -> dict[str, NDArray[np.uint8]]:
    """Return the images of each class, uint8 ``(N, 32, 32, 3)``."""
    files = {file.stem.partition("_")[2]: file for file in sorted(folder.glob("*")) if file.suffix in SUFFIXES}
    missing = sorted(set(names) - set(files))
    if missing:
        sys.exit(f"{folder} has no mosaic of {len(missing)} classes, the first is {missing[0]}.")
    return {name: read_mosaic(files[name]) for name in names}


def read_mosaic(file: Path) -> NDArray[np.uint8]:
    """Cut a mosaic into its images, uint8 ``(N, 32, 32, 3)``."""
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    height, width = pixels.shape[:2]
    if height % SIDE or width % SIDE:
        sys.exit(f"{file} is {width}×{height} pixels, which is no whole number of images of {SIDE}×{SIDE}.")
    tiles = pixels.reshape(height // SIDE, SIDE, width // SIDE, SIDE, 3).swapaxes(1, 2)
    return tiles.reshape(-1, SIDE, SIDE, 3)


def records(pictures: NDArray[np.uint8], coarse: int, fine: int) -> NDArray[np.uint8]:
    """Return the records of one class: superclass, class, and the planes of red, green and blue, ``(N, 3074)``."""
    labels = np.tile(np.array([coarse, fine], np.uint8), (len(pictures), 1))
    return np.concatenate([labels, pictures.transpose(0, 3, 1, 2).reshape(len(pictures), -1)], axis=1)


if __name__ == "__main__":
    main()
