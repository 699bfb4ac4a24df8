"""Predictions of all images, each by the run of the fold that held it out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from opsin.statistics.serialize import to_json
from opsin.tasks.base import AnySplit
from opsin.tasks.registry import task_spec


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of N images, each once in every repeat; R repeats stand one after the other.

    Attributes:
        split: ``R N`` predictions.
        task: What was learned.
        repeats: R.
    """

    split: AnySplit
    task: str
    repeats: int

    def part(self, repeat: int) -> OutOfFold:
        """Return one repeat, from 0."""
        size = len(self.split) // self.repeats
        return OutOfFold(self.split.take(slice(repeat * size, (repeat + 1) * size)), self.task, 1)


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
    split, groups = pooled.split, pooled.split.groups
    if groups is None and pooled.repeats > 1:
        groups = np.array(split.names)
    entries = to_json(task_spec(pooled.task).score(split.predictions, split.targets, classes, groups))
    for entry in entries.values():
        entry["n"] = round(entry["n"] / pooled.repeats)
        if split.groups is None:
            entry["method"] = re.sub(
                r"cluster bootstrap, (\d+) groups?.*", r"bootstrap over \1 images", entry["method"]
            )
    return entries
