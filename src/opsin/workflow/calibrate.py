"""What is learned once the best weights are known, before the test split is opened: how sure, and of what."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from numpy.typing import NDArray

from opsin.data.dataset import TRAIN, VALIDATION
from opsin.errors import NetworkError
from opsin.evaluation.calibration import calibrate
from opsin.inference.ood import choose_images, fit_unlikeness
from opsin.inference.tta import count_views
from opsin.networks.penultimate import entering_head, penultimate_features
from opsin.runs.folder import RunFolder
from opsin.tasks.base import Task
from opsin.tasks.classification.learner import Classification
from opsin.tasks.multilabel import thresholds as label_thresholds
from opsin.tasks.multilabel.learner import Multilabel
from opsin.tasks.predictions import Classified, Labelled
from opsin.tasks.registry import part_of
from opsin.training.session import Ready


def learn_from_validation(folder: RunFolder, session: Ready) -> None:
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
            views = count_views(prepared.recipe.data.test_views, *size)
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
    folder: RunFolder, task: Task, predictions: Any, targets: NDArray, groups: NDArray | None
) -> None:
    """Leave predictions as they are, where there is nothing to calibrate."""


def choose_label_thresholds(
    folder: RunFolder, task: Multilabel, predictions: Labelled, truth: NDArray, groups: NDArray | None
) -> None:
    """Choose from which probability on each label is given, write ``calibration.json``, and let the task use it.

    Args:
        folder: The run.
        task: Its thresholds are replaced.
        predictions: Of the validation images.
        truth: bool ``(N, L)``, their labels.
        groups: ``(N,)``, or None; they make no difference.
    """
    thresholds, chosen = label_thresholds.choose_label_thresholds(truth, predictions.probabilities)
    few = label_thresholds.FEWEST
    decision = f"Each threshold is the one of the highest F1 on {len(truth):,} validation images."
    if not chosen.all():
        decision += f" Labels that fewer than {few} of them have, or have not, are given from one half on."
    found = {"thresholds": thresholds.tolist(), "chosen": chosen.tolist(), "decision": decision}
    folder.write("calibration.json", found)
    task.thresholds = thresholds


def calibrate_probabilities(
    folder: RunFolder, task: Classification, predictions: Classified, labels: NDArray, groups: NDArray | None
) -> None:
    """Fit the temperature of a classifier, write ``calibration.json``, and let the task use it from here on.

    Args:
        folder: The run.
        task: At temperature 1.
        predictions: Of the validation images.
        labels: int64 ``(N,)``, their classes.
        groups: ``(N,)``, or None.
    """
    calibration = calibrate(labels, predictions.probabilities, groups)
    folder.write("calibration.json", calibration.to_dict())
    task.temperature = calibration.temperature
