"""Predicted numbers as a CSV file that people and programs can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import ValueTargets
from opsin.storage.atomic import damage_explained, read_csv_rows, write_csv
from opsin.tasks.base import PredictedSplit
from opsin.tasks.regression.predictions import Values


def write_predictions(
    path: Path, names: Sequence[str], classes: Sequence[str], predictions: Values, values: NDArray[np.float64]
) -> None:
    """Write a CSV with a row per image: ``image,true,predicted``.

    Args:
        path: The file.
        names: What to call each image.
        classes: The name of the value.
        predictions: Numbers.
        values: float64 ``(N,)``, the true ones.
    """
    given = zip(names, values.tolist(), predictions.values, strict=True)
    rows = ([name, repr(truth), f"{value:.9g}"] for name, truth, value in given)
    write_csv(path, ["image", "true", "predicted"], rows)


def read_predictions(path: Path, classes: Sequence[str]) -> tuple[list[str], NDArray[np.float64], Values]:
    """Return image names, true values float64 ``(N,)`` and predictions, as `write_predictions` wrote them.

    Raises:
        RunError: The file is damaged.
    """
    with damage_explained(path):
        rows = read_csv_rows(path)
        values = np.array([row[1] for row in rows], np.float64)
        return [row[0] for row in rows], values, Values(np.array([row[2] for row in rows], np.float32))


class RegressionStore:
    """See `opsin.tasks.base.PredictionStore`."""

    def write(self, path: Path, classes: Sequence[str], split: PredictedSplit[ValueTargets, Values]) -> None:
        """See `PredictionStore.write`."""
        write_predictions(path, split.names, classes, split.predictions, split.targets.values)

    def read(self, path: Path, classes: Sequence[str]) -> PredictedSplit[ValueTargets, Values]:
        """See `PredictionStore.read`."""
        names, values, predictions = read_predictions(path, classes)
        return PredictedSplit(names, ValueTargets(values), predictions)
