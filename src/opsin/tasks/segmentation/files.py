"""Predicted masks as files: a CSV row for each image, and all masks in one compressed npz file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import DecodedMasks
from opsin.metrics import segmentation as metrics
from opsin.storage.atomic import damage_explained, read_csv_rows, replacing, write_csv
from opsin.tasks.base import PredictedSplit
from opsin.tasks.segmentation.predictions import SegmentationMasks


def write_masks(
    path: Path, names: Sequence[str], classes: Sequence[str], predictions: SegmentationMasks, masks: NDArray[np.uint8]
) -> None:
    """Write a CSV with a row per image, ``image,dice,pixel_accuracy`` and the predicted part of each class, and masks.

    Args:
        path: The CSV; the masks go into the npz file of the same name: ``true``, ``predicted`` and ``confidence``, all
            uint8 ``(N, H, W)``.
        names: What to call each image.
        classes: Class names.
        predictions: Of N images.
        masks: uint8 ``(N, H, W)``, the true classes, `VOID` among them.
    """
    with replacing(path.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, true=masks, predicted=predictions.labels, confidence=predictions.confidence)
    confusion = metrics.confusion_matrices(masks, predictions.labels, len(classes))
    dice, right = metrics.image_dice(confusion), metrics.pixel_accuracy(confusion)
    areas = predictions.areas() / predictions.labels[0].size if len(predictions) else np.zeros((0, len(classes)))
    rows = (
        [name, *(f"{value:.9g}" for value in (dice[row], right[row], *areas[row]))] for row, name in enumerate(names)
    )
    write_csv(path, ["image", "dice", "pixel_accuracy", *(f"area({name})" for name in classes)], rows)


def read_masks(path: Path, classes: Sequence[str]) -> tuple[list[str], NDArray[np.uint8], SegmentationMasks]:
    """Return image names, true masks uint8 ``(N, H, W)`` and predictions, as `write_masks` wrote them.

    Raises:
        RunError: A file is damaged.
    """
    with damage_explained(path):
        names = [row[0] for row in read_csv_rows(path)]
    arrays = path.with_suffix(".npz")
    with damage_explained(arrays):
        with np.load(arrays, allow_pickle=False) as stored:
            true, predictions = (
                stored["true"],
                SegmentationMasks(stored["predicted"], stored["confidence"], len(classes)),
            )
        if not len(names) == len(true) == len(predictions):
            raise ValueError(f"{len(names)} names, but {len(true)} masks")
        return names, true, predictions


class MaskStore:
    """See `opsin.tasks.base.PredictionStore`."""

    def write(self, path: Path, classes: Sequence[str], split: PredictedSplit[DecodedMasks, SegmentationMasks]) -> None:
        """See `PredictionStore.write`."""
        write_masks(path, split.names, classes, split.predictions, split.targets.values)

    def read(self, path: Path, classes: Sequence[str]) -> PredictedSplit[DecodedMasks, SegmentationMasks]:
        """See `PredictionStore.read`."""
        names, values, predictions = read_masks(path, classes)
        return PredictedSplit(names, DecodedMasks(values), predictions)
