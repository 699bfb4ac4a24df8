"""Reading the files of ISIC 2017, with error messages that name file, line and Id."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.errors import DataError

HEADER = ("Id", "task_1", "task_2")


@dataclass(frozen=True)
class Rows:
    """The rows of a file.

    Attributes:
        path: The file.
        ids: Unique Ids of the N rows.
        lines: Their line numbers.
        values: float64 ``(N, 2)`` in [0, 1].
    """

    path: Path
    ids: list[str]
    lines: list[int]
    values: NDArray[np.float64]

    def where(self, row: int) -> str:
        """Return the location of a row: file, line and Id."""
        return f"{self.path}, line {self.lines[row]}, Id {self.ids[row]}"

    def check_truth(self) -> None:
        """Check that the values are a valid truth.

        Raises:
            DataError: A value is neither 0 nor 1, a lesion is both, or a task has only one class.
        """
        odd = np.flatnonzero(((self.values != 0) & (self.values != 1)).any(axis=1))
        if len(odd):
            raise DataError(
                f"{self.where(int(odd[0]))}: the truth must be 0 or 1. Predictions come first, the truth second."
            )
        both = np.flatnonzero(self.values.all(axis=1))
        if len(both):
            raise DataError(f"{self.where(int(both[0]))}: a lesion cannot be both melanoma and seborrheic keratosis.")
        for task, name in ((0, "melanoma"), (1, "seborrheic keratosis")):
            if self.values[:, task].all() or not self.values[:, task].any():
                raise DataError(
                    f"{self.path}: column {HEADER[task + 1]} is the same in all {len(self.ids):,} rows, so that no "
                    f"area under the curve exists for {name}; give the file with the truth."
                )


def read_rows(path: Path) -> Rows:
    """Read a CSV with the columns ``Id,task_1,task_2``.

    Raises:
        DataError: The file cannot be read, the header differs, an Id is missing or duplicate, or a value is not in
            [0, 1].
    """
    ids: list[str] = []
    lines: list[int] = []
    values: list[list[float]] = []
    seen: dict[str, int] = {}
    for line, cells in _cells(path):
        where = f"{path}, line {line}"
        if len(cells) != len(HEADER):
            raise DataError(f"{where}: expected {len(HEADER)} values ({','.join(HEADER)}), found {len(cells)}.")
        name = cells[0].strip()
        if not name:
            raise DataError(f"{where}: the Id is empty.")
        if name in seen:
            raise DataError(f"{where}: Id {name} is already in line {seen[name]}; each image must have one row.")
        seen[name] = line
        ids.append(name)
        lines.append(line)
        where = f"{where}, Id {name}"
        values.append([_probability(cell, column, where) for column, cell in zip(HEADER[1:], cells[1:], strict=True)])
    if not ids:
        raise DataError(f"{path} holds no rows below its header.")
    return Rows(path, ids, lines, np.array(values))


def match_rows(predicted: Rows, truth: Rows, *, any_order: bool = False) -> NDArray[np.float64]:
    """Return the predicted values ``(N, 2)`` in the order of the truth.

    Args:
        predicted: One row per row of the truth.
        truth: N rows.
        any_order: Whether the order may differ.

    Raises:
        DataError: An Id is missing, unknown, or in another row.
    """
    row_of = {name: row for row, name in enumerate(predicted.ids)}
    known = set(truth.ids)
    counts = ""
    if len(predicted.ids) != len(truth.ids):
        counts = f" It has {len(predicted.ids):,} rows instead of {len(truth.ids):,}."
    for row, name in enumerate(predicted.ids):
        if name not in known:
            raise DataError(f"{predicted.where(row)}: {truth.path} has no such Id.{counts}")
    for row, name in enumerate(truth.ids):
        if name not in row_of:
            raise DataError(
                f"{predicted.path} has no row for Id {name}, line {truth.lines[row]} of {truth.path}.{counts}"
            )
    if not any_order:
        for row, (name, expected) in enumerate(zip(predicted.ids, truth.ids, strict=True)):
            if name != expected:
                raise DataError(
                    f"{predicted.where(row)}: {truth.path} has Id {expected} in this place, and the challenge's own "
                    "script matches rows by their order; reorder the rows, or match them by Id with --any-order."
                )
    return predicted.values[[row_of[name] for name in truth.ids]]


def _cells(path: Path) -> list[tuple[int, list[str]]]:
    """Return line number and cells of each row below the header; empty lines are skipped."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, cells) for cells in reader if cells]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}.") from None
    header = tuple(cell.strip() for cell in rows[0][1]) if rows else ()
    if header != HEADER:
        raise DataError(f"{path}, line 1: the header must be {','.join(HEADER)}, not '{','.join(header)}'.")
    return rows[1:]


def _probability(cell: str, column: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise DataError(f"{where}: {column} is '{cell.strip()}', which is not a number.") from None
    if not 0 <= value <= 1:  # also for nan
        raise DataError(f"{where}: {column} is {cell.strip()}; a probability lies between 0 and 1.")
    return value
