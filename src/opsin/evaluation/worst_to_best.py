"""Rows of a gallery that runs from the worst image to the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def worst_and_others(badness: NDArray[np.floating], limit: int) -> NDArray[np.int64]:
    """Return the worst rows, and as many that are spread evenly by rank over the others, down to the best."""
    order = np.argsort(-badness, kind="stable")
    places = min(limit, len(order))
    worst = places - places // 2
    rest = np.linspace(worst, len(order) - 1, places - worst).round().astype(np.int64)
    result: NDArray[np.int64] = order[np.concatenate([np.arange(worst), rest])]
    return result
