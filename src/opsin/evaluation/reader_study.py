"""Reader study: people who judged the same images, for comparison with a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.csv_table import Table, parse_table
from opsin.data.readers.common import join_some
from opsin.errors import DataError, nearest
from opsin.evaluation.operating_points import measure
from opsin.statistics.bootstrap import Interval

NAMED_ROWS = 5


@dataclass(frozen=True)
class Reader:
    """Scores of one person in detecting the images of a class.

    Attributes:
        name: Name of the reader.
        label: The class to detect.
        sensitivity: Sensitivity for the class; without bounds if the table has no calls.
        specificity: Specificity for the class.
    """

    name: str
    label: int
    sensitivity: Interval
    specificity: Interval


def read_readers(
    path: Path,
    names: Sequence[str],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    positive: str | None,
    groups: NDArray[Any] | None = None,
) -> list[Reader]:
    """Read a table of readers: either the scores of each, or the calls of each on every image.

    Args:
        path: A CSV file with the columns ``reader,sensitivity,specificity`` (and ``class``, needed for more than two
            classes), or ``reader,image,call``, where a call is a class name. A reader may have judged some images only.
        names: Names of the N test images; a table may omit folders and extensions if that is unambiguous.
        labels: int64 ``(N,)``, the true classes.
        classes: Class names.
        positive: Positive class of two; None detects each class in turn.
        groups: ``(N,)``, source of each image, for the intervals of calls.

    Returns:
        Readers in the order of the file; for calls, one per reader and class.

    Raises:
        DataError: A column is missing or rows are invalid; the message has their lines.
    """
    table = parse_table(path, "reader,image,call")
    if table.find("call") is not None or table.find("image") is not None:
        return _from_calls(table, names, labels, classes, positive, groups)
    return _from_points(table, classes, positive)


def _from_points(table: Table, classes: Sequence[str], positive: str | None) -> list[Reader]:
    columns = [table.column(name) for name in ("reader", "sensitivity", "specificity")]
    of_class = table.find("class") if positive is not None else table.column("class")
    readers, wrong = [], []
    for line, row in zip(table.lines, table.rows, strict=True):
        name, *rates = (row[column].strip() for column in columns)
        label = row[of_class].strip() if of_class is not None else positive or ""
        numbers = [_rate(text) for text in rates]
        if not name:
            wrong.append(f"line {line} names no reader")
        elif label not in classes:
            wrong.append(f"line {line} is about {label!r}, which is not a class{nearest(label, classes)}")
        elif None in numbers:
            text = rates[numbers.index(None)]
            wrong.append(f"line {line} has {text!r} instead of a number from 0 to 1")
        else:
            points = [Interval(number, math.nan, math.nan, "as given", 0) for number in numbers if number is not None]
            readers.append(Reader(name, list(classes).index(label), *points))
    _refuse(table, wrong)
    return readers


def _rate(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None


def _from_calls(
    table: Table,
    names: Sequence[str],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    positive: str | None,
    groups: NDArray[Any] | None,
) -> list[Reader]:
    calls = _calls(table, names, classes)
    looked_for = range(len(classes)) if positive is None else [list(classes).index(positive)]
    readers = []
    for reader, called in calls.items():
        seen, said = np.array(list(called)), np.array(list(called.values()))
        for label in looked_for:
            true = labels[seen] == label
            (point,) = measure([0.5], true, (said == label).astype(float), None if groups is None else groups[seen])
            readers.append(Reader(reader, label, point.scores["sensitivity"], point.scores["specificity"]))
    return readers


def _calls(table: Table, names: Sequence[str], classes: Sequence[str]) -> dict[str, dict[int, int]]:
    """Return reader -> row of the image -> called class."""
    columns = [table.column(name) for name in ("reader", "image", "call")]
    places = _places(names)
    calls: dict[str, dict[int, int]] = {}
    wrong = []
    for line, row in zip(table.lines, table.rows, strict=True):
        reader, image, call = (row[column].strip() for column in columns)
        place = places.get(image)
        if not reader:
            wrong.append(f"line {line} names no reader")
        elif call not in classes:
            wrong.append(f"line {line} calls {image!r} {call!r}, which is not a class{nearest(call, classes)}")
        elif place is None:
            wrong.append(f"line {line} is about {image!r}, which is not the name of exactly one test image")
        elif place in calls.setdefault(reader, {}):
            wrong.append(f"line {line} has a second call of {reader!r} on {image!r}")
        else:
            calls[reader][place] = list(classes).index(call)
    _refuse(table, wrong)
    return calls


def _places(names: Sequence[str]) -> dict[str, int | None]:
    """Return the position of each name, also without folders and extension; None for ambiguous ones."""
    places: dict[str, int | None] = {}
    for short in (lambda path: path.stem, lambda path: path.name, str):
        found: dict[str, int | None] = {}
        for place, name in enumerate(names):
            key = short(PurePosixPath(name))
            found[key] = None if key in found else place
        places |= found
    return places


def _refuse(table: Table, wrong: list[str]) -> None:
    if wrong:
        raise DataError(f"{table.path} cannot be used: {join_some(wrong, NAMED_ROWS)}; correct or remove these rows.")
