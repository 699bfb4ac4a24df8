"""Selection of the classes of a confusion matrix that are drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DRAWN_CLASSES = 200


def most_confused(matrix: NDArray[np.int64], names: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Return the part of a confusion matrix that fits on a page: the classes with the most errors, in order."""
    if len(names) <= DRAWN_CLASSES:
        return matrix, names
    mistakes = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diagonal(matrix)
    kept = np.sort(np.argsort(-mistakes, kind="stable")[:DRAWN_CLASSES])
    return matrix[np.ix_(kept, kept)], [names[index] for index in kept]
