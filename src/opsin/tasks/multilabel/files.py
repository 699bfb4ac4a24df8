"""Predictions of several labels per image as a CSV file that people and programs can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import LabelTargets
from opsin.data.targets.label_sets import join_labels, parse_labels
from opsin.errors import DataError
from opsin.storage.atomic import damage_explained, read_csv_rows, write_csv
from opsin.tasks.base import PredictedSplit
from opsin.tasks.multilabel.predictions import LabelSets


def write_predictions(
    path: Path, names: Sequence[str], classes: Sequence[str], predictions: LabelSets, labels: NDArray[np.bool_]
) -> None:
    """Write a CSV with a row per image: ``image,true,predicted``, then a probability for each label.

    Args:
        path: The file.
        names: What to call each image.
        classes: Names of the labels; those of an image are separated by semicolons.
        predictions: Probabilities, and labels that reach their thresholds.
        labels: bool ``(N, L)``, the true ones.
    """
    rows = (
        [name, join_labels(labels[row], classes), join_labels(predictions.labels[row], classes)]
        + [f"{p:.9g}" for p in predictions.probabilities[row]]
        for row, name in enumerate(names)
    )
    write_csv(path, ["image", "true", "predicted", *(f"p({name})" for name in classes)], rows)


def read_predictions(path: Path, classes: Sequence[str]) -> tuple[list[str], NDArray[np.bool_], LabelSets]:
    """Return image names, true labels bool ``(N, L)`` and predictions, as `write_predictions` wrote them.

    Raises:
        RunError: The file is damaged.
    """
    with damage_explained(path):
        rows = read_csv_rows(path)
        shape = (len(rows), len(classes))
        try:
            truth, said = (
                np.array([parse_labels(row[at], classes) for row in rows], np.bool_).reshape(shape) for at in (1, 2)
            )
        except DataError as error:
            raise ValueError(f"it {error}") from None
        probabilities = np.array([row[3:] for row in rows], np.float32).reshape(shape)
        return [row[0] for row in rows], truth, LabelSets(probabilities, said)


class MultilabelStore:
    """See `opsin.tasks.base.PredictionStore`."""

    def write(self, path: Path, classes: Sequence[str], split: PredictedSplit[LabelTargets, LabelSets]) -> None:
        """See `PredictionStore.write`."""
        write_predictions(path, split.names, classes, split.predictions, split.targets.values)

    def read(self, path: Path, classes: Sequence[str]) -> PredictedSplit[LabelTargets, LabelSets]:
        """See `PredictionStore.read`."""
        names, values, predictions = read_predictions(path, classes)
        return PredictedSplit(names, LabelTargets(values), predictions)
