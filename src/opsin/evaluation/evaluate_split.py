"""Scoring a trained network on a split and writing what the report needs into the run folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.data.images import VALIDATION
from opsin.data.targets import Targets
from opsin.evaluation.task import evaluation_of
from opsin.runs.folder import RunFolder
from opsin.statistics.serialize import to_json
from opsin.tasks.base import PredictedSplit
from opsin.tasks.registry import task_spec

THUMBNAIL = 160  # pixels; the longer side of the pictures kept for the gallery


def assess(
    folder: RunFolder,
    name: str,
    why: str,
    predict: Callable[[], Any],
    names: list[str],
    targets: Targets,
    groups: NDArray[Any] | None,
    picture: Callable[[int], NDArray[np.uint8]],
) -> dict[str, dict[Any, Any]]:
    """Predict a split, score it, and write predictions, pictures, scorecard and verdict into the run folder.

    Args:
        folder: The run.
        name: Of the split; "test" is locked, and opening it is logged.
        why: The reason for opening it, for the log.
        predict: Gives the predictions of the split's N images.
        names: What to call each image.
        targets: Of the same images.
        groups: ``(N,)``, or None where each image stands for itself.
        picture: Gives the pixels of one of the N images, uint8 ``(H, W, C)``.

    Returns:
        Score -> value, low, high, method, n.
    """
    if name != VALIDATION:
        folder.add_look(name, why)
    predicted = PredictedSplit(names, targets, predict(), groups)
    folder.write_predictions(name, predicted)
    rows = evaluation_of(folder.task).gallery(targets, predicted.predictions)
    folder.write_thumbnails(name, rows, thumbnails([picture(int(row)) for row in rows]))
    scores = to_json(
        task_spec(folder.task).score(predicted.predictions, targets, folder.classes, groups, folder.positive)
    )
    folder.write("scorecard.json", folder.scorecard | {name: scores})
    return scores


def judge(folder: RunFolder) -> None:
    """Write the verdict on a run whose test or validation split is scored."""
    findings = evaluation_of(folder.task).verdict(folder)
    folder.write("verdict.json", [finding.to_dict() for finding in findings])


def thumbnails(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Shrink pictures of one size, uint8 ``(H, W, C)`` each, to at most 160 pixels; return uint8 ``(K, h, w, C)``."""
    if not pictures:
        return np.zeros((0, 1, 1, 3), np.uint8)
    height, width, channels = pictures[0].shape
    factor = max(1.0, max(height, width) / THUMBNAIL)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    small = []
    for pixels in pictures:
        image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
        image = image.resize(size, Image.Resampling.LANCZOS) if factor > 1 else image
        small.append(np.array(image).reshape(size[1], size[0], channels))
    return np.stack(small)
