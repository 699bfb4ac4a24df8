"""Reader of the binary version of CIFAR-10 and CIFAR-100.

The format is described at https://www.cs.toronto.edu/~kriz/cifar.html: each record is one label byte (CIFAR-10) or a
coarse and a fine label byte (CIFAR-100), then 3 planes (red, green, blue) of 32 x 32 pixels, row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.dataset import Dataset
from opsin.data.images import TEST, TRAIN, ArrayImages
from opsin.data.targets import ClassTargets
from opsin.errors import DataError

_PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class _Version:
    """File names of one of the two data sets.

    Attributes:
        folder: Folder in the published archive.
        python: Folder of the pickled version.
        train: Files of training images.
        test: File of test images.
        names: Label bytes at the start of a record -> file of their class names.
    """

    folder: str
    python: str
    train: tuple[str, ...]
    test: str
    names: dict[str, str]


_TEN = _Version(
    folder="cifar-10-batches-bin",
    python="cifar-10-batches-py",
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
    names={"label": "batches.meta.txt"},
)
_HUNDRED = _Version(
    folder="cifar-100-binary",
    python="cifar-100-python",
    train=("train.bin",),
    test="test.bin",
    names={"coarse": "coarse_label_names.txt", "label": "fine_label_names.txt"},
)


CIFAR10_FILES = (*_TEN.train, _TEN.test, *_TEN.names.values())
CIFAR100_FILES = (*_HUNDRED.train, _HUNDRED.test, *_HUNDRED.names.values())


def read_cifar(path: Path, *, label: str = "label", group: str = "group") -> Dataset:
    """Read the binary version of CIFAR-10 or CIFAR-100.

    Args:
        path: The folder with ``data_batch_1.bin`` ... or ``train.bin``, or the folder above it.
        label: ``label`` or ``fine`` for the fine classes; ``coarse`` for the 20 superclasses of CIFAR-100.
        group: Must be left at its default.

    Returns:
        The data set with its own split into train and test. Without the file of class names, classes are named by
        their numbers.

    Raises:
        DataError: It is the Python version, a file is missing or damaged, or ``label`` is unknown.
    """
    version, folder = _find(path)
    key = "label" if label == "fine" and version is _HUNDRED else label
    if key not in version.names:
        choices = " or ".join("fine" if key == "label" and version is _HUNDRED else key for key in version.names)
        raise DataError(f"{folder} has no labels {label!r}; give {choices}.")
    if group != "group":
        raise DataError(f"{folder} contains CIFAR, which has no groups; leave out {group!r}.")
    place = list(version.names).index(key)
    parts = [_records(folder / name, len(version.names)) for name in (*version.train, version.test)]
    names = _names(folder / version.names[key])
    labels = np.concatenate([records[:, place] for records in parts]).astype(np.int64)
    classes = names or tuple(str(number) for number in range(int(labels.max()) + 1))
    if int(labels.max()) >= len(classes):
        raise DataError(f"{folder} has labels up to {labels.max()}, but {len(classes)} class names; copy it again.")
    pixels = np.concatenate([records[:, len(version.names) :] for records in parts])
    tests = len(parts[-1])
    return Dataset(
        name=path.resolve().name,
        classes=classes,
        images=ArrayImages(np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))),
        targets=ClassTargets(labels),
        split=np.array([TRAIN] * (len(labels) - tests) + [TEST] * tests),
    )


def holds_cifar(path: Path, classes: int | None = None) -> bool:
    """Return whether a folder, or CIFAR's own folder in it, holds the binary version (with that number of classes)."""
    found = _locate(path)
    return found is not None and classes in (None, 10 if found[0] is _TEN else 100)


def holds_pickled_cifar(path: Path) -> bool:
    """Return whether a folder, or CIFAR's own folder in it, holds the Python version, which is never loaded."""
    folders = (path, path / _TEN.python, path / _HUNDRED.python)
    return any(
        (folder / "data_batch_1").is_file() or ((folder / "train").is_file() and (folder / "meta").is_file())
        for folder in folders
    )


def _locate(path: Path) -> tuple[_Version, Path] | None:
    for version in (_TEN, _HUNDRED):
        for folder in (path, path / version.folder):
            if (folder / version.train[0]).is_file():
                return version, folder
    return None


def _find(path: Path) -> tuple[_Version, Path]:
    found = _locate(path)
    if found is None:
        what = "contains no CIFAR files"
        if holds_pickled_cifar(path):
            what = "is the Python version, a pickle, which can run code and is never loaded"
        raise DataError(
            f"{path} {what}; get the binary version (cifar-10-binary.tar.gz or cifar-100-binary.tar.gz) and give its "
            f"folder."
        )
    return found


def _records(path: Path, label_bytes: int) -> NDArray[np.uint8]:
    """Return the records of one file, uint8 ``(N, label bytes + 3072)``."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; copy all files of the archive.") from error
    length = label_bytes + _PIXELS
    if content.size == 0 or content.size % length:
        raise DataError(
            f"{path} is truncated or not a CIFAR file: its {content.size:,} bytes are not a multiple of {length:,}; "
            f"copy it again."
        )
    return content.reshape(-1, length)


def _names(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(line.strip() for line in lines if line.strip())
