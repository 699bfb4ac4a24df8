"""How well each single image is answered, one function for each task: scores whose mean over images is a score.

A bool array says of each image whether its answer is right, float64 ``(N,)`` how good it is, or how far off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.segmentation import confusion_matrices, image_dice
from opsin.tasks.predictions import Classified, Estimated, Labelled, Segmented

COUNTED = ("accuracy", "exact_match")  # scores that are parts of the images, which people read in percent


def right_classes(labels: NDArray[np.int64], predictions: Classified) -> NDArray[np.bool_]:
    """Return which images are given their class, bool ``(N,)``; the mean is the accuracy."""
    right: NDArray[np.bool_] = predictions.labels == labels
    return right


def right_labels(truth: NDArray[np.bool_], predictions: Labelled) -> NDArray[np.bool_]:
    """Return which images are given exactly their labels, bool ``(N,)``; the mean is the exact match."""
    right: NDArray[np.bool_] = (predictions.labels == truth).all(axis=1)
    return right


def absolute_errors(values: NDArray[np.float64], predictions: Estimated) -> NDArray[np.float64]:
    """Return by how much each image is off, float64 ``(N,)``; the mean is the mean absolute error."""
    return np.abs(predictions.values - values).astype(np.float64)


def dice_of_masks(masks: NDArray[np.uint8], predictions: Segmented) -> NDArray[np.float64]:
    """Return the Dice of each mask, float64 ``(N,)``, nan where all of it is void; the mean is the score Dice."""
    return image_dice(confusion_matrices(masks, predictions.labels, predictions.classes))
