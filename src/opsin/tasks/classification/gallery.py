"""Rows of the gallery, the most confident mistakes first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.tasks.classification.predictions import Classifications


def select(labels: NDArray[np.int64], predictions: Classifications, limit: int = 48) -> NDArray[np.int64]:
    """Choose images that together show what a classifier gets wrong, what it hesitates at, and what it does well.

    Three parts, none with an image of another:

    1. Errors, up to three quarters of the places. Each pair of a true and a predicted class gives its worst image (the
       lowest probability of the true class) before any pair gives its second, so that no single confusion fills the
       gallery; where there are more pairs than places, the worst pairs give theirs.
    2. The best, a twelfth of the places: right and surest, each class giving one before any gives its second.
    3. Borderline images in all places that are left: right, but with the smallest lead of the first class over the
       second. Where these run out, the remaining errors in the order of 1.

    Args:
        labels: int64 ``(N,)``, the true classes.
        predictions: Of the same N images.
        limit: The number of places.

    Returns:
        int64 ``(min(limit, N),)``; rows of ``predictions``, by rising probability of the true class, then by row. The
        same input always gives the same rows.
    """
    places = min(limit, len(labels))
    predicted = predictions.labels
    true_probability = np.take_along_axis(predictions.probabilities, labels[:, None], axis=1)[:, 0]
    ordered = np.partition(predictions.probabilities, -2, axis=1) if predictions.probabilities.shape[1] > 1 else None
    lead = ordered[:, -1] - ordered[:, -2] if ordered is not None else true_probability

    errors = np.flatnonzero(predicted != labels)
    errors = _in_turn(errors, labels[errors] * predictions.probabilities.shape[1] + predicted[errors], true_probability)
    right = np.flatnonzero(predicted == labels)
    best = _in_turn(right, labels[right], -true_probability)[: places // 12]
    shown = errors[: places - places // 4]
    others = np.setdiff1d(right, best)
    borderline = others[np.argsort(lead[others], kind="stable")][: places - len(shown) - len(best)]
    chosen = np.concatenate([shown, best, borderline])
    chosen = np.concatenate([chosen, errors[len(shown) : len(shown) + places - len(chosen)]])
    return chosen[np.lexsort((chosen, true_probability[chosen]))]


def _in_turn(rows: NDArray[np.int64], kinds: NDArray[np.int64], badness: NDArray[np.floating]) -> NDArray[np.int64]:
    """Order rows so that each kind gives its first (lowest ``badness``) before any gives its second."""
    order = np.lexsort((rows, badness[rows], kinds))
    rows, kinds = rows[order], kinds[order]
    starts = np.flatnonzero(np.r_[True, kinds[1:] != kinds[:-1]]) if len(rows) else np.zeros(0, np.int64)
    turn = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    return rows[np.lexsort((rows, badness[rows], turn))]
