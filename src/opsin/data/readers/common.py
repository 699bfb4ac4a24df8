"""Shared helpers of the readers: names of splits, natural order, lists in sentences."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

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
    """Return the split named by a word such as ``Valid``, or None."""
    return SPLIT_WORDS.get(word.strip().lower())


def natural_key(text: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Return a key for natural sorting: ``grade 10`` after ``grade 9``, ``Cat`` next to ``cat``."""
    parts = re.split(r"(\d+)", text.casefold())
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part], text


def number_labels(values: Sequence[str] | NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Convert class names to class numbers.

    Args:
        values: Class name of each of N images.

    Returns:
        The labels, int64 ``(N,)``, and the class names in natural order.
    """
    names, inverse = np.unique(np.asarray(values, dtype=str), return_inverse=True)
    classes = sorted(names.tolist(), key=natural_key)
    place = {name: index for index, name in enumerate(classes)}
    order = np.array([place[name] for name in names.tolist()], dtype=np.int64)
    return order[inverse.reshape(-1)], tuple(classes)


def file_images(root: Path, paths: Iterable[Path]) -> FileImages:
    """Return images with absolute paths, which remain valid if the working directory changes."""
    return FileImages(Path(os.path.abspath(root)), [Path(os.path.abspath(path)) for path in paths])


def join_some(words: Iterable[object], limit: int = 3) -> str:
    """Join at most ``limit`` items: ``a, b, c and 5 more``."""
    every = [str(word) for word in words]
    shown = ", ".join(every[:limit])
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit:,} more"


def join_words(words: Sequence[str], last: str = "and") -> str:
    """Join all words: ``a, b and c``."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def refuse_column_names(path: Path, what: str, label: str, group: str) -> None:
    """Raise `DataError` if the caller named a column in a format without columns."""
    for word, name, default in (("label", label, "label"), ("group", group, "group")):
        if name != default:
            raise DataError(
                f"{path} {what} and has no {word} column {name!r}; leave out the name, or list the images in a CSV "
                f"file with the columns path,label,group."
            )
