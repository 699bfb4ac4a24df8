"""What to expect on somebody else's images, from the accuracies in simulated laboratories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

COVERAGE = 0.8  # part of the laboratories between the bounds that are told


def laboratory_accuracies(laboratories: dict[str, Any], counts: Sequence[int]) -> NDArray[np.float64]:
    """Return the accuracy in each simulated laboratory, ascending, float64 ``(laboratories,)``.

    Args:
        laboratories: From `opsin.evaluation.robustness.simulate_laboratories`.
        counts: int ``(classes,)``; how many images of each class there are, as far as that is known. Classes of which
            no image was in the simulation are left out.

    Returns:
        nan everywhere where none of the classes was in the simulation.
    """
    images = np.array(laboratories["images"], float)
    weights = np.where(images > 0, np.array(counts, float), 0)
    recalls = np.array(laboratories["right"], float) / np.maximum(images, 1)
    return np.sort(recalls @ weights / weights.sum()) if weights.sum() else np.full(len(recalls), math.nan)


def foretell(laboratories: dict[str, Any], counts: Sequence[int]) -> dict[str, float]:
    """Return the accuracy to expect in another laboratory; see `laboratory_accuracies`.

    Returns:
        ``expected`` (the median laboratory), ``low`` and ``high`` (the central 80 % lie between them), and ``worst``.
    """
    accuracies = laboratory_accuracies(laboratories, counts)
    low, expected, high = np.quantile(accuracies, [0.5 - COVERAGE / 2, 0.5, 0.5 + COVERAGE / 2])
    return {"expected": float(expected), "low": float(low), "high": float(high), "worst": float(accuracies[0])}
