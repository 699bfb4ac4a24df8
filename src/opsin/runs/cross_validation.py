"""The folder of a cross-validation: a run for each fold, and what they say together.

::

    cross-validation.json    state, recipe, folds, scores of each run, pooled scores with intervals, spread over folds
    fold-0/ ...              the run of each fold; with repeats, those of the second are called repeat-1-fold-0 ...
    predictions.csv          a row per image: target, and prediction of the network that had not seen it; with repeats,
                             those of the second are in predictions-1.csv ...
    cross-validation.html    the same as a page
"""

from __future__ import annotations

from pathlib import Path

from opsin.data.images import TEST
from opsin.errors import OpsinError
from opsin.runs.collection import RunCollection
from opsin.runs.folder import RunFolder
from opsin.runs.out_of_fold import OutOfFold
from opsin.tasks.base import PredictedSplit
from opsin.tasks.registry import task_spec


class CrossValidationFolder(RunCollection):
    """Read and write the files of one cross-validation.

    Args:
        path: A folder that holds a ``cross-validation.json``; use `create` for a new one.

    Raises:
        RunError: There is none, it is damaged, or of another format version.
    """

    file, kind = "cross-validation.json", "cross-validation"

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
        return OutOfFold(PredictedSplit.join([run.predicted(TEST) for run in runs]), runs[0].task, self.info["repeats"])

    def write_predictions(self, pooled: OutOfFold, classes: tuple[str, ...]) -> None:
        """Write ``predictions.csv``, and one more for each further repeat."""
        for repeat in range(pooled.repeats):
            part = pooled.part(repeat)
            path = self.path / (f"predictions-{repeat}.csv" if repeat else "predictions.csv")
            task_spec(part.task).store().write(path, classes, part.split)


def list_cross_validations(folder: Path) -> list[CrossValidationFolder]:
    """Return the finished cross-validations directly below a folder, by name; damaged ones are skipped."""
    found = []
    for path in sorted(folder.glob(f"*/{CrossValidationFolder.file}")):
        try:
            crossval = CrossValidationFolder(path.parent)
            if crossval.info.get("state") == "finished":
                found.append(crossval)
        except OpsinError:
            continue
    return found
