"""A CSV file that lists images: ``path,label[,split][,group]``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.csv_table import PATH_COLUMNS, Table, further, parse_table
from opsin.data.dataset import Dataset
from opsin.data.readers.common import file_images, listed, split_of, spoken
from opsin.data.readers.labels import Labels, is_yes_or_no, read_label_columns, read_label_sets, read_labels
from opsin.data.targets.label_sets import SEPARATOR
from opsin.errors import DataError, nearest


def read_table(path: Path, *, label: str = "label", group: str = "group", task: str | None = None) -> Dataset:
    """Read a CSV file with a header and one row for each image.

    Columns may be parted by commas, semicolons or tabs. The column of paths is called path, image, file, filename or
    filepath; a path is relative to the CSV's folder, or absolute. A column ``split`` holds train, validation (val,
    valid) or test. Upper and lower case of column names do not matter. No image is opened.

    Args:
        path: The CSV or TSV file, UTF-8.
        label: The column of class names, of numbers, or of several labels parted by semicolons; or several columns,
            parted by commas, one for each label, of 0 and 1. Where there is no column ``label``, all further columns
            of 0 and 1 are taken, if there are two at least; a cell in twenty that is neither is told as a slip.
        group: The column of groups; a missing column ``group`` means that there are none.
        task: What is to be learned; left out, what the labels look like (`opsin.data.readers.labels`).

    Returns:
        The data set, its images in the order of the rows and its classes in natural order.

    Raises:
        DataError: A column, a value or an image file is missing, or a value is wrong; the message names the line.
    """
    table = parse_table(path)
    paths = path_column(table)
    group_column = table.find(group) if group == "group" else table.column(group)
    split_column = table.find("split")
    files = files_in_column(table, paths)
    labels = _labels(table, label, task, {paths, group_column, split_column})
    return Dataset(
        name=path.stem,
        classes=labels.classes,
        images=file_images(path.parent, files),
        targets=labels.targets,
        split=None if split_column is None else split_in_column(table, split_column),
        groups=None if group_column is None else np.array(table.values(group_column)),
        notes=(labels.note,) if labels.note else (),
    )


def _labels(table: Table, label: str, task: str | None, taken: set[int | None]) -> Labels:
    """Return the targets that a table holds; ``taken`` are the columns that hold other things."""
    where, column = str(table.path), table.find(label)
    names = [name.strip() for name in label.split(",") if name.strip()]
    if column is None and len(names) > 1:
        return _label_columns(table, [table.column(name) for name in names], task)
    if column is None and label == "label" and task in (None, "multilabel"):
        free = [at for at in range(len(table.header)) if at not in taken]
        found = [at for at in free if is_yes_or_no([row[at] for row in table.rows])]
        if len(found) > 1:
            labels = _label_columns(table, found, task)
            note = f"The columns {listed(labels.classes, 12)} hold only 0 and 1, and each is a label of its own."
            return labels if labels.note else labels._replace(note=note)
    column = table.column(label)
    name = table.header[column]
    cells = [row[column] for row in table.rows]
    if task == "multilabel" or (task is None and any(SEPARATOR in cell for cell in cells)):
        return read_label_sets(cells, where, name)
    return read_labels(table.values(column), table.lines, where, name, task)


def _label_columns(table: Table, columns: list[int], task: str | None) -> Labels:
    """Return labels of one column each; where each image has exactly one, they are classes unless the task is given."""
    cells = [[row[at] for row in table.rows] for at in columns]
    labels = read_label_columns(cells, [table.header[at] for at in columns], table.lines, str(table.path))
    if task == "multilabel" or not (labels.values.sum(axis=1) == 1).all():
        return labels
    note = (
        f"Each image has exactly one of {listed(labels.classes, 12)}, so these are classes; if an image may have "
        "several, give --task multilabel."
    )
    return Labels("classification", labels.values.argmax(axis=1), labels.classes, note)


def is_table_of_images(path: Path, label: str) -> bool:
    """Return whether a CSV file has a column of image paths and a column ``label``."""
    try:
        table = parse_table(path)
        path_column(table)
        table.column(label)
    except DataError:
        return False
    return True


def path_column(table: Table) -> int:
    """Return the number of the column of image files.

    Raises:
        DataError: There is none.
    """
    for name in PATH_COLUMNS:
        column = table.find(name)
        if column is not None:
            return column
    raise DataError(
        f"{table.path} has no column of image files, called {spoken(PATH_COLUMNS, 'or')}; its columns are "
        f"{listed(table.header, 12)}."
    )


def files_in_column(table: Table, column: int) -> list[Path]:
    """Return the path in each row of a column; that each exists and none is there twice is checked.

    Raises:
        DataError: A file is missing or listed twice; the message names the line.
    """
    folder = table.path.parent
    files: list[Path] = []
    missing: list[int] = []
    first_line: dict[str, int] = {}
    for value, line in zip(table.values(column), table.lines, strict=True):
        file = folder / value
        if "\\" in value and not os.path.lexists(file):  # written on Windows, read elsewhere
            file = folder / value.replace("\\", "/")
        if not os.path.lexists(file):  # a broken link is there; decoding names it
            missing.append(len(files))
        key = os.path.abspath(file)
        if key in first_line:
            raise DataError(
                f"{table.path}, lines {first_line[key]} and {line}: both list {value}; keep one of the two rows."
            )
        first_line[key] = line
        files.append(file)
    if missing:
        index = missing[0]
        raise DataError(
            f"{table.path}, line {table.lines[index]}: the file {files[index]} does not exist{_near(files[index])}"
            f"{further(len(missing) - 1)}; paths are relative to the folder of the CSV file."
        )
    return files


def _near(file: Path) -> str:
    """Return a hint at files with almost the same name."""
    try:
        names = [entry.name for entry in os.scandir(file.parent)]
    except OSError:
        return ""
    longer = sorted(name for name in names if Path(name).stem == file.name)
    return f" (did you mean {longer[0]!r}?)" if longer else nearest(file.name, sorted(names))


def split_in_column(table: Table, column: int) -> NDArray[np.str_] | None:
    """Return the split of each row, None where the column is empty.

    Raises:
        DataError: A word means no split; the message names the line.
    """
    if not any(row[column] for row in table.rows):
        return None
    values = table.values(column)
    parts = {value: split_of(value) for value in set(values)}
    for value, line in zip(values, table.lines, strict=True):
        if parts[value] is None:
            raise DataError(
                f"{table.path}, line {line}: the split {value!r} is not known; write train, validation or test."
            )
    return np.array([parts[value] for value in values])
