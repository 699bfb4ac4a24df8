"""The cars of the Auto MPG data: 398 or 406 cars of the years 1970 to 1982, and how strong their engines are.

Two forms are read: the classic text file ``auto-mpg.data`` (Quinlan 1993; 398 rows, "?" where the horsepower is not
known) and ``cars.json`` as the package ``vega-datasets`` holds it (406 rows: eight more, whose consumption is not
known), or any CSV with the columns' names.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from opsin.scratch.functions import Array

# What a column is called here -> other names it goes by.
COLUMNS = {
    "mpg": ("miles_per_gallon",),
    "cylinders": (),
    "displacement": (),
    "horsepower": (),
    "weight": ("weight_in_lbs",),
    "acceleration": (),
    "year": ("model_year",),
    "origin": (),
}
ORIGINS = {"usa": 1, "europe": 2, "japan": 3}


@dataclass(frozen=True)
class Cars:
    """The cars as numbers.

    Attributes:
        values: ``(N, 8)``, nan where a value is not known: miles per gallon, cylinders, displacement (cubic inches),
            horsepower, weight (pounds), acceleration (seconds to 60 miles an hour), year (modulo 100), origin (1
            American, 2 European, 3 Japanese).
        names: ``(N,)``; what the cars are called.
    """

    values: Array
    names: tuple[str, ...]

    def column(self, name: str) -> Array:
        """Return one column, ``(N,)``, by its name: a key of `COLUMNS`."""
        return self.values[:, list(COLUMNS).index(name)]

    def known(self, *columns: str) -> Cars:
        """Return the cars of which all these columns (left out: all columns) are known."""
        wanted = [list(COLUMNS).index(name) for name in columns or COLUMNS]
        rows = np.flatnonzero(~np.isnan(self.values[:, wanted]).any(axis=1))
        return Cars(self.values[rows], tuple(self.names[row] for row in rows))

    def inputs(self, columns: Iterable[str]) -> Array:
        """Return some columns side by side, ``(N, D)``; the origin becomes two columns, European and Japanese.

        As a number, the origin would say that a Japanese car is three times as foreign as an American one.
        """
        parts: list[Array] = []
        for name in columns:
            values = self.column(name)
            parts += [values == 2, values == 3] if name == "origin" else [values]
        return np.column_stack(parts).astype(float)  # (N, D)


def read_cars(path: str | Path) -> Cars:
    """Read the classic text file, the JSON file of ``vega-datasets``, or a CSV with a header.

    Raises:
        ValueError: The file holds something else; the sentence names the line.
        OSError: The file cannot be opened.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return _from_tables(json.loads(text), path)
    if path.suffix == ".csv":
        return _from_tables(list(csv.DictReader(text.splitlines())), path)
    values, names = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        fields, _, name = line.partition('"')
        words = fields.split()
        if len(words) != len(COLUMNS):
            raise ValueError(f"{path}, line {number}: {len(words)} numbers where a car has {len(COLUMNS)}")
        values.append([_number(word, f"{path}, line {number}") for word in words])
        names.append(name.rstrip('"\t '))
    return Cars(np.array(values, float).reshape(-1, len(COLUMNS)), tuple(names))


def _from_tables(rows: list[Mapping[str, Any]], path: Path) -> Cars:
    values, names = [], []
    for number, row in enumerate(rows, 1):
        small = {str(key).strip().lower().replace(" ", "_"): value for key, value in row.items()}
        found = []
        for name, others in COLUMNS.items():
            key = next((key for key in (name, *others) if key in small), None)
            if key is None:
                raise ValueError(f"{path}, row {number}: there is no column {name!r}")
            found.append(_number(small[key], f"{path}, row {number}, {name}"))
        values.append(found)
        names.append(str(small.get("name", small.get("car_name", f"car {number}"))))
    return Cars(np.array(values, float).reshape(-1, len(COLUMNS)), tuple(names))


def _number(value: Any, where: str) -> float:
    """Return a number: of "130.0", None, "?", "USA", or "1970-01-01", of which the year counts, modulo 100."""
    if value is None or str(value).strip() in ("", "?", "NA"):
        return math.nan
    text = str(value).strip()
    if text.lower() in ORIGINS:
        return float(ORIGINS[text.lower()])
    if len(text) == 10 and text[4] == text[7] == "-":
        text = str(int(text[:4]) % 100)
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}: {value!r} is no number") from None
