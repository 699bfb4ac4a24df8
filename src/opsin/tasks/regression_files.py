"""Predicted numbers as a CSV file that people and programs can read."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.files import damage_explained, replacing
from opsin.tasks.predictions import Estimated


def write_predictions(
    path: Path, names: Sequence[str], classes: Sequence[str], predictions: Estimated, values: NDArray[np.float64]
) -> None:
    """Write a CSV with a row per image: ``image,true,predicted``.

    Args:
        path: The file.
        names: What to call each image.
        classes: The name of the value.
        predictions: Numbers.
        values: float64 ``(N,)``, the true ones.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "true", "predicted"])
        for name, truth, value in zip(names, values.tolist(), predictions.values, strict=True):
            writer.writerow([name, repr(truth), f"{value:.9g}"])


def read_predictions(path: Path, classes: Sequence[str]) -> tuple[list[str], NDArray[np.float64], Estimated]:
    """Return image names, true values float64 ``(N,)`` and predictions, as `write_predictions` wrote them.

    Raises:
        RunError: The file is damaged.
    """
    with damage_explained(path):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        values = np.array([row[1] for row in rows], np.float64)
        return [row[0] for row in rows], values, Estimated(np.array([row[2] for row in rows], np.float32))
