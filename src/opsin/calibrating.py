"""What is learned once the best weights are known, before the test split is opened: how sure, and of what."""

from __future__ import annotations

import contextlib

import torch

from opsin.data.dataset import TRAIN, VALIDATION
from opsin.errors import NetworkError
from opsin.evaluation.calibration import calibrate
from opsin.evaluation.unlike import choose_images, fit_unlikeness
from opsin.networks.features import entering_head, penultimate_features
from opsin.runfolder import RunFolder
from opsin.tasks.classification import Classification
from opsin.training.session import Session


def learn_from_validation(folder: RunFolder, session: Session) -> None:
    """Fit the temperature of a session's network and what it takes for an ordinary image.

    Writes ``calibration.json`` and ``unlike.safetensors``, and lets the task use the temperature from here on.

    Args:
        folder: The run.
        session: Its network holds the weights that are kept; its task is at temperature 1.
    """
    prepared = session.prepared
    dataset, rows = prepared.dataset, prepared.split.indices(VALIDATION)
    with contextlib.ExitStack() as stack:
        try:
            features = stack.enter_context(entering_head(session.network))
        except NetworkError:  # its last layer is not known, so nothing can be said of what enters it
            features = None
        predictions = session.predict(session.network, torch.from_numpy(rows))
        ordinary = None if features is None else features().numpy()
    groups = None if dataset.groups is None else dataset.groups[rows]
    calibration = calibrate(dataset.labels[rows], predictions.probabilities, groups)
    folder.write("calibration.json", calibration.to_dict())
    assert isinstance(session.task, Classification)
    session.task.temperature = calibration.temperature
    if ordinary is None:
        return
    some = choose_images(dataset.labels, prepared.split.indices(TRAIN))
    training = penultimate_features(
        session.network,
        prepared.preprocessing,
        prepared.pixels.images,
        torch.from_numpy(some),
        session.fabric.device,
    )
    unlikeness = fit_unlikeness(training, dataset.labels[some], ordinary)
    if unlikeness is not None:
        unlikeness.save(folder.path / "unlike.safetensors")
