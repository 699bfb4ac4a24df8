"""Outputs that the heat maps of several labels explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.evaluation.explained_outputs import NONE, largest_among
from opsin.tasks.multilabel.predictions import LabelSets


def explain_labels(truth: NDArray[np.bool_], predictions: LabelSets, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the label that is most wrong, given or missed, and the surest of those that are given rightly.

    Where no label is wrong, the surest one stands alone, and where none is given either, the most probable one.
    Arguments and result as for `explain_classes`, the truth bool ``(N, labels)``.
    """
    true, said, chances = truth[rows], predictions.labels[rows], predictions.probabilities[rows]
    worst = largest_among(np.abs(chances - true), true != said)
    surest = largest_among(chances, true & said)
    first = np.where(worst != NONE, worst, np.where(surest != NONE, surest, chances.argmax(axis=1)))
    return np.stack([first, np.where(surest == first, NONE, surest)], axis=1)
