"""Reader of CSV files that list images: ``path,label[,split][,group]``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.csv_table import PATH_COLUMNS, Table, further_rows, parse_table
from opsin.data.dataset import Dataset
from opsin.data.readers.common import file_images, join_some, join_words, split_of
from opsin.data.readers.labels import Labels, is_yes_or_no, read_label_columns, read_label_sets, read_labels
from opsin.data.targets.label_sets import SEPARATOR
from opsin.errors import DataError, nearest


def read_table(path: Path, *, label: str = "label", group: str = "group", task: str | None = None) -> Dataset:
    """Read a CSV file with a header and one row per image.

    Columns are separated by commas, semicolons or tabs. The column of paths is called path, image, file, filename or
    filepath; paths are relative to the folder of the file, or absolute. A column ``split`` contains train, validation
    (val, valid) or test. The case of column names is ignored. No image is opened.

    Args:
        path: The CSV or TSV file, UTF-8.
        label: The column of class names, of numbers, or of label sets separated by semicolons; or several columns of 0
            and 1, separated by commas, one per label. If the default column ``label`` is missing, all other columns of
            0 and 1 are used, if there are at least two; up to 5 % of other cells are reported as mistakes.
        group: The column of groups; the default column ``group`` may be missing.
        task: The task; None: inferred from the labels (`opsin.data.readers.labels`).

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
    """Return the targets in a table; ``taken`` are the columns used for other purposes."""
    where, column = str(table.path), table.find(label)
    names = [name.strip() for name in label.split(",") if name.strip()]
    if column is None and len(names) > 1:
        return _label_columns(table, [table.column(name) for name in names], task)
    if column is None and label == "label" and task in (None, "multilabel"):
        free = [at for at in range(len(table.header)) if at not in taken]
        found = [at for at in free if is_yes_or_no([row[at] for row in table.rows])]
        if len(found) > 1:
            labels = _label_columns(table, found, task)
            note = f"The columns {join_some(labels.classes, 12)} contain only 0 and 1; each is read as one label."
            return labels if labels.note else labels._replace(note=note)
    column = table.column(label)
    name = table.header[column]
    cells = [row[column] for row in table.rows]
    if task == "multilabel" or (task is None and any(SEPARATOR in cell for cell in cells)):
        return read_label_sets(cells, where, name)
    return read_labels(table.values(column), table.lines, where, name, task)


def _label_columns(table: Table, columns: list[int], task: str | None) -> Labels:
    """Return labels of one column each; if every image has exactly one and no task is given, they are classes."""
    cells = [[row[at] for row in table.rows] for at in columns]
    labels = read_label_columns(cells, [table.header[at] for at in columns], table.lines, str(table.path))
    if task == "multilabel" or not (labels.values.sum(axis=1) == 1).all():
        return labels
    note = (
        f"Each image has exactly one of {join_some(labels.classes, 12)}, so these are read as classes; give --task "
        "multilabel if an image may have several."
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
    """Return the index of the column of image files.

    Raises:
        DataError: There is no such column.
    """
    for name in PATH_COLUMNS:
        column = table.find(name)
        if column is not None:
            return column
    raise DataError(
        f"{table.path} has no column of image files ({join_words(PATH_COLUMNS, 'or')}); its columns are "
        f"{join_some(table.header, 12)}."
    )


def files_in_column(table: Table, column: int) -> list[Path]:
    """Return the path in each row of a column; checks that each exists and none occurs twice.

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
        if not os.path.lexists(file):  # broken links are reported when they are decoded
            missing.append(len(files))
        key = os.path.abspath(file)
        if key in first_line:
            raise DataError(
                f"{table.path}, lines {first_line[key]} and {line}: both list {value}; keep one of the rows."
            )
        first_line[key] = line
        files.append(file)
    if missing:
        index = missing[0]
        raise DataError(
            f"{table.path}, line {table.lines[index]}: the file {files[index]} does not exist{_near(files[index])}"
            f"{further_rows(len(missing) - 1)}; paths are relative to the folder of the CSV file."
        )
    return files


def _near(file: Path) -> str:
    """Return a hint that names files with similar names."""
    try:
        names = [entry.name for entry in os.scandir(file.parent)]
    except OSError:
        return ""
    longer = sorted(name for name in names if Path(name).stem == file.name)
    return f" (did you mean {longer[0]!r}?)" if longer else nearest(file.name, sorted(names))


def split_in_column(table: Table, column: int) -> NDArray[np.str_] | None:
    """Return the split of each row, or None if the column is empty.

    Raises:
        DataError: A split is unknown; the message names the line.
    """
    if not any(row[column] for row in table.rows):
        return None
    values = table.values(column)
    parts = {value: split_of(value) for value in set(values)}
    for value, line in zip(values, table.lines, strict=True):
        if parts[value] is None:
            raise DataError(
                f"{table.path}, line {line}: the split {value!r} is unknown; write train, validation or test."
            )
    return np.array([parts[value] for value in values])
