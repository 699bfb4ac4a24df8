"""Scores of cross-validation: every image predicted by a network that was not trained on it, pooled over the folds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.evaluation.verdict.finding import number, with_interval
from opsin.metrics.names import describe_score
from opsin.tasks.classification.scorecard import to_json
from opsin.tasks.registry import part_of


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of N images, each once in every repeat; R repeats stand one after the other.

    Attributes:
        names: What each image is called, ``R N`` of them.
        task: What was learned.
        labels: ``(R N, ...)``, what is true of each, as the task has it; of classifiers int64 ``(R N,)``.
        predictions: Of ``R N`` images.
        groups: ``(R N,)`` names of what images were taken from; None where each stands for itself.
        repeats: R.
    """

    names: list[str]
    task: str
    labels: NDArray
    predictions: Any
    groups: NDArray | None
    repeats: int

    def part(self, repeat: int) -> OutOfFold:
        """Return one repeat, from 0."""
        size = len(self.names) // self.repeats
        rows = slice(repeat * size, (repeat + 1) * size)
        groups = None if self.groups is None else self.groups[rows]
        return OutOfFold(self.names[rows], self.task, self.labels[rows], self.predictions.take(rows), groups, 1)


def score_out_of_fold(pooled: OutOfFold, classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Score pooled predictions, each score with its 95 % interval, as the task does.

    With several repeats, whole images (or whole groups) are drawn with all their predictions, so that repeating does
    not make the interval shorter than the number of images allows. The interval says how far chance in the choice of
    images may have moved the score; how far another training would move it, the spread over folds and repeats shows
    (no estimate of the variance of cross-validation is unbiased: Bengio and Grandvalet 2004, Journal of Machine
    Learning Research 5:1089).

    Returns:
        Score -> value, low, high, method, n (images; for a precision, those predicted in the mean of the repeats).
    """
    groups = pooled.groups
    if groups is None and pooled.repeats > 1:
        groups = np.array(pooled.names)
    entries = to_json(part_of(pooled.task, "score")(pooled.predictions, pooled.labels, classes, groups))
    for entry in entries.values():
        entry["n"] = round(entry["n"] / pooled.repeats)
        if pooled.groups is None:
            entry["method"] = re.sub(
                r"cluster bootstrap, (\d+) groups?.*", r"bootstrap over \1 images", entry["method"]
            )
    return entries


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
