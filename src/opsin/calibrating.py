"""What is learned from the validation images once the best weights are known, before the test split is opened."""

from __future__ import annotations

import torch

from opsin.data.dataset import VALIDATION
from opsin.evaluation.calibration import calibrate
from opsin.runfolder import RunFolder
from opsin.training.session import Session


def learn_from_validation(folder: RunFolder, session: Session) -> None:
    """Fit the temperature of a session's network, write ``calibration.json``, and let the task use it from here on.

    Args:
        folder: The run.
        session: Its network holds the weights that are kept; its task is at temperature 1.
    """
    rows = session.prepared.split.indices(VALIDATION)
    dataset = session.prepared.dataset
    predictions = session.predict(session.network, torch.from_numpy(rows))
    groups = None if dataset.groups is None else dataset.groups[rows]
    calibration = calibrate(dataset.labels[rows], predictions.probabilities, groups)
    folder.write("calibration.json", calibration.to_dict())
    session.task.temperature = calibration.temperature
