"""Scores of cross-validation: every image predicted by a network that was not trained on it, pooled over the folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from opsin.evaluation.verdict.finding import number, with_interval
from opsin.metrics.names import describe_score


def spread(scores: Sequence[str], values: Sequence[dict[str, float | None]]) -> dict[str, dict[str, float]]:
    """Say how scores differ between folds.

    Args:
        scores: Which.
        values: Score -> value of each fold; None where undefined.

    Returns:
        Score -> mean, deviation (standard deviation with n - 1), lowest, highest; scores undefined everywhere are left
        out, and so is the deviation of a single value.
    """
    result = {}
    for name in scores:
        known = np.array([value for each in values if (value := each.get(name)) is not None])
        if len(known):
            result[name] = {"mean": float(known.mean()), "lowest": float(known.min()), "highest": float(known.max())}
            if len(known) > 1:
                result[name]["deviation"] = float(known.std(ddof=1))
    return result


def reading(
    main: str, scores: dict[str, dict[str, Any]], over_folds: dict[str, dict[str, float]], groups: int, runs: int
) -> str:
    """Return in words what the main score is and how it differs between folds.

    Args:
        main: The score.
        scores: From `score_out_of_fold`.
        over_folds: From `spread`.
        groups: How many groups the images come from; 0 where each stands for itself.
        runs: How many networks were trained.
    """
    entry, folds = scores[main], over_folds[main]
    of_groups = f" of {groups:,} groups, each predicted by a network that had seen none of its group"
    whose = of_groups if groups else ", each predicted by a network that had not seen it"
    differ = f", standard deviation {number(folds['deviation'])}" if "deviation" in folds else ""
    return (
        f"{describe_score(main).title} {with_interval(entry)} on {entry['n']:,} images{whose}. Over {runs:,} test "
        f"folds it lies between {number(folds['lowest'])} and {number(folds['highest'])} "
        f"(mean {number(folds['mean'])}{differ})."
    )
