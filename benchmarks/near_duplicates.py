"""Near-duplicates: recall of planted copies, other pairs found, and run time.

    python benchmarks/near_duplicates.py mnist blood_cells/home cats_dogs skin_lesions
    python benchmarks/near_duplicates.py --times 1000 10000 100000

For each data set (a name, or a path, looked for below OPSIN_DATA too) its images are decoded as for training from
scratch, copies of random ones are made in each way, all are put together, and `find_near_duplicates` runs once. A copy
counts as found when it comes into one group with its original. All other pairs are counted as well: they are either
repeats that were in the data before, or mistakes. --pictures FOLDER writes them side by side, the least alike first,
for a person to judge.

The times are those of pictures of 96×96 that are made, not taken: textures behind and within bodies with edges, no two
alike. They lie in a memory-mapped file.

    resized        down to 50-100 % and up again, bilinear, bicubic or Lanczos
    halved         the same, to exactly 50 %
    recompressed   JPEG of quality 30 to 95
    brightened     contrast times 0.85 to 1.15, brightness plus -20 to 20
    cropped        90-100 % of each side kept, anywhere, brought back to size
    cropped 10 %   exactly 90 % of both sides
    mirrored       left-right or upside-down
    turned         by 90, 180 or 270 degrees
    both           mirrored or turned, then recompressed
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from PIL import Image

from common import limit_cores, machine, table, today, versions
from images_on_disk import smooth_noise
from opsin.data.fingerprint import compute_fingerprint, find_symmetry
from opsin.data.near_duplicates.find import NearDuplicates, find_near_duplicates
from opsin.data.read import read_dataset
from opsin.recipe.recipe import from_settings
from opsin.training.prepare import prepare

RESAMPLING = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
SIDE = 96  # pixels, of the pictures that are timed
SHOWN = 96  # pairs on a sheet for a person to judge

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, np.random.Generator], Pixels]


def main() -> None:
    """Plant copies in each data set and look for them; then time growing numbers of pictures."""
    options = parse()
    limit_cores(options.cores)
    torch.set_num_threads(options.cores)
    print(f"{today()} · {machine()}, {options.cores} used")
    results: dict[str, Any] = {"machine": machine(), "date": today(), "recall": {}, "times": []}
    for source in options.data:
        results["recall"][source] = measure_recall(source, options)
    if results["recall"]:
        show_recall(results["recall"])
    if options.times:
        results["times"] = [measure_time(number) for number in options.times]
        show_times(results["times"])
    print("\n" + ", ".join(f"{package} {number}" for package, number in versions(("opsin", "torch", "numpy")).items()))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", help="names of data sets (opsin datasets), or paths")
    parser.add_argument(
        "--each", type=int, default=300, help="copies of each kind (300, or as many as there are images)"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides what is planted (0)")
    parser.add_argument("--times", type=int, nargs="+", default=[], metavar="N", help="numbers of pictures to time")
    parser.add_argument("--cores", type=int, default=2, help="cores (2)")
    parser.add_argument("--pictures", metavar="FOLDER", help="where to draw the pairs that were not planted")
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file")
    return parser.parse_args()


def resized(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Make an image smaller and as large as before again."""
    return through(image, generator.uniform(0.5, 1), RESAMPLING[generator.integers(3)])


def halved(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Make an image half as large and as large as before again."""
    return through(image, 0.5, RESAMPLING[generator.integers(3)])


def through(image: Pixels, scale: float, resampling: Image.Resampling) -> Pixels:
    """Bring an image to another scale and back."""
    height, width = image.shape[:2]
    small = to_picture(image).resize((round(width * scale), round(height * scale)), resampling)
    return from_picture(small.resize((width, height), resampling), image)


def recompressed(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Save an image as JPEG."""
    buffer = io.BytesIO()
    to_picture(image).save(buffer, "JPEG", quality=int(generator.integers(30, 96)))
    return from_picture(Image.open(buffer), image)


def brightened(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Change contrast and brightness a little."""
    changed = (image - 128.0) * generator.uniform(0.85, 1.15) + 128 + generator.uniform(-20, 20)
    return changed.clip(0, 255).round().astype(np.uint8)


def cropped(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Leave out up to a tenth of each side."""
    return window(image, *generator.uniform(0.9, 1, 2), generator, Image.Resampling.BICUBIC)


def cropped_most(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Leave out a tenth of both sides."""
    return window(image, 0.9, 0.9, generator, Image.Resampling.BILINEAR)


def window(
    image: Pixels, tall: float, wide: float, generator: np.random.Generator, resampling: Image.Resampling
) -> Pixels:
    """Enlarge a part of an image, at a random place, to the whole."""
    height, width = image.shape[:2]
    top, left = generator.uniform(0, 1 - tall) * height, generator.uniform(0, 1 - wide) * width
    box = (left, top, left + wide * width, top + tall * height)
    return from_picture(to_picture(image).resize((width, height), resampling, box=box), image)


def mirrored(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Mirror an image."""
    return image[:, ::-1] if generator.random() < 0.5 else image[::-1]


def turned(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Turn an image, squashing it into the frame where that is no square."""
    other = np.ascontiguousarray(np.rot90(image, int(generator.integers(1, 4))))
    return from_picture(to_picture(other).resize(image.shape[1::-1]), image)


def mirrored_or_turned_and_recompressed(image: Pixels, generator: np.random.Generator) -> Pixels:
    """Mirror or turn an image and save it as JPEG."""
    change = mirrored if generator.random() < 0.5 else turned
    return recompressed(np.ascontiguousarray(change(image, generator)), generator)


CHANGES: dict[str, Change] = {
    "exact": lambda image, generator: image,
    "resized": resized,
    "halved": halved,
    "recompressed": recompressed,
    "brightened": brightened,
    "cropped": cropped,
    "cropped 10 %": cropped_most,
    "mirrored": mirrored,
    "turned": turned,
    "both": mirrored_or_turned_and_recompressed,
}
SYMMETRIC = ("mirrored", "turned", "both")


def to_picture(image: Pixels) -> Image.Image:
    """Return an array as an image of Pillow."""
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def from_picture(picture: Image.Image, image: Pixels) -> Pixels:
    """Return an image of Pillow as an array of the shape of another."""
    return np.asarray(picture).reshape(image.shape)


def measure_recall(source: str, options: argparse.Namespace) -> dict[str, Any]:
    """Plant copies in one data set, look for them, and return what was found."""
    images, symmetric = decode(source)
    number, generator = len(images), np.random.default_rng(options.seed)
    kinds = [kind for kind in CHANGES if symmetric or kind not in SYMMETRIC]
    each = min(options.each, number)
    planted = np.repeat(kinds, each)
    sources = np.concatenate([generator.permutation(number)[:each] for _ in kinds])
    copies = [CHANGES[kind](images[index], generator) for kind, index in zip(planted, sources, strict=True)]
    started = time.perf_counter()
    found = find_near_duplicates(np.concatenate([images, np.stack(copies)]), mirrored=symmetric)
    seconds = time.perf_counter() - started
    groups = found.groups(number + len(copies))
    together = groups[number:] == groups[sources]
    others = pairs_among_originals(found, sources, number)
    if options.pictures and len(others):
        draw(images, others, Path(options.pictures) / f"{Path(source).stem}.png")
    return {
        "images": number,
        "size": "×".join(map(str, images.shape[1:3])),
        "each": each,
        "found": {kind: float(together[planted == kind].mean()) for kind in kinds},
        "other_images": len(np.unique(others)),
        "largest_group": largest_group(others, number),
        "seconds": seconds,
    }


def decode(source: str) -> tuple[Pixels, bool]:
    """Return the images of a data set as training from scratch sees them, and whether they may be mirrored."""
    below = Path(os.environ.get("OPSIN_DATA", ".")) / source
    dataset = read_dataset(below if not Path(source).exists() and below.exists() else source)
    settings = {"network": "small_resnet", "near_duplicates": False, "skip_unreadable": True}
    prepared = prepare(from_settings(settings), dataset)
    return prepared.pixels.images.numpy(), find_symmetry(dataset, compute_fingerprint(dataset)) != "none"


def pairs_among_originals(found: NearDuplicates, sources: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return the pairs ``(P, 2)`` that were not planted, copies standing for their originals, least alike first."""
    order = np.argsort(found.similarity, kind="stable")
    original = np.concatenate([np.arange(number), sources])
    pairs = np.sort(original[found.pairs[order]], axis=1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    _, first = np.unique(pairs, axis=0, return_index=True)
    return pairs[np.sort(first)]


def largest_group(pairs: NDArray[np.int64], number: int) -> int:
    """Return how many images the largest group holds that pairs make."""
    none = np.zeros(0)
    groups = NearDuplicates(pairs, none, none).groups(number)
    return int(np.bincount(groups).max())


def draw(images: Pixels, pairs: NDArray[np.int64], file: Path) -> None:
    """Draw pairs side by side, six in a row."""
    cells = [np.concatenate([images[first], images[second]], axis=1) for first, second in pairs[:SHOWN]]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % 6)
    rows = [np.concatenate(cells[start : start + 6], axis=1) for start in range(0, len(cells), 6)]
    file.parent.mkdir(parents=True, exist_ok=True)
    to_picture(np.concatenate(rows)).save(file)


def measure_time(number: int) -> dict[str, float]:
    """Make pictures in a file and time looking for near-duplicates among them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pictures.npy"
        make_pictures(file, number)
        images = np.load(file, mmap_mode="r")
        started = time.perf_counter()
        found = find_near_duplicates(images, mirrored=True)
        seconds = time.perf_counter() - started
        del images
    print(f"{number:,} pictures: {seconds:.1f} s", flush=True)
    return {"images": number, "seconds": seconds, "pairs": len(found.pairs)}


def make_pictures(file: Path, number: int) -> None:
    """Write pictures of 96×96: a cut from one texture, bodies cut from another before it."""
    generator = np.random.default_rng(0)
    textures = np.stack([smooth_noise(generator, (1024, 1024)) for _ in range(12)])
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    pictures = open_memmap(file, "w+", np.uint8, (number, SIDE, SIDE, 3))
    for index in range(number):
        one, two = (
            textures[texture, top : top + SIDE, left : left + SIDE]
            for texture, top, left in zip(
                generator.choice(12, 2, replace=False), *generator.integers(0, 1024 - SIDE, (2, 2)), strict=True
            )
        )
        front = np.zeros((SIDE, SIDE), bool)
        for _ in range(generator.integers(2, 6)):
            middle, radii = generator.uniform(0, SIDE, 2), generator.uniform(6, 30, 2)
            front |= ((rows - middle[0]) / radii[0]) ** 2 + ((columns - middle[1]) / radii[1]) ** 2 < 1
        tint, contrast = generator.uniform(80, 170, 3), generator.uniform(25, 45)
        pictures[index] = (tint + contrast * np.where(front[..., None], two + 1, one)).clip(0, 255)
    pictures.flush()


def show_recall(results: dict[str, dict[str, Any]]) -> None:
    """Print what was found of each kind, and what else."""
    header = [
        "",
        *(f"{name} ({row['images']:,} of {row['size']}, {row['each']} each)" for name, row in results.items()),
    ]
    rows = [
        [kind, *(f"{row['found'][kind]:.1%}" if kind in row["found"] else "" for row in results.values())]
        for kind in CHANGES
    ]
    rows.append(["images in other pairs", *(f"{row['other_images']:,}" for row in results.values())])
    rows.append(["largest group of them", *(f"{row['largest_group']:,}" for row in results.values())])
    rows.append(["seconds", *(f"{row['seconds']:.1f}" for row in results.values())])
    print("\n" + table(header, rows), flush=True)


def show_times(times: list[dict[str, float]]) -> None:
    """Print how long each number of pictures took, and how that grows."""
    rows = []
    for before, now in zip([None, *times], times, strict=False):
        exponent = ""
        if before is not None:
            exponent = (
                f"{math.log(now['seconds'] / before['seconds']) / math.log(now['images'] / before['images']):.2f}"
            )
        rows.append([f"{now['images']:,}", f"{now['seconds']:.1f}", exponent, f"{now['pairs']:,}"])
    print("\n" + table(["pictures of 96×96", "seconds", "grows with the power", "pairs found (there are none)"], rows))


if __name__ == "__main__":
    main()
