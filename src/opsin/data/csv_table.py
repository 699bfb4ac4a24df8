"""CSV files: cells separated by commas, semicolons or tabs, each row with its line number."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from opsin.data.readers.common import join_some
from opsin.errors import DataError, nearest

PATH_COLUMNS = ("path", "image", "file", "filename", "filepath")
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass
class Table:
    """The cells of a CSV file.

    Attributes:
        path: The file.
        header: Column names.
        rows: One list of cells per row, as long as the header.
        lines: Number of the line in which each row starts; the header is line 1.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def find(self, name: str) -> int | None:
        """Return the index of a column, ignoring case, or None if it does not exist."""
        if name in self.header:
            return self.header.index(name)
        lower = [word.lower() for word in self.header]
        return lower.index(name.lower()) if name.lower() in lower else None

    def column(self, name: str) -> int:
        """Return the index of a column, ignoring case.

        Raises:
            DataError: It does not exist; the message lists the columns.
        """
        column = self.find(name)
        if column is None:
            raise DataError(
                f"{self.path} has no column {name!r}{nearest(name, self.header)}; its columns are "
                f"{join_some(self.header, 12)}."
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
                f"{self.path}, line {line}: the column {self.header[column]!r} is empty{further_rows(more)}; fill "
                f"it in or remove the row."
            )
        return values


def further_rows(number: int) -> str:
    """Return `` (and in 3 further rows)``, or nothing for 0."""
    return f" (and in {number:,} further {'row' if number == 1 else 'rows'})" if number else ""


def parse_table(path: Path, example: str = "path,label", *, empty: bool = False) -> Table:
    """Read a file of values separated by commas, semicolons or tabs, with a header; empty lines are skipped.

    Args:
        path: The file, UTF-8.
        example: A valid header, for the error message.
        empty: Whether a file without rows below the header is accepted.

    Raises:
        DataError: The file cannot be read or is not a table; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (invalid byte at position {error.start:,}); save it as 'CSV UTF-8'."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the file and its permissions.") from error
    if "\0" in text:
        raise DataError(f"{path} is not a text file (it contains null bytes); save the table as 'CSV UTF-8'.")
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
    if len(rows) < (1 if empty else 2):
        what = "has no rows below its header" if rows else "is empty"
        raise DataError(f"{path} {what}; it needs a header such as {example} and one row per image.")
    header = rows[0]
    _check_shape(path, header, rows, lines, delimiter)
    return Table(path, header, rows[1:], lines[1:])


def _check_shape(path: Path, header: list[str], rows: list[list[str]], lines: list[int], delimiter: str) -> None:
    doubled = [name for name in header if name and header.count(name) > 1]
    if doubled:
        raise DataError(f"{path} has two columns named {doubled[0]!r}; rename one of them.")
    for cells, line in zip(rows, lines, strict=True):
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(cells)} values, but the header has {len(header)} (separated by "
                f"{_DELIMITERS[delimiter]}); put values that contain the separator in quotation marks."
            )


def _delimiter(text: str) -> str:
    """Return the separator: of comma, semicolon and tab, the one that separates a known column name in the header."""
    header = text.lstrip().partition("\n")[0]
    for delimiter in _DELIMITERS:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        if len(cells) > 1 and any(cell.strip().lower() in PATH_COLUMNS for cell in cells):
            return delimiter
    return max(_DELIMITERS, key=header.count)
