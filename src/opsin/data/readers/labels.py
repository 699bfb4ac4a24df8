"""Interpretation of labels in a table or an array: classes, label sets, or numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.data.readers.common import natural_key, number_labels
from opsin.data.targets import ClassTargets, LabelTargets, Targets, ValueTargets
from opsin.data.targets.label_sets import SEPARATOR
from opsin.errors import DataError

# Columns with these names contain classes, even if the values are numbers.
CLASS_WORDS = frozenset("label labels class classes class_id y target targets category categories digit digits".split())
FEW_NUMBERS, MANY_NUMBERS = (
    10,
    20,
)  # distinct values; more fractions than the first or more integers than the second are regression targets
# Accepted cells in the column of one label; an empty cell means false.
TRUTH = {"1": True, "0": False, "1.0": True, "0.0": False, "true": True, "false": False, "yes": True, "no": False}
TRUTH |= {"x": True, "": False}
PAIRS = (("0", "1"), ("0.0", "1.0"), ("false", "true"), ("no", "yes"))
SLIPS = 0.05  # maximum fraction of invalid cells that are taken for mistakes in a column of numbers, or of 0 and 1
PER_CLASS = 3  # minimum number of images per value for consecutive integers to be classes


# What a column or an array of labels may hold.
FORMS: dict[str, Callable[[NDArray[Any]], Targets]] = {
    "classification": ClassTargets,
    "multilabel": LabelTargets,
    "regression": ValueTargets,
}


class Labels(NamedTuple):
    """What was read.

    Attributes:
        task: As in ``recipe.task``.
        values: ``(N, ...)``, in the form of the task.
        classes: Names of the network's outputs.
        note: A sentence on how the task was inferred, if it is ambiguous; otherwise empty.
    """

    task: str
    values: NDArray[Any]
    classes: tuple[str, ...]
    note: str = ""

    @property
    def targets(self) -> Targets:
        """The values in the container of their task."""
        return FORMS[self.task](self.values)


def read_labels(values: Sequence[str], lines: Sequence[int], where: str, name: str, task: str | None) -> Labels:
    """Convert the cells of one column to targets.

    Without a task, cells that contain ``;`` are label sets. Numbers are regression targets if there are more than 10
    distinct fractions or more than 20 distinct integers, unless these are consecutive from 0 or 1 and each occurs three
    times, like class numbers; there, up to 5 % of cells that are no numbers are taken for mistakes. Other cells are
    class names.

    Args:
        values: Cell of each of N images.
        lines: Line number of each cell, for messages.
        where: The file.
        name: Name of the column.
        task: The task; None: inferred from the cells.

    Raises:
        DataError: A cell is invalid for the task; the message names its line.
    """
    note = ""
    if task is None:
        task, note = _infer_task(values, name)
    if task == "regression":
        return Labels(task, _numbers(values, lines, where, name), (name,), note)
    labels, classes = number_labels(values)
    return Labels("classification", labels, classes, note)


def read_label_sets(cells: Sequence[str], where: str, name: str) -> Labels:
    """Convert cells such as ``cat;dog`` to label sets; an empty cell is an empty set.

    Args:
        cells: Cell of each of N images.
        where: The file.
        name: Name of the column.

    Raises:
        DataError: No cell contains a label.
    """
    sets = [{part.strip() for part in cell.split(SEPARATOR) if part.strip()} for cell in cells]
    classes = tuple(sorted(set().union(*sets), key=natural_key))
    if not classes:
        raise DataError(f"{where}: the column {name!r} contains no labels; write them as in cat{SEPARATOR}dog.")
    return Labels("multilabel", np.array([[each in some for each in classes] for some in sets], bool), classes)


def read_label_columns(
    columns: Sequence[Sequence[str]], names: Sequence[str], lines: Sequence[int], where: str
) -> Labels:
    """Convert one column per label, of 0 and 1 (or no and yes, false and true, empty and x), to label sets.

    Args:
        columns: L columns of N cells.
        names: Names of the columns.
        lines: Line number of each image, for messages.
        where: The file.

    Raises:
        DataError: A cell has another value; the message names its line.
    """
    values = np.zeros((len(lines), len(names)), bool)
    for place, (cells, name) in enumerate(zip(columns, names, strict=True)):
        for row, cell in enumerate(cells):
            truth = TRUTH.get(cell.lower())
            if truth is None:
                raise DataError(
                    f"{where}, line {lines[row]}: {cell!r} in the column {name!r} is neither 0 nor 1; correct it, or "
                    "name the label columns with --label, separated by commas."
                )
            values[row, place] = truth
    return Labels("multilabel", values, tuple(names))


def is_yes_or_no(cells: Sequence[str]) -> bool:
    """Return whether a column contains both 0 and 1; up to 5 % of the cells may be mistakes."""
    counts = Counter(cell.lower() for cell in cells)
    return any(counts[no] and counts[yes] and counts[no] + counts[yes] >= (1 - SLIPS) * len(cells) for no, yes in PAIRS)


def infer_number_task(numbers: NDArray[np.floating], name: str) -> tuple[str, str]:
    """Infer the task from numbers; return it with a sentence if it is ambiguous.

    Args:
        numbers: float ``(N,)``.
        name: Name of the column.
    """
    if not len(numbers):
        return "classification", ""
    distinct, counts = np.unique(numbers, return_counts=True)
    whole = bool((distinct == np.rint(distinct)).all())
    numbered = whole and distinct[0] in (0, 1) and len(distinct) == distinct[-1] - distinct[0] + 1
    many = len(distinct) > (MANY_NUMBERS if whole else FEW_NUMBERS)
    if many and not (numbered and counts.min() >= PER_CLASS):
        return "regression", (
            f"{name!r} contains {len(distinct):,} distinct numbers and is learned by regression; give --task "
            "classification if they are classes."
        )
    if many or not whole or name.lower() not in CLASS_WORDS:
        return "classification", (
            f"The {len(distinct):,} distinct numbers in {name!r} are read as classes; give --task regression if they "
            "are quantities."
        )
    return "classification", ""


def _infer_task(values: Sequence[str], name: str) -> tuple[str, str]:
    numbers = np.array([_number(value) for value in values])
    known = np.isfinite(numbers)
    task, note = infer_number_task(numbers[known], name)
    if known.all():
        return task, note
    # A mistake among many quantities would make each quantity a class; `_numbers` reports its line.
    return (task, "") if task == "regression" and (~known).mean() <= SLIPS else ("classification", "")


def _numbers(values: Sequence[str], lines: Sequence[int], where: str, name: str) -> NDArray[np.float64]:
    numbers = np.array([_number(value) for value in values])
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{where}, line {lines[row]}: {values[row]!r} in the column {name!r} is not a number (such as 3.5); "
            "correct it or remove the row, or give --task classification if the column contains class names."
        )
    return numbers


def _number(text: str) -> float:
    """Return the number in a cell, or NaN."""
    try:
        return float(text)
    except ValueError:
        return math.nan
