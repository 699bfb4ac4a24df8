"""Data of the lessons, with error messages that say where to put missing files."""

from __future__ import annotations

import lzma
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from opsin.data.catalog import data_roots, find
from opsin.data.images import TEST, TRAIN
from opsin.data.read import read_dataset
from opsin.errors import DataError
from opsin.scratch.cars import Cars, read_cars
from opsin.scratch.experiments import Digits
from opsin.scratch.sentiment import to_number

FEWEST = 20  # minimum number of cars or reviews


def find_cars(path: str | Path | None = None) -> tuple[Cars, str]:
    """Return the cars and their source: a path, ``auto_mpg/`` below a data root, or the package vega-datasets.

    Args:
        path: A file, or a folder with auto-mpg.data, cars.json or cars.csv.

    Raises:
        DataError: The cars are missing or too few, or the file has another format.
    """
    if path is None:
        below = [root / "auto_mpg" / "auto-mpg.data" for root in data_roots()]
        path = next((file for file in below if file.exists()), None) or _vega_cars()
    elif Path(path).is_dir():
        inside = [Path(path) / name for name in ("auto-mpg.data", "cars.json", "cars.csv")]
        path = next((file for file in inside if file.exists()), path)
    if path is None:
        raise DataError(
            "The Auto MPG data are missing: run `pip install vega-datasets`, or give auto-mpg.data, cars.json or a "
            "CSV file with --data."
        )
    try:
        cars = read_cars(path)
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror}; give the file of the cars with --data.") from None
    except (ValueError, AttributeError) as error:
        raise DataError(
            f"{path} holds no cars: {error}; give auto-mpg.data, cars.json or a CSV with its columns."
        ) from None
    known = cars.known()
    if len(known.names) < FEWEST:
        raise DataError(
            f"{path} holds {len(known.names)} cars without missing values; the lesson needs at least {FEWEST}."
        )
    same = [name for name in ("horsepower", "weight") if len(np.unique(known.column(name))) == 1]
    if same:
        raise DataError(f"{path}: all cars have the same {same[0]}; the lesson needs different values.")
    return cars, f"{Path(path).name}, {len(cars.names)} cars"


def _vega_cars() -> Path | None:
    found = find_spec("vega_datasets")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "_data" / "cars.json"
    return path if path.exists() else None


def find_digits(path: str | Path | None = None, held_out: int = 5_000) -> tuple[Digits, Digits, str]:
    """Return digits for training and validation, digits for testing, and their source.

    MNIST if installed (or any dataset of `opsin.read_dataset` at a path), else the 1,797 small digits of scikit-learn.

    Returns:
        Training and validation images; training and test images; the source. Validation images are the last training
        images: ``held_out`` of them, at most 15 %.

    Raises:
        DataError: The path holds no labeled images.
    """
    source = str(path) if path is not None else "mnist" if find("mnist") else "digits"
    dataset = read_dataset(source)
    shapes = {dataset.images.shape(row) for row in (0, len(dataset) - 1)}
    if len(shapes) > 1:
        raise DataError(f"{source}: the images differ in size; the lesson needs images of one size, such as MNIST.")
    pixels = np.stack([dataset.images.read(row) for row in range(len(dataset))])
    X = (pixels.reshape(len(pixels), -1) / np.float32(255)).astype(np.float32)  # (N, D), from 0 to 1
    labels = dataset.strata
    if dataset.split is None:
        order = np.random.default_rng(0).permutation(len(X))
        X, labels = X[order], labels[order]
        test = np.arange(len(X)) >= int(0.8 * len(X))
        train = ~test
    else:
        train, test = dataset.split == TRAIN, dataset.split == TEST
    X_train, train_labels = X[train], labels[train]
    kept = len(X_train) - min(held_out, int(0.15 * len(X_train)))
    chosen = Digits(X_train[:kept], train_labels[:kept], X_train[kept:], train_labels[kept:])
    tested = Digits(X_train[:kept], train_labels[:kept], X[test], labels[test])
    return chosen, tested, f"{dataset.name}, {len(X_train):,} images to learn from, {int(test.sum()):,} to test"


def find_reviews(path: str | Path | None = None) -> tuple[list[str], list[int], str]:
    """Return the film reviews, their labels (1: positive) and their source.

    They are ``reviews.txt`` (or ``.xz``) and ``labels.txt`` in a folder: the path, or ``reviews/`` below a data root.

    Raises:
        DataError: The reviews are missing, too few or all of one class, or the number of labels differs.
    """
    folders = [Path(path)] if path is not None else [root / "reviews" for root in data_roots()]
    for folder in folders:
        text = next((folder / name for name in ("reviews.txt", "reviews.txt.xz") if (folder / name).exists()), None)
        if text is not None and (folder / "labels.txt").exists():
            return _read_reviews(text, folder / "labels.txt")
    where = path if path is not None else "a folder `reviews` below OPSIN_DATA"
    raise DataError(
        f"The film reviews are missing: put reviews.txt and labels.txt into {where}, or give their folder with --data."
    )


def _read_reviews(text: Path, labels: Path) -> tuple[list[str], list[int], str]:
    try:
        raw = (
            lzma.open(text, "rt", encoding="utf-8").read() if text.suffix == ".xz" else text.read_text(encoding="utf-8")
        )
        reviews = raw.splitlines()
        numbers = [to_number(word) for word in labels.read_text(encoding="utf-8").split()]
    except (OSError, UnicodeDecodeError, lzma.LZMAError, ValueError) as error:
        raise DataError(f"The reviews in {text.parent} cannot be read: {error}.") from None
    if len(reviews) != len(numbers):
        raise DataError(
            f"{text.parent} holds {len(reviews):,} reviews but {len(numbers):,} labels; there must be one label per "
            "review."
        )
    if len(reviews) < FEWEST or len(set(numbers)) < 2:
        raise DataError(
            f"{text.parent} holds {sum(numbers):,} positive and {len(numbers) - sum(numbers):,} negative reviews; the "
            f"lesson needs at least {FEWEST}, of both classes."
        )
    return reviews, numbers, f"{len(reviews):,} film reviews"
