"""What is answered about new images: a row for each image or group, what is unsure or unlike, and what is left open."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.splitting.from_recipe import groups_from_names
from opsin.errors import DataError
from opsin.evaluation.group_pooling import group_labels, pool
from opsin.evaluation.selective_prediction import Threshold, choose_threshold
from opsin.inference.predictor import PredictedImages
from opsin.runs.folder import RunFolder
from opsin.storage.atomic import write_csv
from opsin.tasks.base import Answering, Predictions
from opsin.tasks.registry import TASKS, part_of
from opsin.workflow.run import Run

UNLIKE, UNSURE = "unlike the training images", "not sure enough"


@dataclass(frozen=True)
class Answers:
    """Answers about N images or groups.

    Attributes:
        subject: "image" or "group", what a row is about.
        names: Of each.
        predictions: Of each.
        said: The same in words and columns.
        images: How many images each was answered from; None where a row is an image.
        unlike: float ``(N,)``, how unlike the training images each is, of groups the median image; None: not known.
        warnings: Why each is to be doubted; empty where there is no reason.
        answered: bool ``(N,)``; False where the answer is left open.
        strange: A sentence on how many images are unlike the training images; empty where none is.
    """

    subject: str
    names: list[str]
    predictions: Predictions
    said: Answering
    images: NDArray[np.int64] | None
    unlike: NDArray[np.floating] | None
    warnings: list[str]
    answered: NDArray[np.bool_]
    strange: str = ""

    def __len__(self) -> int:
        return len(self.names)

    def write(self, path: Path) -> None:
        """Write a CSV: ``image`` or ``group,images``, the answer, ``unlike,warning``, then the answer in full."""
        counts = [] if self.images is None else ["images"]
        short, full = self.said.header
        rows = []
        for row, name in enumerate(self.names):
            count = [] if self.images is None else [int(self.images[row])]
            unlike = "" if self.unlike is None else f"{self.unlike[row]:.4g}"
            answer, rest = self.said.cells(row, bool(self.answered[row]))
            rows.append([name, *count, *answer, unlike, self.warnings[row], *rest])
        write_csv(path, [self.subject, *counts, *short, "unlike", "warning", *full], rows)

    def entries(self) -> list[dict[str, Any]]:
        """Return a table for each row, for JSON; the answer is None where it is left open."""
        return [self._entry(row, name) for row, name in enumerate(self.names)]

    def _entry(self, row: int, name: str) -> dict[str, Any]:
        answer, rest = self.said.entry(row, bool(self.answered[row]))
        doubts = {
            "unlike": None if self.unlike is None else float(self.unlike[row]),
            "warning": self.warnings[row] or None,
        }
        images = {} if self.images is None else {"images": int(self.images[row])}
        return {self.subject: name} | images | answer | doubts | rest


def predict(run: Run | str | Path, images: Iterable[str | Path | NDArray[np.uint8]] | str | Path) -> list[Any]:
    """Predict images with a run; see `Run.predict`."""
    return (run if isinstance(run, Run) else Run(run)).predict(images)


def answer(
    found: PredictedImages,
    task: str,
    classes: Sequence[str],
    *,
    groups: NDArray[np.str_] | None = None,
    abstain: bool = False,
    least: float = 0.0,
) -> Answers:
    """Turn predictions into answers.

    Args:
        found: Predictions of N images.
        task: What the run has learned.
        classes: Names of the network's outputs.
        groups: ``(N,)``; give one answer for each group, from the mean of what is predicted of its images.
        abstain: Leave open what is unlike the training images. Of a group, images that are unlike them are not
            averaged, and the answer is left open where all are.
        least: Leave open what is less confident.

    Raises:
        DataError: It is asked how sure the answers are, which the task does not know.
    """
    far = np.zeros(len(found.names), bool) if found.unlike is None else found.unlike > 1
    if groups is None:
        answers = Answers(
            "image",
            found.names,
            found.predictions,
            part_of(task, "answers")(found.predictions, classes),
            None,
            found.unlike,
            [UNLIKE if unlike else "" for unlike in far],
            ~far if abstain else np.ones(len(far), bool),
        )
    else:
        answers = _answer_groups(found, task, classes, groups, far, abstain)
    if far.any():
        answers = replace(answers, strange=_strange(int(far.sum()), len(far)))
    if not least:
        return answers
    if answers.said.confidence is None:
        raise DataError(
            f"--abstain-below needs to know how sure an answer is, which {task} does not say; leave it out."
        )
    unsure = answers.said.confidence < np.float32(least)
    for row in np.flatnonzero(unsure & answers.answered):
        answers.warnings[row] = "; ".join(reason for reason in (answers.warnings[row], UNSURE) if reason)
    answers.answered[unsure] = False
    return answers


def _answer_groups(
    found: PredictedImages,
    task: str,
    classes: Sequence[str],
    groups: NDArray[np.str_],
    far: NDArray[np.bool_],
    abstain: bool,
) -> Answers:
    names, group_of = np.unique(groups, return_inverse=True)
    images = np.bincount(group_of)
    strange = np.bincount(group_of, weights=far).astype(np.int64)
    # Where every image of a group is unlike, all are averaged, so that the probabilities can still be read.
    used = ~far | (strange == images)[group_of] if abstain else np.ones(len(far), bool)
    _, pooled = pool(found.predictions.take(used), groups[used])
    middle = None
    if found.unlike is not None:
        middle = np.array([np.median(found.unlike[group_of == number]) for number in range(len(names))])
    warnings = [
        "" if not some else UNLIKE if some == of else _strange(some, of)
        for some, of in zip(strange.tolist(), images.tolist(), strict=True)
    ]
    answered = strange < images if abstain else np.ones(len(names), bool)
    said = part_of(task, "answers")(pooled, classes)
    return Answers("group", names.tolist(), pooled, said, images, middle, warnings, answered)


def _strange(some: int, of: int) -> str:
    return f"{some:,} of {of:,} image{'s' * (of != 1)} {'is' if some == 1 else 'are'} {UNLIKE}"


def find_groups(folder: RunFolder, names: Sequence[str], how: str) -> NDArray[np.str_]:
    r"""Find the group of each image.

    Args:
        folder: The run.
        names: Paths of N images.
        how: ``group``: as the run was told by ``--group-by``. A CSV file: its columns ``image`` (or ``path``, ``file``,
            a path or the name of the file) and ``group``. Otherwise a pattern such as ``patient_(\d+)``, or
            ``folder:-1`` for the folder that holds the image.

    Returns:
        ``(N,)``, text.

    Raises:
        DataError: There is an image without a group.
    """
    if how == "group":
        how = folder.recipe.split.group_by
        if not how:
            raise DataError(
                f"--pool-by group: {folder.path} was not trained with --group-by, so give the pattern itself, such as "
                "'patient_(\\d+)', or a CSV file with the columns image and group."
            )
    if Path(how).suffix.lower() == ".csv":
        return _groups_from_table(Path(how), names)
    return groups_from_names([Path(name).as_posix() for name in names], how)


def _groups_from_table(path: Path, names: Sequence[str]) -> NDArray[np.str_]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"--pool-by {path}: it cannot be read ({error}).") from None
    heading = next((name for name in ("image", "path", "file") if rows and name in rows[0]), None)
    if heading is None or "group" not in rows[0]:
        raise DataError(f"--pool-by {path}: it needs a header with the columns image and group.")
    known = {Path(row[heading]).as_posix(): row["group"] for row in rows if row[heading] and row["group"]}
    found = [known.get(Path(name).as_posix()) or known.get(Path(name).name) for name in names]
    if None in found:
        raise DataError(f"--pool-by {path}: it has no group for {names[found.index(None)]}.")
    return np.array(found, np.str_)


def threshold_for(folder: RunFolder, target: float, pooled: bool = False) -> Threshold:
    """Choose the confidence below which answers are left open, on the run's validation images.

    Args:
        folder: A finished run.
        target: The accuracy that the answers shall have.
        pooled: Choose it for groups of images, which the run must have.

    Raises:
        DataError: Groups are asked for, and the run has none, or their images are of several classes; or the run does
            not name one class for each image.
        RunError: The validation images were not scored yet.
    """
    if not TASKS[folder.task].exclusive:
        raise DataError(f"--target-accuracy needs a run that names one class for each image, not {folder.task}.")
    _, labels, predictions = folder.predictions("validation")
    if pooled:
        groups = folder.groups("validation")
        common = None if groups is None else group_labels(labels, groups)
        if groups is None or common is None:
            raise DataError(
                "--target-accuracy with --pool-by needs a run whose images come in groups of one class each; give "
                "--abstain-below instead."
            )
        labels, predictions = common, pool(predictions, groups)[1]
    return choose_threshold(predictions.confidence, predictions.labels == labels, target)
