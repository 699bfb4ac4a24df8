"""Inspection ``robustness``: scores under corruptions and in simulated laboratories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from opsin.data.corruptions import SEVERITIES
from opsin.data.images import TRAIN, VALIDATION
from opsin.inference.tta import count_views
from opsin.inspection.domain_shift import ANSWERS_FILE
from opsin.inspection.robustness import (
    LABORATORIES,
    Trial,
    applicable,
    choose_images,
    measure_corruptions,
    simulate_laboratories,
)
from opsin.tasks.base import Predictions
from opsin.tasks.registry import task_spec

if TYPE_CHECKING:
    from opsin.inspection import Subject
    from opsin.runs.folder import RunFolder

MOST_IMAGES = 1_000
FEWEST_IMAGES = 100
FEW_SEVERITIES = (2, 4)
PART_OF_TRAINING = 0.05  # a forward pass is a third of a training step
CHEAP = 3e11  # multiplications, about ten seconds on a laptop, that are always allowed


def inspect(folder: RunFolder, subject: Subject) -> None:
    """Measure the robustness on validation images.

    Writes ``robustness.json``, and the answers of a classifier in the simulated laboratories as ``laboratories.npz``:
    the attributes of `opsin.inspection.domain_shift.Answers`.

    The number of images, at most 1,000, is limited to a twentieth of the cost of training or about ten seconds. If that
    allows fewer than 100 images, 100 (or all, if there are fewer) are used at two severities instead of five.
    """
    rows = subject.rows[VALIDATION]
    kinds = len(applicable(_channels_first(subject.pixels[rows[:1]])))
    passes = (2 + kinds * len(SEVERITIES) + LABORATORIES) * _views(subject)
    trained = 3 * len(folder.history) * len(subject.rows[TRAIN])
    cheap = CHEAP / max(folder.info["network"]["macs"], 1)
    number = int(max(PART_OF_TRAINING * trained, cheap) / passes)
    severities = SEVERITIES if number >= min(FEWEST_IMAGES, len(rows)) else FEW_SEVERITIES
    chosen = choose_rows(subject, min(max(number, FEWEST_IMAGES), MOST_IMAGES))
    trial = trial_of(subject, chosen)

    total = 2 + len(applicable(trial.images)) * len(severities) + LABORATORIES
    done = iter(range(1, total + 1))

    def progress() -> None:
        subject.progress(next(done), total)

    found = measure_corruptions(trial, folder.recipe.augmentation, severities, progress)
    laboratories, answers = simulate_laboratories(trial, progress=progress)
    used = {"split": VALIDATION, "images": len(chosen), "of": len(rows), "severities": list(severities)}
    if answers is not None:
        folder.write_arrays(ANSWERS_FILE, **vars(answers))
    folder.write("robustness.json", {**used, **found, "laboratories": laboratories})


def choose_rows(subject: Subject, number: int, seed: int = 0) -> NDArray[np.int64]:
    """Draw random validation images, stratified if every image has one class; sorted indices, int64."""
    rows = subject.rows[VALIDATION]
    exclusive = task_spec(subject.predictor.task.name).exclusive
    strata = subject.targets.strata(subject.classes)[rows] if exclusive else np.zeros(len(rows), np.int64)
    return rows[choose_images(strata, number, seed)]


def trial_of(subject: Subject, rows: NDArray[np.int64]) -> Trial:
    """Return images of a run and its network for a test under corruptions."""

    def predict(images: Tensor) -> Predictions:
        pixels = images.permute(0, 2, 3, 1).contiguous()
        predictions: Predictions = subject.predictor.predict_pixels(pixels, torch.arange(len(pixels)))
        return predictions

    images = _channels_first(subject.pixels[torch.from_numpy(rows)])
    return Trial(predict, images, subject.targets.take(rows), subject.classes, subject.predictor.task.name)


def _views(subject: Subject) -> int:
    preprocessing = subject.predictor.preprocessing
    return count_views(subject.predictor.views, preprocessing.height, preprocessing.width)


def _channels_first(pixels: Tensor) -> Tensor:
    return pixels.permute(0, 3, 1, 2)
