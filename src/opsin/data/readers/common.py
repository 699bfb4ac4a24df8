"""What the readers share: words for the splits, the order of names, lists in sentences."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.images import TEST, TRAIN, VALIDATION, FileImages
from opsin.errors import DataError

SPLIT_WORDS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}


def split_of(word: str) -> str | None:
    """Return the split that a word such as ``Valid`` means, None for any other word."""
    return SPLIT_WORDS.get(word.strip().lower())


def natural_key(text: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Return a sorting key that puts ``grade 10`` after ``grade 9`` and ``Cat`` beside ``cat``."""
    parts = re.split(r"(\d+)", text.casefold())
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part], text


def number_labels(values: Sequence[str] | NDArray) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Turn class names into labels.

    Args:
        values: One class name for each of N samples.

    Returns:
        The labels, int64 ``(N,)``, and the class names in natural order.
    """
    names, inverse = np.unique(np.asarray(values, dtype=str), return_inverse=True)
    classes = sorted(names.tolist(), key=natural_key)
    place = {name: index for index, name in enumerate(classes)}
    order = np.array([place[name] for name in names.tolist()], dtype=np.int64)
    return order[inverse.reshape(-1)], tuple(classes)


def file_images(root: Path, paths: Iterable[Path]) -> FileImages:
    """Return images with absolute paths, so that they are still found after a change of the working folder."""
    return FileImages(Path(os.path.abspath(root)), [Path(os.path.abspath(path)) for path in paths])


def listed(words: Iterable[object], limit: int = 3) -> str:
    """Return ``a, b, c and 5 more``."""
    every = [str(word) for word in words]
    shown = ", ".join(every[:limit])
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit:,} more"


def spoken(words: Sequence[str], last: str = "and") -> str:
    """Return ``a, b and c``."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def refuse_column_names(path: Path, what: str, label: str, group: str) -> None:
    """Raise a DataError if the caller named a column or array of a format that has none."""
    for word, name, default in (("label", label, "label"), ("group", group, "group")):
        if name != default:
            raise DataError(
                f"{path} {what} and so has no {word} column {name!r}; leave the name out, or list the images in a CSV "
                f"file with the columns path,label,group."
            )
