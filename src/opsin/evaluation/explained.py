"""Which outputs of a network heat maps explain, one function for each task that has them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.tasks.predictions import Classified, Estimated, Labelled

NONE = -1


def explain_classes(labels: NDArray[np.int64], predictions: Classified, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the predicted class of some images, and the true one where it is another.

    Args:
        labels: int64 ``(N,)``, the true classes.
        predictions: Of the same N images.
        rows: int64 ``(K,)``, the images that are explained.

    Returns:
        int64 ``(K, 2)``; the second is -1 where there is nothing else to explain.
    """
    guesses, truth = predictions.labels[rows], labels[rows]
    return np.stack([guesses, np.where(guesses == truth, NONE, truth)], axis=1)


def explain_labels(truth: NDArray[np.bool_], predictions: Labelled, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the label that is most wrong, given or missed, and the surest of those that are given rightly.

    Where no label is wrong, the surest one stands alone, and where none is given either, the most probable one.
    Arguments and result as for `explain_classes`, the truth bool ``(N, labels)``.
    """
    true, said, chances = truth[rows], predictions.labels[rows], predictions.probabilities[rows]
    worst = _largest(np.abs(chances - true), true != said)
    surest = _largest(chances, true & said)
    first = np.where(worst != NONE, worst, np.where(surest != NONE, surest, chances.argmax(axis=1)))
    return np.stack([first, np.where(surest == first, NONE, surest)], axis=1)


def explain_values(values: NDArray[np.float64], predictions: Estimated, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the only output there is; arguments and result as for `explain_classes`."""
    return np.tile([0, NONE], (len(rows), 1))


def _largest(values: NDArray[np.floating], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the column of each row's largest value among some; -1 where there are none."""
    place = np.where(among, values, -np.inf).argmax(axis=1)
    return np.where(among.any(axis=1), place, NONE)
