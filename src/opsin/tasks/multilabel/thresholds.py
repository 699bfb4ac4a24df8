"""From which probability on a label is given: for each label the threshold that is best on validation images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.thresholds import all_calls

FEWEST = 5  # validation images with a label, and without, below which one half is taken


def choose_label_thresholds(
    truth: NDArray[np.bool_], probabilities: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Choose for each label the threshold with the highest F1.

    A threshold lies midway between two probabilities that occur, so that rounding moves no image across it. Of equally
    good ones the nearest to one half is taken. Where fewer than 5 images have the label, or have it not, one half is.

    Args:
        truth: bool ``(N, L)``, of validation images.
        probabilities: float32 ``(N, L)``.

    Returns:
        Thresholds float32 ``(L,)``, and which of them were chosen, bool ``(L,)``.
    """
    found = [_choose(*columns) for columns in zip(truth.T, probabilities.T, strict=True)]
    chosen = np.array([each is not None for each in found], bool)
    return np.array([0.5 if each is None else each for each in found], np.float32), chosen


def _choose(positive: NDArray[np.bool_], scores: NDArray[np.float32]) -> float | None:
    if min(int(positive.sum()), int((~positive).sum())) < FEWEST:
        return None
    calls = all_calls(positive, scores)
    called = calls.true_positives + calls.false_positives
    f1 = 2 * calls.true_positives / np.maximum(calls.positives + called, 1)
    lower = np.append(calls.thresholds[1:], 0.0)
    upper = np.minimum(calls.thresholds, 1.0)
    middle = (upper + lower) / 2
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middle[best[np.abs(middle[best] - 0.5).argmin()]])
