"""What is learned once the best weights are known, before the test split is opened: how sure, and of what."""

from __future__ import annotations

import contextlib

import torch

from opsin.data.images import TRAIN, VALIDATION
from opsin.errors import NetworkError
from opsin.inference.ood import choose_images, fit_unlikeness
from opsin.inference.tta import count_views
from opsin.networks.penultimate import entering_head, penultimate_features
from opsin.runs.folder import RunFolder
from opsin.tasks.registry import task_spec
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
    calibration = task_spec(dataset.task).calibrate(
        session.task, predictions, prepared.split_targets(VALIDATION), groups
    )
    if calibration:
        folder.write("calibration.json", calibration)
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
