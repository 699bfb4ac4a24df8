"""One answer from several images of the same patient, slide or animal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opsin.tasks.base import Predictions


def pool(predictions: Predictions, groups: ArrayLike) -> tuple[NDArray[np.str_], Any]:
    """Average what is predicted of the images of each group: probabilities, or values.

    The mean of probabilities, not of their logarithms: no single image can rule a class out for the whole group.

    Args:
        predictions: Of N images.
        groups: ``(N,)``, the group of each.

    Returns:
        The names of the G groups, sorted, and predictions for these.
    """
    names, group_of = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    return names, predictions.mean(group_of, len(names))


def group_labels(labels: NDArray[np.int64], groups: ArrayLike) -> NDArray[np.int64] | None:
    """Return the class of each group, int64 ``(G,)``, in the order of `pool`; None where images of a group differ."""
    names, first, group_of = np.unique(np.asarray(groups, dtype=np.str_), return_index=True, return_inverse=True)
    common = labels[first]
    return common if np.array_equal(common[group_of], labels) else None
