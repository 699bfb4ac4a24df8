"""What the labels of a table or an array are: classes, several labels for each image, or numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.data.readers.common import natural_key, number_labels
from opsin.data.targets import ClassTargets, LabelTargets, Targets, ValueTargets
from opsin.data.targets.label_sets import SEPARATOR
from opsin.errors import DataError

# Columns called so hold classes, even where these are numbers.
CLASS_WORDS = frozenset("label labels class classes class_id y target targets category categories digit digits".split())
FEW_NUMBERS, MANY_NUMBERS = 10, 20  # different values: fractions above the first, whole numbers above the second
# What cells of a column of one label may hold; an empty one says that the image has it not.
TRUTH = {"1": True, "0": False, "1.0": True, "0.0": False, "true": True, "false": False, "yes": True, "no": False}
TRUTH |= {"x": True, "": False}
PAIRS = (("0", "1"), ("0.0", "1.0"), ("false", "true"), ("no", "yes"))
SLIPS = 0.05  # part of the cells, at most, that may be no numbers in a column of amounts, or neither 0 nor 1
PER_CLASS = 3  # images of each number, at least, if numbers without a gap are to be classes


# What a column or an array of labels may hold.
FORMS: dict[str, Callable[[NDArray], Targets]] = {
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
        note: A sentence on how the task was told, where it could have been another one; empty otherwise.
    """

    task: str
    values: NDArray
    classes: tuple[str, ...]
    note: str = ""

    @property
    def targets(self) -> Targets:
        """The values in the container of their task."""
        return FORMS[self.task](self.values)


def read_labels(values: Sequence[str], lines: Sequence[int], where: str, name: str, task: str | None) -> Labels:
    """Turn the cells of one column into targets.

    Without a task, cells that hold ``;`` are several labels each; numbers are values to be learned where more than 10
    different fractions or more than 20 different whole numbers occur, unless these run from 0 or 1 without a gap and
    each is there three times, as numbers of classes do; a cell in twenty that is no number is taken for a slip there;
    all else are names of classes.

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


def read_label_sets(cells: Sequence[str], where: str, name: str) -> Labels:
    """Turn cells such as ``cat;dog`` into several labels per image; an empty cell holds none.

    Args:
        cells: One for each of N images.
        where: The file.
        name: What the column is called.

    Raises:
        DataError: No cell holds a label.
    """
    sets = [{part.strip() for part in cell.split(SEPARATOR) if part.strip()} for cell in cells]
    classes = tuple(sorted(set().union(*sets), key=natural_key))
    if not classes:
        raise DataError(f"{where}: the column {name!r} holds no label at all; write them as in cat{SEPARATOR}dog.")
    return Labels("multilabel", np.array([[each in some for each in classes] for some in sets], bool), classes)


def read_label_columns(
    columns: Sequence[Sequence[str]], names: Sequence[str], lines: Sequence[int], where: str
) -> Labels:
    """Turn one column for each label, of 0 and 1 (or no and yes, false and true, nothing and x), into several labels.

    Args:
        columns: L columns of N cells.
        names: What they are called.
        lines: The line of each image, for messages.
        where: The file.

    Raises:
        DataError: A cell holds something else; the message names its line.
    """
    values = np.zeros((len(lines), len(names)), bool)
    for place, (cells, name) in enumerate(zip(columns, names, strict=True)):
        for row, cell in enumerate(cells):
            truth = TRUTH.get(cell.lower())
            if truth is None:
                raise DataError(
                    f"{where}, line {lines[row]}: {cell!r} in the column {name!r} is neither 0 nor 1; correct it, or "
                    "name the columns of labels with --label, parted by commas."
                )
            values[row, place] = truth
    return Labels("multilabel", values, tuple(names))


def is_yes_or_no(cells: Sequence[str]) -> bool:
    """Return whether the cells of a column are 0 or 1, and both occur; one in twenty may be something else, a slip."""
    counts = Counter(cell.lower() for cell in cells)
    return any(counts[no] and counts[yes] and counts[no] + counts[yes] >= (1 - SLIPS) * len(cells) for no, yes in PAIRS)


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
    known = np.isfinite(numbers)
    task, note = tell_numbers(numbers[known], name)
    if known.all():
        return task, note
    # A slip among many amounts would make each amount a class of its own; `_numbers` names its line.
    return (task, "") if task == "regression" and (~known).mean() <= SLIPS else ("classification", "")


def _numbers(values: Sequence[str], lines: Sequence[int], where: str, name: str) -> NDArray[np.float64]:
    numbers = np.array([_number(value) for value in values])
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{where}, line {lines[row]}: {values[row]!r} in the column {name!r} is no number (one such as 3.5 is "
            "needed); correct it or remove the row, or give --task classification if the column holds names."
        )
    return numbers


def _number(text: str) -> float:
    """Return the number that a cell holds; nan where it holds none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
