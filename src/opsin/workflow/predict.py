"""`opsin.predict`: predictions for new images, with abstention, pooling by group, masks and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from opsin.errors import DataError
from opsin.evaluation.group_pooling import group_labels, pool
from opsin.evaluation.selective_prediction import Threshold, choose_threshold
from opsin.inference.predictor import PredictedImages, Predictor
from opsin.inference.sliding_window import Tiling
from opsin.runs.folder import RunFolder
from opsin.storage.atomic import write_csv
from opsin.tasks.base import Answers as TaskAnswers
from opsin.tasks.base import Predictions
from opsin.tasks.registry import task_spec
from opsin.workflow.find_groups import find_groups
from opsin.workflow.find_images import find_images, names_several

UNLIKE, UNSURE = "unlike the training images", "not sure enough"


@dataclass(frozen=True, eq=False)
class Answers(Sequence[Any]):
    """Predictions for N images or groups, in order.

    As a sequence it holds one prediction per image or group (`Classification`, `LabelSet`, `Value` …), and None where
    the model abstains.

    Attributes:
        subject: "image" or "group".
        names: Name of each image or group.
        predictions: All predictions, in the task's own type, including those that are withheld.
        said: The same in words and columns.
        images: Number of images in each group, int64 ``(N,)``; None where each row is an image.
        unlike: Out-of-distribution score of each image, or a group's median, float ``(N,)``; None if the run has none.
        warnings: Reason to doubt each prediction; empty where there is none.
        answered: bool ``(N,)``; False where the model abstains.
        strange: A sentence on the images that are unlike the training images; empty where there are none.
        left_out: Images that could not be read -> reason.
        threshold: A sentence on how the confidence threshold was chosen; empty unless a target accuracy was given.
        masks: Number of masks written.
    """

    subject: str
    names: list[str]
    predictions: Predictions
    said: TaskAnswers
    images: NDArray[np.int64] | None
    unlike: NDArray[np.floating] | None
    warnings: list[str]
    answered: NDArray[np.bool_]
    strange: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    threshold: str = ""
    masks: int = 0

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, row: int) -> Any: ...
    @overload
    def __getitem__(self, row: slice) -> list[Any]: ...
    def __getitem__(self, row: int | slice) -> Any:
        if isinstance(row, slice):
            return [self[number] for number in range(len(self))[row]]
        number = range(len(self))[row]
        if not self.answered[number]:
            return None
        score = None if self.unlike is None else self.unlike.tolist()[number]
        return self.said.prediction(number, self.names[number], score)

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


class OpenedRun(Protocol):
    """A run with its network loaded, as `opsin.Run` is."""

    @property
    def folder(self) -> RunFolder:
        """The run folder."""

    @property
    def predictor(self) -> Predictor:
        """The network and its preprocessing."""


@dataclass(frozen=True)
class _Opened:
    folder: RunFolder
    predictor: Predictor


def predict(
    run: OpenedRun | str | Path,
    images: Iterable[str | Path | NDArray[np.uint8]] | str | Path | NDArray[np.uint8],
    *,
    skip_unreadable: bool = False,
    abstain: bool = False,
    abstain_below: float | None = None,
    target_accuracy: float | None = None,
    pool_by: str | Sequence[str] = "",
    out: str | Path | None = None,
    masks: str | Path | None = None,
    tiles: bool = False,
    probabilities: bool = False,
) -> Answers:
    r"""Predict images with the network of a run; `opsin predict` is the same on the command line.

    Args:
        run: A run or its folder.
        images: Paths of files, folders (searched recursively) and globs, or uint8 arrays ``(H, W)``, ``(H, W, 1)`` or
            ``(H, W, 3)``; also one array ``(N, H, W, 1 or 3)``, or a single path or image.
        skip_unreadable: Leave out images that cannot be read; `Answers.left_out` lists them.
        abstain: Abstain on images that are unlike the training images.
        abstain_below: Abstain also where the confidence is lower than this, from 0 to 1.
        target_accuracy: Abstain also where the confidence is lower than a threshold that is chosen on the validation
            images so that the accuracy of the answers reaches this.
        pool_by: One prediction per group of images, from the mean of their probabilities. The group of each image, or
            how to find it: a pattern such as ``patient_(\d+)``, ``folder:-1``, a CSV file with the columns image and
            group, or ``group`` for the groups of training.
        out: CSV file to write, a row per image or group.
        masks: Segmentation: folder in which to write the mask of each image, an overlay, and ``areas.csv``.
        tiles: With ``masks``: predict images at their own resolution, in overlapping tiles.
        probabilities: With ``masks``: also write the probabilities of all classes, a TIFF per image.

    Returns:
        One prediction per image or group, None where the model abstains.

    Raises:
        DataError: Images cannot be read (they are named), have no group, or an option does not apply to the run.
        RunError: The run has no weights yet, or they are damaged.
    """
    run = _open(run) if isinstance(run, str | Path) else run
    given = _list_images(images)
    writer = _mask_writer(run, given, masks, tiles, probabilities)
    pooled = not isinstance(pool_by, str) or bool(pool_by)
    least, sentence = _choose_confidence(run.folder, target_accuracy, abstain_below, pooled)
    found = run.predictor.predict(given, skip_unreadable=skip_unreadable)
    answers = answer(
        found,
        run.folder.task,
        run.folder.classes,
        groups=_groups_of(run.folder, found, given, pool_by) if pooled else None,
        abstain=abstain or target_accuracy is not None or abstain_below is not None,
        least=least,
    )
    answers = replace(answers, left_out=found.left_out, threshold=sentence)
    if out is not None:
        answers.write(Path(out))
    if writer is None or masks is None:
        return answers
    paths = [Path(str(image)) for image in given if str(image) not in found.left_out]
    tiling = Tiling() if tiles else None
    return replace(answers, masks=writer(run.folder, run.predictor, paths, Path(masks), tiling, probabilities))


def _list_images(images: Any) -> list[str | Path | NDArray[np.uint8]]:
    """Return single images: folders and globs are searched, everything else stays as it is."""
    one = isinstance(images, str | Path) or (isinstance(images, np.ndarray) and images.ndim < 4)
    listed: list[str | Path | NDArray[np.uint8]] = []
    for image in [images] if one else images:
        listed += find_images([image]) if names_several(image) else [image]
    return listed


def _open(path: str | Path) -> OpenedRun:
    folder = RunFolder(path)
    return _Opened(folder, Predictor(folder))


def mask_writer(task: str) -> Callable[..., int] | None:
    """Return the function that writes predicted masks as files; None for a task without masks."""
    return task_spec(task).mask_writer()


def _mask_writer(
    run: OpenedRun, images: Sequence[Any], masks: str | Path | None, tiles: bool, probabilities: bool
) -> Callable[..., int] | None:
    """Return what writes the masks that a call asks for, before anything is predicted; None where it asks for none."""
    if masks is None:
        if tiles or probabilities:
            wanted = "--tiles" if tiles else "--probabilities"
            raise DataError(f"{wanted} goes with --masks, the folder for the masks.")
        return None
    writer = mask_writer(run.folder.task)
    if writer is None:
        raise DataError(f"{run.folder.path} learned {run.folder.task}, which has no masks; leave out --masks.")
    if not all(isinstance(image, str | Path) for image in images):
        raise DataError("--masks names the masks after image files; give paths, not arrays.")
    return writer


def _choose_confidence(
    folder: RunFolder, target_accuracy: float | None, abstain_below: float | None, pooled: bool
) -> tuple[float, str]:
    """Return the confidence below which the model abstains, and a sentence on how it was chosen."""
    if target_accuracy is None:
        return abstain_below or 0.0, ""
    if abstain_below is not None:
        raise DataError("Give either --target-accuracy or --abstain-below.")
    chosen = threshold_for(folder, target_accuracy, pooled)
    return chosen.confidence, chosen.describe()


def _groups_of(
    folder: RunFolder, found: PredictedImages, images: Sequence[Any], pool_by: str | Sequence[str]
) -> NDArray[np.str_]:
    """Return the group of each image that was predicted."""
    if isinstance(pool_by, str):
        return find_groups(folder, found.names, pool_by)
    groups = np.asarray(pool_by, np.str_)
    if len(groups) != len(images):
        raise DataError(f"--pool-by has {len(groups):,} groups for {len(images):,} images; give one for each.")
    read = [not (isinstance(image, str | Path) and str(image) in found.left_out) for image in images]
    result: NDArray[np.str_] = groups[np.array(read)]
    return result


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
            task_spec(task).answers(found.predictions, classes),
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
    said = task_spec(task).answers(pooled, classes)
    return Answers("group", names.tolist(), pooled, said, images, middle, warnings, answered)


def _strange(some: int, of: int) -> str:
    return f"{some:,} of {of:,} image{'s' * (of != 1)} {'is' if some == 1 else 'are'} {UNLIKE}"


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
    if not task_spec(folder.task).exclusive:
        raise DataError(f"--target-accuracy needs a run that names one class for each image, not {folder.task}.")
    validation = folder.predicted("validation")
    labels, predictions = validation.targets.strata(folder.classes), validation.predictions
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
