"""What is learned once the best weights are known, before the test split is opened: how sure, and of what."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from numpy.typing import NDArray

from opsin.data.images import TRAIN, VALIDATION
from opsin.errors import NetworkError
from opsin.inference.ood import choose_images, fit_unlikeness
from opsin.inference.tta import count_views
from opsin.networks.penultimate import entering_head, penultimate_features
from opsin.runs.folder import RunFolder
from opsin.tasks.base import Learner
from opsin.tasks.registry import part_of
from opsin.training.session import Evaluator


def learn_from_validation(folder: RunFolder, session: Evaluator) -> None:
    """Learn from validation images what predicting needs, and what the network takes for an ordinary image.

    Writes ``calibration.json``, where the task has anything to calibrate, and ``unlike.safetensors``.

    Args:
        folder: The run.
        session: Its network holds the weights that are kept; its task is as training left it.
    """
    prepared = session.prepared
    dataset, rows = prepared.dataset, prepared.split.indices(VALIDATION)
    with contextlib.ExitStack() as stack:
        try:
            size = prepared.preprocessing.height, prepared.preprocessing.width
            views = count_views(prepared.recipe.data.tta, *size)
            features = stack.enter_context(entering_head(session.network, every=views))
        except NetworkError:  # its last layer is not known, so nothing can be said of what enters it
            features = None
        predictions = session.predict(session.network, torch.from_numpy(rows))
        ordinary = None if features is None else features().numpy()
    groups = None if dataset.groups is None else dataset.groups[rows]
    part_of(dataset.task, "calibrate")(folder, session.task, predictions, prepared.truth(VALIDATION), groups)
    if ordinary is None:
        return
    strata = dataset.strata
    some = choose_images(strata, prepared.split.indices(TRAIN))
    training = penultimate_features(
        session.network,
        prepared.preprocessing,
        prepared.pixels.images,
        torch.from_numpy(some),
        session.fabric.device,
    )
    unlikeness = fit_unlikeness(training, strata[some], ordinary)
    if unlikeness is not None:
        unlikeness.save(folder.path / "unlike.safetensors")


def calibrate_nothing(
    folder: RunFolder, task: Learner, predictions: Any, targets: NDArray, groups: NDArray | None
) -> None:
    """Leave predictions as they are, where there is nothing to calibrate."""
