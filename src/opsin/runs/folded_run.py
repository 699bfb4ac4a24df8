"""The runs of all folds of a variant and a seed, read as one run whose test images are all images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.images import TEST, VALIDATION
from opsin.runs.folder import RunFolder
from opsin.runs.out_of_fold import OutOfFold, score_out_of_fold
from opsin.tasks.base import AnySplit, PredictedSplit


class FoldedRun(RunFolder):
    """Several runs of one recipe on different folds; what is not said here is that of the first.

    Args:
        folds: The runs, finished.
    """

    def __init__(self, folds: Sequence[RunFolder]):
        self.folds = list(folds)  # first, as `info` asks them
        super().__init__(folds[0].path)

    @property
    def info(self) -> dict[str, Any]:
        """What ``run.json`` of the first fold holds; ``seconds`` are those of all."""
        infos = [run.info for run in self.folds]
        seconds = [info["seconds"] for info in infos if info.get("seconds") is not None]
        return infos[0] | ({"seconds": sum(seconds)} if seconds else {})

    @property
    def scorecard(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Scores of the pooled test images with their intervals; of validation the mean over the folds."""
        pooled = OutOfFold(self.predicted(TEST), self.task, 1)
        cards = [run.scorecard[VALIDATION] for run in self.folds]
        means = {
            name: {"value": float(np.mean([card[name]["value"] for card in cards]))}
            for name in cards[0]
            if all(card.get(name, {}).get("value") is not None for card in cards)
        }
        return {TEST: score_out_of_fold(pooled, self.classes), VALIDATION: means}

    @property
    def verdict(self) -> list[dict[str, str]]:
        """The findings of all folds."""
        return [finding for run in self.folds for finding in run.verdict]

    def predicted(self, split: str) -> AnySplit:
        """Return the predictions of the folds, one after the other; see `RunFolder.predicted`."""
        return PredictedSplit.join([run.predicted(split) for run in self.folds])

    def digests(self, *splits: str) -> NDArray[np.uint64]:
        """Return the digests of some splits, fold by fold."""
        return np.concatenate([run.digests(*splits) for run in self.folds])

    def groups(self, split: str) -> NDArray[np.str_] | None:
        """Return the groups of a split, fold by fold; None where each image stands for itself."""
        found = [groups for run in self.folds if (groups := run.groups(split)) is not None]
        return np.concatenate(found) if found else None
