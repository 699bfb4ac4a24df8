"""A CSV file that lists images: ``path,label[,split][,group]``."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.dataset import DataSet
from opsin.data.readers.common import file_images, listed, number_labels, split_of, spoken
from opsin.errors import DataError, nearest

PATH_COLUMNS = ("path", "image", "file", "filename", "filepath")
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def read_table(path: Path, *, label: str = "label", group: str = "group") -> DataSet:
    """Read a CSV file with a header and one row for each image.

    Columns may be parted by commas, semicolons or tabs. The column of paths is called path, image, file, filename or
    filepath; a path is relative to the CSV's folder, or absolute. A column ``split`` holds train, validation (val,
    valid) or test. Upper and lower case of column names do not matter. No image is opened.

    Args:
        path: The CSV or TSV file, UTF-8.
        label: The column of class names.
        group: The column of groups; a missing column ``group`` means that there are none.

    Returns:
        The data set, its images in the order of the rows and its classes in natural order.

    Raises:
        DataError: A column, a value or an image file is missing, or a value is wrong; the message names the line.
    """
    table = parse_table(path)
    paths = path_column(table)
    label_column = table.column(label)
    group_column = table.find(group) if group == "group" else table.column(group)
    split_column = table.find("split")
    files = _files(table, paths)
    labels, classes = number_labels(table.values(label_column))
    return DataSet(
        name=path.stem,
        classes=classes,
        images=file_images(path.parent, files),
        labels=labels,
        split=None if split_column is None else _split(table, split_column),
        groups=None if group_column is None else np.array(table.values(group_column)),
    )


def is_table_of_images(path: Path, label: str) -> bool:
    """Return whether a CSV file has a column of image paths and a column ``label``."""
    try:
        table = parse_table(path)
        path_column(table)
        table.column(label)
    except DataError:
        return False
    return True


@dataclass
class Table:
    """The cells of a CSV file, each row with the number of its line.

    Attributes:
        path: The file.
        header: The names of its columns.
        rows: Cells of the rows below the header; empty rows are left out.
        lines: The line of the file in which each row begins, counted from 1.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def find(self, name: str) -> int | None:
        """Return the number of a column, upper and lower case alike, or None if it is not there."""
        if name in self.header:
            return self.header.index(name)
        lower = [word.lower() for word in self.header]
        return lower.index(name.lower()) if name.lower() in lower else None

    def column(self, name: str) -> int:
        """Return the number of a column.

        Raises:
            DataError: It is not there; the message lists the columns there are.
        """
        column = self.find(name)
        if column is None:
            raise DataError(
                f"{self.path} has no column {name!r}{nearest(name, self.header)}; its columns are "
                f"{listed(self.header, 12)}."
            )
        return column

    def values(self, column: int) -> list[str]:
        """Return the values of a column, none of them empty.

        Raises:
            DataError: A value is empty; the message names its line.
        """
        values = [row[column] for row in self.rows]
        if "" in values:
            line, more = self.lines[values.index("")], values.count("") - 1
            raise DataError(
                f"{self.path}, line {line}: the column {self.header[column]!r} is empty{_further(more)}; fill it in "
                f"or remove the row."
            )
        return values


def _further(number: int) -> str:
    return f" (and in {number:,} further {'row' if number == 1 else 'rows'})" if number else ""


def parse_table(path: Path) -> Table:
    """Read a CSV file with a header; commas, semicolons or tabs part its columns.

    Raises:
        DataError: It cannot be read, is no text, has no rows, or rows of other lengths than its header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start:,} does not fit); save it as 'CSV UTF-8'."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the file and its permissions.") from error
    if "\0" in text:
        raise DataError(f"{path} is not a text file (it holds zero bytes); save the table as 'CSV UTF-8'.")
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    try:
        start = 1
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append(cells)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; check the quotation marks of this line.") from error
    if len(rows) < 2:
        what = "has no rows below its header" if rows else "is empty"
        raise DataError(f"{path} {what}; it needs a header such as path,label and one row for each image.")
    header = rows[0]
    _check_shape(path, header, rows, lines, delimiter)
    return Table(path, header, rows[1:], lines[1:])


def _check_shape(path: Path, header: list[str], rows: list[list[str]], lines: list[int], delimiter: str) -> None:
    doubled = [name for name in header if name and header.count(name) > 1]
    if doubled:
        raise DataError(f"{path} has two columns called {doubled[0]!r}; rename one of them.")
    for cells, line in zip(rows, lines, strict=True):
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {line} has {len(cells)} values where the header has {len(header)}, parted "
                f"by {_DELIMITERS[delimiter]}; put a value that holds one of them in quotation marks."
            )


def _delimiter(text: str) -> str:
    """Return what parts the columns: of comma, semicolon and tab the one that sets a known name off in the header."""
    header = text.lstrip().partition("\n")[0]
    for delimiter in _DELIMITERS:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        if len(cells) > 1 and any(cell.strip().lower() in PATH_COLUMNS for cell in cells):
            return delimiter
    return max(_DELIMITERS, key=header.count)


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


def _files(table: Table, column: int) -> list[Path]:
    """Return the path of each row's image; that each exists and none is there twice is checked."""
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
            f"{_further(len(missing) - 1)}; paths are relative to the folder of the CSV file."
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


def _split(table: Table, column: int) -> NDArray[np.str_] | None:
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
