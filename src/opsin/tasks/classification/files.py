"""Predictions of a classifier as a CSV file that people and programs can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import ClassTargets
from opsin.storage.atomic import damage_explained, read_csv_rows, write_csv
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications


def write_predictions(
    path: Path, names: Sequence[str], classes: Sequence[str], predictions: Classifications, labels: NDArray[np.int64]
) -> None:
    """Write a CSV with a row per image: ``image,true,predicted,confidence``, then a probability for each class.

    Args:
        path: The file.
        names: What to call each image.
        classes: Class names.
        predictions: Probabilities.
        labels: int64 ``(N,)``, the true classes.
    """
    best, confidences = predictions.labels, predictions.confidence
    header = ["image", "true", "predicted", "confidence", *(f"p({name})" for name in classes)]
    rows = (
        [name, classes[labels[row]], classes[best[row]]]
        + [f"{p:.9g}" for p in (confidences[row], *predictions.probabilities[row])]
        for row, name in enumerate(names)
    )
    write_csv(path, header, rows)


def read_predictions(path: Path, classes: Sequence[str]) -> tuple[list[str], NDArray[np.int64], Classifications]:
    """Return image names, true labels int64 ``(N,)`` and predictions, as `write_predictions` wrote them.

    Raises:
        RunError: The file is damaged.
    """
    index = {name: number for number, name in enumerate(classes)}
    with damage_explained(path):
        rows = read_csv_rows(path)
        labels = np.array([index[row[1]] for row in rows], dtype=np.int64)
        probabilities = np.array([row[4:] for row in rows], dtype=np.float32).reshape(len(rows), len(index))
        return [row[0] for row in rows], labels, Classifications(probabilities)


class ClassificationStore:
    """See `opsin.tasks.base.PredictionStore`."""

    def write(self, path: Path, classes: Sequence[str], split: PredictedSplit[ClassTargets, Classifications]) -> None:
        """See `PredictionStore.write`."""
        write_predictions(path, split.names, classes, split.predictions, split.targets.values)

    def read(self, path: Path, classes: Sequence[str]) -> PredictedSplit[ClassTargets, Classifications]:
        """See `PredictionStore.read`."""
        names, values, predictions = read_predictions(path, classes)
        return PredictedSplit(names, ClassTargets(values), predictions)
