"""Temperature scaling of a classifier on validation images."""

from __future__ import annotations

from numpy.typing import NDArray

from opsin.evaluation.calibration import calibrate
from opsin.runs.folder import RunFolder
from opsin.tasks.classification.learner import ClassificationLearner
from opsin.tasks.classification.predictions import Classifications


def calibrate_probabilities(
    folder: RunFolder,
    task: ClassificationLearner,
    predictions: Classifications,
    labels: NDArray,
    groups: NDArray | None,
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
