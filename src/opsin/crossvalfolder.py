"""The folder of a cross-validation: a run for each fold, and what they say together.

::

    crossval.json        state, recipe, folds, the scores of each run, pooled scores with intervals, spread over folds
    fold-0/ ...          the run of each fold; with repeats, those of the second are called repeat-1-fold-0 ...
    predictions.csv      a row per image: the truth, and what the network said that had not seen it; with repeats,
                         those of the second are in predictions-1.csv ...
    crossval.html        all of it for people
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from opsin.data.dataset import TEST
from opsin.errors import OpsinError
from opsin.evaluation.out_of_fold import OutOfFold
from opsin.manyruns import ManyRuns
from opsin.runfolder import RunFolder
from opsin.tasks.table import part_of


class CrossvalFolder(ManyRuns):
    """Read and write the files of one cross-validation.

    Args:
        path: A folder that holds a ``crossval.json``; use `create` for a new one.

    Raises:
        RunError: There is none, it is damaged, or of another format version.
    """

    file, kind = "crossval.json", "cross-validation"

    def place(self, repeat: int, fold: int) -> Path:
        """Return the folder of a run."""
        return self.path / (f"fold-{fold}" if not repeat else f"repeat-{repeat}-fold-{fold}")

    def runs(self) -> list[RunFolder]:
        """Return the runs, repeat by repeat and fold by fold.

        Raises:
            RunError: A run is missing or damaged.
        """
        info = self.info
        return [
            RunFolder(self.place(repeat, fold)) for repeat in range(info["repeats"]) for fold in range(info["folds"])
        ]

    def out_of_fold(self) -> OutOfFold:
        """Return the predictions of every image by the networks that had not seen it.

        Raises:
            RunError: A run is damaged, or not finished.
        """
        runs = self.runs()
        names: list[str] = []
        labels, predicted = [], []
        for run in runs:
            some, truth, predictions = run.predictions(TEST)
            names += some
            labels.append(truth)
            predicted.append(predictions)
        groups = None
        if runs[0].info["data"]["groups"]:
            group_of = {row["image"]: row["group"] for row in runs[0].split_rows()}
            groups = np.array([group_of[name] for name in names])
        together = type(predicted[0]).join(predicted)
        return OutOfFold(names, runs[0].task, np.concatenate(labels), together, groups, self.info["repeats"])

    def write_predictions(self, pooled: OutOfFold, classes: tuple[str, ...]) -> None:
        """Write ``predictions.csv``, and one more for each further repeat."""
        for repeat in range(pooled.repeats):
            part = pooled.part(repeat)
            path = self.path / (f"predictions-{repeat}.csv" if repeat else "predictions.csv")
            part_of(part.task, "write")(path, part.names, classes, part.predictions, part.labels)


def list_crossvals(folder: Path) -> list[CrossvalFolder]:
    """Return the finished cross-validations directly below a folder, by name; damaged ones are passed over."""
    found = []
    for path in sorted(folder.glob(f"*/{CrossvalFolder.file}")):
        try:
            crossval = CrossvalFolder(path.parent)
            if crossval.info.get("state") == "finished":
                found.append(crossval)
        except OpsinError:
            continue
    return found
