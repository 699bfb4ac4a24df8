"""Operating point and reader study of a trained run."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from opsin.data.images import TEST
from opsin.errors import DataError, RunError, nearest
from opsin.evaluation.operating_points import read_aims
from opsin.evaluation.reader_study import read_readers
from opsin.runs.folder import RunFolder
from opsin.storage.atomic import write_text
from opsin.tasks.registry import task_spec


def set_operating_point(
    folder: RunFolder,
    *,
    positive: str | None = None,
    sensitivity: float | None = None,
    cost_of_miss: float | None = None,
    cost_of_false_alarm: float | None = None,
) -> None:
    """Write the operating point to ``run.json``, and update the average precision in the scorecard.

    Args:
        folder: The run.
        positive: Positive class of a two-class run.
        sensitivity: Sensitivity that a threshold has to reach, above 0 and at most 1.
        cost_of_miss: Cost of a false negative, in any unit.
        cost_of_false_alarm: Cost of a false positive, in the same unit.

    Raises:
        RunError: The class is unknown, there are not two, a number is out of range, or the run names no classes.
    """
    _refuse_other_tasks(folder)
    classes = folder.classes
    if positive is not None:
        if len(classes) != 2:
            raise RunError(
                f"{folder.path} has {len(classes)} classes, each of which is measured against the rest; --positive is "
                "for runs of two."
            )
        if positive not in classes:
            raise RunError(
                f"{folder.path} has no class {positive!r}{nearest(positive, classes)}; it has {' and '.join(classes)}."
            )
    given = {"sensitivity": sensitivity, "cost_of_miss": cost_of_miss, "cost_of_false_alarm": cost_of_false_alarm}
    aims = dataclasses.replace(read_aims(folder), **{key: value for key, value in given.items() if value is not None})
    if not 0 < aims.sensitivity <= 1:
        raise RunError(f"The target sensitivity must be above 0 and at most 1, not {aims.sensitivity:g}.")
    costs = (aims.cost_of_miss, aims.cost_of_false_alarm)
    if not all(0 <= cost < math.inf for cost in costs) or sum(costs) == 0:
        raise RunError("The costs of a miss and of a false alarm must be 0 or more, and not both 0.")
    if positive is not None:
        folder.update(positive=positive)
        card = folder.scorecard
        for scores in card.values():
            if f"average_precision/{positive}" in scores:
                scores["average_precision"] = scores[f"average_precision/{positive}"]
        folder.write("scorecard.json", card)
    folder.update(aims=dataclasses.asdict(aims))


def add_reader_study(folder: RunFolder, path: str | Path) -> None:
    """Copy a table of readers into the run as ``readers.csv``, which its report then shows.

    Args:
        folder: A run whose test images are predicted.
        path: See `opsin.evaluation.reader_study.read_readers`.

    Raises:
        DataError: The table cannot be read, or rows are wrong; they are named.
        RunError: The run has no predictions yet, or names no classes.
    """
    _refuse_other_tasks(folder)
    path = Path(path)
    tested = folder.predicted(TEST)
    names, labels = tested.names, tested.targets.strata(folder.classes)
    read_readers(path, names, labels, folder.classes, folder.positive)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    write_text(folder.path / "readers.csv", text)


def _refuse_other_tasks(folder: RunFolder) -> None:
    if not task_spec(folder.task).exclusive:
        raise RunError(
            f"{folder.path} is a run of {folder.task}; what thresholds are to be good for, and readers, are for runs "
            "that name one class for each image."
        )
