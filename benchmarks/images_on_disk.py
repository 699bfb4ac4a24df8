"""Loading photographs: Opsin's decoded pixels against torchvision's ImageFolder and a DataLoader with two processes.

    python benchmarks/images_on_disk.py --rounds 5

Makes JPEGs of about one megapixel in class folders, then brings all of them to float batches of 32 at 224 x 224, for
two epochs: the first decodes everything, the second has what the loader kept. Each way runs in a fresh process, one at
a time, and the ways take turns. The files have just been written, so that the disk itself is not what is measured.

    torchvision        ImageFolder, Resize, PILToTensor and float; two processes that stay alive; nothing is kept
    opsin              decoded once into memory as bytes
    opsin-augmented    the same, and every image varied anew as in training on photographs (torchvision's is not)
    opsin-disk         decoded into a file, as for images beyond the memory budget
    opsin-disk-again   a later run that finds that file

Memory is that of the process and its children, sampled 20 times a second. On Linux pages shared by processes are
counted once, and what the system can take back (pages of files) is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from common import limit_cores, machine, ratios, spread, table, thread_limits, today, versions

SIDE = 224  # pixels, of the batches
BATCH_SIZE = 32
CLASSES = ("bark", "leaf", "sky", "stone")
TEXTURES = 12
QUALITY = 90
MODES = ("torchvision", "opsin", "opsin-augmented", "opsin-disk", "opsin-disk-again")
TARGETS = {"first": 1.0, "second": 2.0}


def main() -> None:
    """Make the images, let the ways take turns, and print the tables."""
    options = parse()
    if options.mode:
        print(json.dumps(load_twice(options.mode, Path(options.folder), Path(options.cache), options.cores)))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(options.folder) if options.folder else Path(place) / "photographs"
        started = time.perf_counter()
        files = make_images(folder, options.images, options.size, options.cores)
        size = np.median([file.stat().st_size for file in files]) / 1000
        print(f"{today()} · {machine()}")
        width, height = options.size
        print(
            f"{len(files):,} JPEGs of {width}×{height}, {size:.0f} kB in the median (made in "
            f"{time.perf_counter() - started:.0f} s), to batches of {BATCH_SIZE} × {SIDE}×{SIDE}, {options.cores} "
            f"cores, n = {options.rounds} rounds\n",
            flush=True,
        )
        rows: dict[str, list[dict[str, float]]] = {mode: [] for mode in options.modes}
        for number in range(options.rounds):
            for mode in options.modes:
                rows[mode].append(measure(mode, folder, Path(place) / f"cache-{number}", options.cores))
    show(rows)
    if options.json:
        result = {"machine": machine(), "date": today(), "images": len(files), "rounds": rows}
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is run (5)")
    parser.add_argument("--images", type=int, default=2000, help="how many JPEGs (2,000)")
    parser.add_argument("--size", default="1152x864", help="width x height of the JPEGs (1152x864)")
    parser.add_argument("--cores", type=int, default=2, help="cores, and processes of the DataLoader (2)")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES, metavar="NAME", help="the ways to compare")
    parser.add_argument("--folder", help="where the JPEGs are kept for a next time; left out: a temporary folder")
    parser.add_argument("--json", metavar="FILE", help="write the figures of every round to a file")
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, _, height = options.size.partition("x")
    options.size = (int(width), int(height))
    if "opsin-disk-again" in options.modes and "opsin-disk" not in options.modes:
        parser.error("opsin-disk-again needs opsin-disk before it")
    return options


def make_images(folder: Path, number: int, size: tuple[int, int], cores: int) -> list[Path]:
    """Write JPEGs into class folders, unless they are there already, and return them."""
    files = [folder / CLASSES[index % len(CLASSES)] / f"{index:05d}.jpg" for index in range(number)]
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    missing = [file for file in files if not file.exists()]
    if missing:
        generator = np.random.default_rng(0)
        textures = [smooth_noise(generator, size) for _ in range(TEXTURES)]
        with ProcessPoolExecutor(cores, initializer=share_textures, initargs=(textures,)) as workers:
            list(workers.map(partial(make_image, size=size), missing, chunksize=16))
    return files


TEXTURE_POOL: list[NDArray[np.float32]] = []


def share_textures(textures: list[NDArray[np.float32]]) -> None:
    """Give a process that makes pictures its textures."""
    TEXTURE_POOL[:] = textures


def smooth_noise(generator: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a sum of smooth color noise at scales from 2 pixels to the whole picture, its spectrum falling as 1/f.

    Returns:
        float32 ``(height, width, 3)`` around 0, standard deviation 1.
    """
    width, height = size
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(1, 9):
        shape = (max(2, height >> octave), max(2, width >> octave))
        grey = generator.normal(size=(*shape, 1))
        noise = (0.8 * grey + 0.3 * generator.normal(size=(*shape, 3))).astype(np.float32)
        for channel in range(3):
            picture = Image.fromarray(noise[..., channel]).resize(size, Image.Resampling.BICUBIC)
            total[..., channel] += np.asarray(picture) * 2 ** (octave / 1.4)
    return (total - total.mean()) / total.std()


def make_image(file: Path, size: tuple[int, int]) -> None:
    """Write one picture: two textures, a few bodies with edges before them, a little noise of the sensor."""
    generator = np.random.default_rng(int(file.stem))
    width, height = size
    one, two = (TEXTURE_POOL[index] for index in generator.choice(len(TEXTURE_POOL), 2, replace=False))
    # Shifting a texture round gives a new picture at the cost of a copy.
    shifts = generator.integers(0, (height, width), (2, 2))
    one, two = (np.roll(texture, tuple(shift), (0, 1)) for texture, shift in zip((one, two), shifts, strict=True))
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    for _ in range(generator.integers(6, 20)):
        x, y = generator.uniform(0, width), generator.uniform(0, height)
        half_width, half_height = generator.uniform(20, 200, 2)
        box = (x - half_width, y - half_height, x + half_width, y + half_height)
        shape = draw.ellipse if generator.random() < 0.5 else draw.rectangle
        shape(box, fill=int(generator.integers(60, 256)))
    front = np.asarray(mask, np.float32)[..., None] / 255
    tint = generator.uniform(80, 170, 3).astype(np.float32)
    contrast = np.float32(generator.uniform(25, 45))
    pixels = tint + contrast * (one * (1 - front) + (two + 1) * front)
    pixels += generator.standard_normal((height, width, 1), np.float32) * 3
    temporary = file.with_suffix(".part")
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(temporary, "JPEG", quality=QUALITY)
    temporary.replace(file)  # a picture that is there is whole


def measure(mode: str, folder: Path, cache: Path, cores: int) -> dict[str, float]:
    """Run one way in a fresh process and return its seconds, images and memory."""
    command = [sys.executable, __file__, "--mode", mode, "--folder", str(folder), "--cache", str(cache)]
    environment = os.environ | thread_limits(cores)
    process = subprocess.Popen([*command, "--cores", str(cores)], stdout=subprocess.PIPE, env=environment, text=True)
    peaks = {"memory": 0.0, "with_file_pages": 0.0}
    while process.poll() is None:
        for name, value in memory(process.pid).items():
            peaks[name] = max(peaks[name], value)
        time.sleep(0.05)
    assert process.stdout
    output = process.stdout.read()
    if process.returncode:
        sys.exit(f"{mode} ended with exit code {process.returncode}")
    return json.loads(output) | peaks


def memory(number: int) -> dict[str, float]:
    """Return the MiB that a process and its children hold: their own, and with the pages of files they have mapped."""
    import psutil

    own = mapped = 0.0
    try:
        root = psutil.Process(number)
        for process in [root, *root.children(recursive=True)]:
            sizes = proportional_sizes(process.pid)
            own += sizes["Pss_Anon"] + sizes["Pss_Shmem"] if sizes else process.memory_info().rss / 2**10
            mapped += sizes["Pss"] if sizes else process.memory_info().rss / 2**10
    except (psutil.Error, OSError):
        pass  # a process ended while it was looked at; the next sample is soon
    return {"memory": own / 2**10, "with_file_pages": mapped / 2**10}


def proportional_sizes(number: int) -> dict[str, int]:
    """Return the kB of a process in which each shared page is divided among those who share it; Linux only."""
    file = Path(f"/proc/{number}/smaps_rollup")
    if not file.exists():
        return {}
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    return {words[0].rstrip(":"): int(words[1]) for words in lines}


def load_twice(mode: str, folder: Path, cache: Path, cores: int) -> dict[str, float]:
    """Time two epochs of batches in this process."""
    limit_cores(cores)
    import torch

    torch.set_num_threads(cores)
    prepare = prepare_torchvision if mode == "torchvision" else prepare_opsin
    import_everything(mode)
    started = time.perf_counter()
    epoch = prepare(mode, folder, cache, cores)
    first = run_through(epoch(0))
    between = time.perf_counter()
    second = run_through(epoch(1))
    ended = time.perf_counter()
    return {"first": (between - started) / first * 1000, "second": (ended - between) / second * 1000}


def import_everything(mode: str) -> None:
    """Import what a mode needs, so that the clock does not count it."""
    if mode == "torchvision":
        import torchvision.datasets
        import torchvision.transforms.v2  # noqa: F401
    else:
        import opsin.data.read  # noqa: F401


def run_through(batches: Iterable[Any]) -> int:
    """Touch every batch and return the number of images."""
    images = 0
    for batch in batches:
        pixels = batch[0] if isinstance(batch, list | tuple) else batch.images
        assert pixels.shape[1:] == (3, SIDE, SIDE) and pixels.is_floating_point()
        float(pixels[-1, -1, -1, -1])
        images += len(pixels)
    return images


def prepare_torchvision(mode: str, folder: Path, cache: Path, cores: int) -> Any:
    """Return what gives the batches of an epoch by torchvision."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    transform = v2.Compose([v2.Resize((SIDE, SIDE)), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)])
    loader = DataLoader(
        ImageFolder(str(folder), transform),
        batch_size=BATCH_SIZE,
        shuffle=True,
        drop_last=True,
        num_workers=cores,
        persistent_workers=True,
    )
    return lambda number: loader


def prepare_opsin(mode: str, folder: Path, cache: Path, cores: int) -> Any:
    """Decode all images, and return what gives the batches of an epoch by Opsin."""
    import torch

    from opsin.data.augment import Augmentation
    from opsin.data.batches import Batches
    from opsin.data.pixels import load_pixels
    from opsin.data.preprocessing import Preprocessing
    from opsin.data.read import read_dataset
    from opsin.recipe.schema import AugmentationRecipe

    dataset = read_dataset(folder)
    preprocessing = Preprocessing(SIDE, SIDE, 3)
    budget = 0 if "disk" in mode else 2**40
    pixels = load_pixels(dataset.images, preprocessing, budget=budget, cache=cache, workers=cores)
    assert not pixels.unreadable and (pixels.place == "memory") == ("disk" not in mode)
    assert pixels.decoded == (0 if mode.endswith("again") else len(dataset))
    photographs = {"horizontal_flip": 0.5, "brightness": 0.15, "contrast": 0.15, "saturation": 0.15}
    augmentation = Augmentation(replace(AugmentationRecipe(), **photographs)) if mode == "opsin-augmented" else None
    batches = Batches(
        pixels.images,
        dataset.targets.encode(preprocessing),
        torch.arange(len(dataset)),
        batch_size=BATCH_SIZE,
        preprocessing=preprocessing,
        augmentation=augmentation,
    )
    return batches.epoch


def show(rows: dict[str, list[dict[str, float]]]) -> None:
    """Print the tables."""
    lines = []
    for mode, rounds in rows.items():
        line = [mode]
        for epoch in ("first", "second"):
            line.append(spread([1000 / row[epoch] for row in rounds]))
            if "torchvision" in rows:
                others = [row[epoch] for row in rows["torchvision"]]
                line.append(spread(ratios(others, [row[epoch] for row in rounds]), 2))
            else:
                line.append("")
        line += [spread([row["memory"] for row in rounds]), spread([row["with_file_pages"] for row in rounds])]
        lines.append(line)
    header = ["loader", "1st epoch, images/s", "× torchvision", "2nd epoch, images/s", "× torchvision"]
    print(table([*header, "peak memory, MiB", "with file pages, MiB"], lines))
    print(f"\nmedian (min–max) of rounds; target: at least {TARGETS['first']:g} × torchvision in the first epoch and")
    print(f"{TARGETS['second']:g} × in the second.")
    found = versions(("torch", "torchvision", "pillow", "opsin"))
    print("\n" + ", ".join(f"{package} {number}" for package, number in found.items()))


if __name__ == "__main__":
    main()
