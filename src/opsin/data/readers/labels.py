"""What the labels of a table or an array are: classes, several labels for each image, or numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.data.readers.common import number_labels
from opsin.errors import DataError

# Columns called so hold classes, even where these are numbers.
CLASS_WORDS = frozenset("label labels class classes class_id y target targets category categories digit digits".split())
FEW_NUMBERS, MANY_NUMBERS = 10, 20  # different values: fractions above the first, whole numbers above the second
PER_CLASS = 3  # images of each number, at least, if numbers without a gap are to be classes


class Labels(NamedTuple):
    """What was read.

    Attributes:
        task: A key of `opsin.data.targets.TARGETS`.
        values: ``(N, ...)``, in the form of the task.
        classes: Names of the network's outputs.
        note: A sentence on how the task was told, where it could have been another one; empty otherwise.
    """

    task: str
    values: NDArray
    classes: tuple[str, ...]
    note: str = ""


def read_labels(values: Sequence[str], lines: Sequence[int], where: str, name: str, task: str | None) -> Labels:
    """Turn the cells of one column into targets.

    Without a task, cells that hold ``;`` are several labels each; numbers are values to be learned where more than 10
    different fractions or more than 20 different whole numbers occur, unless these run from 0 or 1 without a gap and
    each is there three times, as numbers of classes do; all else are names of classes.

    Args:
        values: One cell for each of N images.
        lines: The line of each, for messages.
        where: The file.
        name: What the column is called.
        task: What is to be learned; None: what the cells look like.

    Raises:
        DataError: A cell does not suit the task; the message names its line.
    """
    note = ""
    if task is None:
        task, note = _recognize(values, name)
    if task == "regression":
        return Labels(task, _numbers(values, lines, where, name), (name,), note)
    labels, classes = number_labels(values)
    return Labels("classification", labels, classes, note)


def tell_numbers(numbers: NDArray[np.floating], name: str) -> tuple[str, str]:
    """Return the task that numbers are for, and a sentence where it could be the other one.

    Args:
        numbers: float ``(N,)``.
        name: What they are called.
    """
    if not len(numbers):
        return "classification", ""
    distinct, counts = np.unique(numbers, return_counts=True)
    whole = bool((distinct == np.rint(distinct)).all())
    numbered = whole and distinct[0] in (0, 1) and len(distinct) == distinct[-1] - distinct[0] + 1
    many = len(distinct) > (MANY_NUMBERS if whole else FEW_NUMBERS)
    if many and not (numbered and counts.min() >= PER_CLASS):
        return "regression", (
            f"{name!r} holds numbers, {len(distinct):,} of them different, so a number is learned for each image; "
            "--task classification would take them for classes."
        )
    if many or not whole or name.lower() not in CLASS_WORDS:
        return "classification", (
            f"The {len(distinct):,} different numbers of {name!r} are taken for classes; if they are amounts, give "
            "--task regression."
        )
    return "classification", ""


def _recognize(values: Sequence[str], name: str) -> tuple[str, str]:
    numbers = np.array([_number(value) for value in values])
    if np.isfinite(numbers).all():
        return tell_numbers(numbers, name)
    return "classification", ""


def _numbers(values: Sequence[str], lines: Sequence[int], where: str, name: str) -> NDArray[np.float64]:
    numbers = np.array([_number(value) for value in values])
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{where}, line {lines[row]}: {values[row]!r} in the column {name!r} is no number (one such as 3.5 is "
            "needed); correct it or remove the row."
        )
    return numbers


def _number(text: str) -> float:
    """Return the number that a cell holds; nan where it holds none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
