"""The examination ``robustness``: accuracy under corruptions and in simulated laboratories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from opsin.data.corruptions import SEVERITIES
from opsin.data.dataset import TRAIN, VALIDATION
from opsin.evaluation.robustness import (
    LABORATORIES,
    applicable,
    choose_images,
    measure_corruptions,
    simulate_laboratories,
)

if TYPE_CHECKING:
    from opsin.examining import Subject
    from opsin.runfolder import RunFolder

MOST_IMAGES = 1_000
FEWEST_IMAGES = 100
FEW_SEVERITIES = (2, 4)
PART_OF_TRAINING = 0.05  # a forward pass is a third of a training step
CHEAP = 3e11  # multiplications, some ten seconds on a laptop, that are always spent


def examine(folder: RunFolder, subject: Subject) -> None:
    """Measure how the accuracy on validation images holds up.

    Writes ``robustness.json``, and what the network answered in the simulated laboratories as ``laboratories.npz``: the
    attributes of `opsin.evaluation.elsewhere.Answers`.

    As many images are used, at most 1,000, as cost a twentieth of what training has cost, or some ten seconds. Where
    that is fewer than 100 images, 100 are used at two severities rather than five.
    """
    rows = subject.rows[VALIDATION]
    kinds = len(applicable(_channels_first(subject.pixels[rows[:1]])))
    passes = 2 + kinds * len(SEVERITIES) + LABORATORIES
    trained = 3 * len(folder.history) * len(subject.rows[TRAIN])
    cheap = CHEAP / max(folder.info["network"]["macs"], 1)
    number = int(max(PART_OF_TRAINING * trained, cheap) / passes)
    severities = SEVERITIES if number >= FEWEST_IMAGES or len(rows) < FEWEST_IMAGES else FEW_SEVERITIES
    chosen = rows[choose_images(subject.labels[rows], min(max(number, FEWEST_IMAGES), MOST_IMAGES))]
    images, labels = _channels_first(subject.pixels[torch.from_numpy(chosen)]), subject.labels[chosen]

    def predict(images: Tensor) -> NDArray[np.float32]:
        pixels = images.permute(0, 2, 3, 1).contiguous()
        return subject.predictor.predict_pixels(pixels, torch.arange(len(pixels))).probabilities

    total = 2 + len(applicable(images)) * len(severities) + LABORATORIES
    done = iter(range(1, total + 1))

    def progress() -> None:
        subject.progress(next(done), total)

    augmentation = folder.recipe.augmentation
    found = measure_corruptions(predict, images, labels, subject.classes, augmentation, severities, progress)
    laboratories, answers = simulate_laboratories(predict, images, labels, len(subject.classes), progress=progress)
    used = {"split": VALIDATION, "images": len(chosen), "of": len(rows), "severities": list(severities)}
    folder.write_arrays("laboratories.npz", **vars(answers))
    folder.write("robustness.json", {**used, **found, "laboratories": laboratories})


def _channels_first(pixels: Tensor) -> Tensor:
    return pixels.permute(0, 3, 1, 2)
