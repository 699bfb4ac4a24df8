"""Reader of the Auto MPG dataset: 398 or 406 cars of the years 1970 to 1982.

Three formats are supported: the classic text file ``auto-mpg.data`` (Quinlan 1993; 398 rows, "?" for missing
horsepower), ``cars.json`` of the package ``vega-datasets`` (406 rows; eight more with missing fuel consumption), and a
CSV with these columns.
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

# Column -> alternative names.
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
        values: ``(N, 8)``, nan for missing values: miles per gallon, cylinders, displacement (cubic inches),
            horsepower, weight (pounds), acceleration (seconds to 60 miles an hour), year (modulo 100), origin (1
            American, 2 European, 3 Japanese).
        names: ``(N,)``; names of the cars.
    """

    values: Array
    names: tuple[str, ...]

    def column(self, name: str) -> Array:
        """Return one column, ``(N,)``, by its name: a key of `COLUMNS`."""
        return self.values[:, list(COLUMNS).index(name)]

    def known(self, *columns: str) -> Cars:
        """Return the cars without missing values in these columns (default: all columns)."""
        wanted = [list(COLUMNS).index(name) for name in columns or COLUMNS]
        rows = np.flatnonzero(~np.isnan(self.values[:, wanted]).any(axis=1))
        return Cars(self.values[rows], tuple(self.names[row] for row in rows))

    def inputs(self, columns: Iterable[str]) -> Array:
        """Return an input matrix ``(N, D)``; the origin is one-hot encoded as two columns, European and Japanese.

        As one number, it would imply an order of the three origins.
        """
        parts: list[Array] = []
        for name in columns:
            values = self.column(name)
            parts += [values == 2, values == 3] if name == "origin" else [values]
        return np.column_stack(parts).astype(float)  # (N, D)


def read_cars(path: str | Path) -> Cars:
    """Read the classic text file, the JSON file of ``vega-datasets``, or a CSV with a header.

    Raises:
        ValueError: The file has another format; the message names the line.
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
            raise ValueError(f"{path}, line {number}: expected {len(COLUMNS)} numbers, found {len(words)}")
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
                raise ValueError(f"{path}, row {number}: column {name!r} is missing")
            found.append(_number(small[key], f"{path}, row {number}, {name}"))
        values.append(found)
        names.append(str(small.get("name", small.get("car_name", f"car {number}"))))
    return Cars(np.array(values, float).reshape(-1, len(COLUMNS)), tuple(names))


def _number(value: Any, where: str) -> float:
    """Parse "130.0", None, "?", "USA", or "1970-01-01" (the year modulo 100)."""
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
        raise ValueError(f"{where}: {value!r} is not a number") from None
