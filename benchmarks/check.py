"""Recall of `opsin check` on faults planted into real images.

    python benchmarks/check.py blood_cells/home cats_dogs/train --rounds 3
    python benchmarks/check.py --speed 100000

Both folders hold class folders. Each round copies the first, plants the faults of `FAULTS` and a few images of the
second into it with another seed, checks the copy, and counts the findings. Wrong labels are planted into a separate
copy. The folder without faults is checked first: findings there count as false alarms, though a person may agree with
them. --speed creates that number of 96×96 JPEGs of noise and measures the wall and CPU time of a check, twice; on a
busy machine the CPU time is more meaningful.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

import opsin
from common import machine, table, today

MISLABELLED = 0.05  # of all images
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".webp")


def blur(image: Image.Image) -> Image.Image:
    """Blur by 2 % of the side: details of a few pixels are gone, the outline stays."""
    return image.filter(ImageFilter.GaussianBlur(0.02 * max(image.size)))


def blacken(image: Image.Image) -> Image.Image:
    """Return an exposure in the dark, with the noise of a camera."""
    seed = sum(image.tobytes())  # its own for each image, or all of them would be duplicates
    noise = np.random.default_rng(seed).integers(0, 8, (image.height, image.width, 3), np.uint8)
    return Image.fromarray(noise)


def shrink(image: Image.Image) -> Image.Image:
    """Return a thumbnail of 40 % of the side."""
    return image.resize((max(1, round(image.width * 0.4)), max(1, round(image.height * 0.4))))


# Kind of finding -> how many are planted, and what is done to an image of the data, which it then replaces.
FAULTS: dict[str, tuple[int, Callable[[Image.Image], Image.Image]]] = {
    "blurred": (20, blur),
    "blank": (8, blacken),
    "size": (10, shrink),
    "color": (10, lambda image: image.convert("L")),
}


def main() -> None:
    """Plant, check, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="class folders that faults are planted into")
    parser.add_argument("foreign", type=Path, nargs="?", help="class folders of other pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="keep the planted copy of the first round here")
    parser.add_argument("--speed", type=int, default=0, help="time a check of this number of images instead")
    options = parser.parse_args()
    print(f"{today()}, {machine()}\n")
    if options.speed:
        time_check(options.speed)
        return
    if not (options.folder and options.foreign):
        sys.exit("Give the folder to plant into, and one of foreign pictures.")
    rows: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    clean = opsin.check(options.folder, labels=True)
    alarms = {finding.kind: len(finding.images) for finding in clean.findings}
    for seed in range(options.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "planted"
            planted = plant(options.folder, options.foreign, copy, random.Random(seed))
            count(opsin.check(copy), planted, rows)
            if seed == 0 and options.keep:
                shutil.copytree(copy, options.keep)
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "mislabelled"
            planted = {"label-error": mislabel(options.folder, copy, random.Random(seed))}
            count(opsin.check(copy, labels=True), planted, rows)
    report(rows, alarms, len(clean.dataset))


def files(folder: Path) -> list[Path]:
    """Return the images below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def plant(source: Path, foreign: Path, copy: Path, chance: random.Random) -> dict[str, set[str]]:
    """Copy class folders and plant faults; return the names of the faulty images of each kind."""
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("decisions.csv"))
    images = files(copy)
    chance.shuffle(images)
    planted: dict[str, set[str]] = {}
    for kind, (number, change) in FAULTS.items():
        planted[kind] = set()
        for path in (images.pop() for _ in range(number)):
            image = change(Image.open(path).convert("RGB"))
            path.unlink()
            image.save(path.with_suffix(".png"))
            planted[kind].add(path.with_suffix(".png").relative_to(copy).as_posix())
    planted["unreadable"] = set()
    for path in (images.pop() for _ in range(5)):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        planted["unreadable"].add(path.relative_to(copy).as_posix())
    classes = sorted(path for path in copy.iterdir() if path.is_dir())
    for kind in ("duplicates", "two-labels"):
        planted[kind] = set()
        for number, path in enumerate(images.pop() for _ in range(20)):
            other = chance.choice([name for name in classes if name != path.parent])
            place = (path.parent if kind == "duplicates" else other) / f"{kind}-{number}.png"
            Image.open(path).convert("RGB").save(place)  # other bytes, the same pixels
            planted[kind] |= {item.relative_to(copy).as_posix() for item in (path, place)}
    planted["duplicates"] |= planted["two-labels"]
    strangers = files(foreign)
    planted["outlier"] = set()
    for number, path in enumerate(chance.sample(strangers, 18)):
        place = chance.choice(classes) / f"foreign-{number}{path.suffix}"
        shutil.copy(path, place)
        planted["outlier"].add(place.relative_to(copy).as_posix())
    return planted


def mislabel(source: Path, copy: Path, chance: random.Random) -> set[str]:
    """Copy class folders and move 5 % of the images into another class; return their names."""
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("decisions.csv"))
    images = files(copy)
    classes = sorted({path.parent for path in images})
    moved = set()
    for path in chance.sample(images, round(MISLABELLED * len(images))):
        place = chance.choice([name for name in classes if name != path.parent]) / f"moved-{path.name}"
        path.rename(place)
        moved.add(place.relative_to(copy).as_posix())
    return moved


def count(
    found: opsin.audit.result.Check, planted: dict[str, set[str]], rows: dict[str, list[tuple[int, ...]]]
) -> None:
    """Add to the rows of each kind: planted, planted and found, found, found and planted as anything at all."""
    said = {finding.kind: set(finding.images) for finding in found.findings}
    faulty = set().union(*planted.values())
    for kind, names in planted.items():
        here = said.get(kind, set())
        rows[kind].append((len(names), len(names & here), len(here), len(faulty & here)))


def report(rows: dict[str, list[tuple[int, ...]]], alarms: dict[str, int], images: int) -> None:
    """Print recall and precision of each kind over all rounds."""
    lines = []
    for kind, counts in rows.items():
        planted, right, found, faulty = (sum(column) for column in zip(*counts, strict=True))
        recalls = [row[1] / row[0] for row in counts]
        lines.append(
            [
                kind,
                str(planted),
                f"{right / planted:.1%} ({min(recalls):.0%}–{max(recalls):.0%})",
                f"{faulty / found:.1%}" if found else "–",
                f"{alarms.get(kind, 0)} of {images:,}",
            ]
        )
    print(table(["kind", "planted", "found (rounds)", "reported with a fault", "reported without faults"], lines))


def time_check(number: int) -> None:
    """Time the check of images of smooth noise, which compress and compare like photographs."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        generator = np.random.default_rng(0)
        for index in range(number):
            place = folder / f"class {index % 10}" / f"{index:06}.jpg"
            place.parent.mkdir(exist_ok=True)
            coarse = Image.fromarray(generator.integers(0, 256, (12, 12, 3), np.uint8))
            coarse.resize((96, 96), Image.Resampling.BICUBIC).save(place, quality=85)
        times, work = [], []
        for _ in range(2):
            start, used = time.perf_counter(), time.process_time()
            opsin.check(folder, quiet=False)
            times.append(time.perf_counter() - start)
            work.append(time.process_time() - used)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{number:,} images: {min(times):.0f} s ({', '.join(f'{one:.0f}' for one in times)}), "
        f"{number / min(times):,.0f} images/s; {min(work):.0f} s of one core's time, "
        f"{number / min(work):,.0f} images/s per core; peak memory {memory:.1f} GiB"
    )


if __name__ == "__main__":
    main()
