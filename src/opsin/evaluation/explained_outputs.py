"""Shared parts of choosing the outputs that heat maps explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NONE = -1  # no second output to explain


def largest_among(values: NDArray[np.floating], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the column of each row's largest value among some; -1 where there are none."""
    place = np.where(among, values, -np.inf).argmax(axis=1)
    return np.where(among.any(axis=1), place, NONE)
