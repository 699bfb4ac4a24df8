"""Temperature scaling of a classifier on validation images."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from opsin.evaluation.calibration import calibrate
from opsin.tasks.classification.learner import ClassificationLearner
from opsin.tasks.classification.predictions import Classifications


def calibrate_probabilities(
    learner: ClassificationLearner, predictions: Classifications, labels: NDArray[Any], groups: NDArray[Any] | None
) -> dict[str, Any]:
    """Fit the temperature of a classifier, set it in the learner, and return ``calibration.json``.

    Args:
        learner: At temperature 1.
        predictions: Of the validation images.
        labels: int64 ``(N,)``, their classes.
        groups: ``(N,)``, or None.
    """
    calibration = calibrate(labels, predictions.probabilities, groups)
    learner.temperature = calibration.temperature
    return calibration.to_dict()
