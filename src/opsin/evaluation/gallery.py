"""Which images a report shows, from the worst prediction to the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.multilabel import binary_log_losses
from opsin.tasks.predictions import Classified, Estimated, Labelled


def select(labels: NDArray[np.int64], predictions: Classified, limit: int = 48) -> NDArray[np.int64]:
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


def select_by_error(values: NDArray[np.float64], predictions: Estimated, limit: int = 48) -> NDArray[np.int64]:
    """Choose images whose number is predicted, from the worst error to the smallest.

    Half of the places are for the largest errors; the others are spread evenly, by rank, over what remains down to the
    smallest, so that the usual error and the best are seen as well.

    Args:
        values: float64 ``(N,)``, the true numbers.
        predictions: Of the same N images.
        limit: The number of places.

    Returns:
        int64 ``(min(limit, N),)``; rows of ``predictions`` by falling error, then by row.
    """
    return _worst_and_others(np.abs(predictions.values - values), limit)


def select_by_likelihood(truth: NDArray[np.bool_], predictions: Labelled, limit: int = 48) -> NDArray[np.int64]:
    """Choose images with several labels, from those whose labels the network found least likely to the surest.

    Args:
        truth: bool ``(N, L)``, the true labels.
        predictions: Of the same N images.
        limit: The number of places; they are filled as by `select_by_error`.

    Returns:
        int64 ``(min(limit, N),)``; rows of ``predictions`` by falling binary cross-entropy, then by row.
    """
    return _worst_and_others(binary_log_losses(truth, predictions.probabilities).sum(axis=1), limit)


def _worst_and_others(badness: NDArray[np.floating], limit: int) -> NDArray[np.int64]:
    """Return the worst rows, and as many that are spread evenly by rank over the others, down to the best."""
    order = np.argsort(-badness, kind="stable")
    places = min(limit, len(order))
    worst = places - places // 2
    rest = np.linspace(worst, len(order) - 1, places - worst).round().astype(np.int64)
    return order[np.concatenate([np.arange(worst), rest])]
