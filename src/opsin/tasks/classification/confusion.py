"""The confusion matrix of a predicted split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import ClassTargets
from opsin.metrics.classification import confusion_matrix
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications


def confusion_of(predicted: PredictedSplit[ClassTargets, Classifications]) -> NDArray[np.int64]:
    """Return true class by predicted class, int64 ``(C, C)``."""
    result = predicted.predictions
    matrix: NDArray[np.int64] = confusion_matrix(predicted.targets.values, result.labels, result.probabilities.shape[1])
    return matrix
