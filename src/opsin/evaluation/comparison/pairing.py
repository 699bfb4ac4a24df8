"""The images that several runs have predicted: the same rows, in the same order, of the same classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.splitting.split import join_groups
from opsin.data.targets import TARGETS
from opsin.errors import RunError
from opsin.runs.folder import RunFolder
from opsin.tasks.registry import TASKS

SHOWN = 10  # classes that a sentence names


@dataclass(frozen=True)
class Paired:
    """Predictions of R runs for the N images of a split that they share.

    Attributes:
        names: What each image is called.
        task: What the runs have learned.
        labels: ``(N, ...)``, what is true of each, as the task has it; of a classifier int64 ``(N,)``.
        classes: Names of the networks' outputs.
        predictions: Of each run.
        rows: int64 ``(R, N)``; where each image stands in the predictions of each run.
        groups: int64 ``(N,)``, equal for images of one group (patient, slide, video) in any run; None where each image
            stands for itself.
        sizes: How many images of the split each run has.
        positive: Of two classes the one that is looked for; None where there are not two.
    """

    names: list[str]
    task: str
    labels: NDArray
    classes: tuple[str, ...]
    predictions: list[Any]
    rows: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    sizes: list[int]
    positive: str | None = None


@dataclass(frozen=True)
class _Split:
    """What one run says of the images of a split."""

    run: RunFolder
    names: list[str]
    labels: NDArray
    predictions: Any
    digests: NDArray[np.uint64]
    groups: NDArray | None


def pair_runs(runs: Sequence[RunFolder], split: str) -> Paired:
    """Bring the predictions of several runs together, image by image.

    Images are matched by name. Runs that see images in the same size must also agree on their pixels; where names
    differ altogether, as after a folder was moved, such runs are matched by pixels.

    Args:
        runs: At least one.
        split: "test" or "validation".

    Raises:
        RunError: Runs have other classes, share no image, or disagree on what one is; or one has no predictions yet.
    """
    parts = [_read(run, split) for run in runs]
    first = parts[0]
    for part in parts[1:]:
        _check_classes(first, part)
    classes = first.run.classes
    parts = [_reordered(part, [part.run.classes.index(name) for name in classes]) for part in parts]
    first = parts[0]
    same_sight = len({_sight(run) for run in runs}) == 1
    keys = [_numbered(part.names) for part in parts]
    shared = set(keys[0]).intersection(*keys[1:])
    if not shared and same_sight:
        keys = [_numbered([f"{digest:016x}" for digest in part.digests]) for part in parts]
        shared = set(keys[0]).intersection(*keys[1:])
    if not shared:
        raise RunError(_nothing_shared(parts, keys, split))
    chosen = [key for key in keys[0] if key in shared]
    rows = np.array([[place[key] for key in chosen] for place in keys], np.int64)
    _check_images(parts, rows, same_sight)
    return Paired(
        [first.names[row] for row in rows[0]],
        first.run.task,
        first.labels[rows[0]],
        classes,
        [part.predictions.take(row) for part, row in zip(parts, rows, strict=True)],
        rows,
        _join(parts, rows),
        [len(part.names) for part in parts],
        first.run.positive,
    )


def _read(run: RunFolder, split: str) -> _Split:
    names, labels, predictions = run.predictions(split)
    digests = run.digests(split)
    if len(digests) != len(names):
        raise RunError(
            f"{run.path}: split.csv has {len(digests):,} {split} images and predictions-{split}.csv {len(names):,}; "
            f"renew the predictions with: opsin evaluate {run.path} --split {split}"
        )
    return _Split(run, names, labels, predictions, digests, run.groups(split))


def _reordered(part: _Split, order: list[int]) -> _Split:
    """Return labels and predictions with the outputs in the order of the first run."""
    labels = TARGETS[part.run.task].reorder(part.labels, order)
    return replace(part, labels=labels, predictions=part.predictions.reorder(order))


def _check_classes(first: _Split, other: _Split) -> None:
    ours, theirs = first.run.classes, other.run.classes
    if first.run.task != other.run.task:
        raise RunError(
            f"{first.run.path} has learned {first.run.task}, {other.run.path} {other.run.task}: only runs of one task "
            "can be compared."
        )
    if sorted(ours) != sorted(theirs):
        raise RunError(
            f"{first.run.path} knows the {TASKS[first.run.task].outputs[1] or 'value'} {_listed(ours)}, "
            f"{other.run.path} {_listed(theirs)}: only runs of one data set can be compared."
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _sight(run: RunFolder) -> tuple:
    """Return what decides which pixels a network sees of an image."""
    settings = run.read("preprocessing.json")
    return tuple(settings.get(key) for key in ("height", "width", "channels", "resize", "bits"))


def _numbered(names: Sequence[str]) -> dict[tuple[str, int], int]:
    """Return (name, how many of that name came before) -> row; data sets may name an image more than once."""
    seen: Counter[str] = Counter()
    result = {}
    for row, name in enumerate(names):
        result[name, seen[name]] = row
        seen[name] += 1
    return result


def _nothing_shared(parts: Sequence[_Split], keys: Sequence[dict], split: str) -> str:
    first, other = parts[0].run, parts[-1].run
    for part, key in zip(parts, keys, strict=True):
        if not key.keys() & keys[0].keys():
            other = part.run
            break
    return (
        f"{first.path} and {other.path} share no {split} images, so that nothing can be compared on the same images: "
        "train them on the same data with the same split."
    )


def _check_images(parts: Sequence[_Split], rows: NDArray[np.int64], same_sight: bool) -> None:
    """Raise unless images that are called alike have the same class and, where it can be told, the same pixels."""
    first, own = parts[0], rows[0]
    for part, row in zip(parts[1:], rows[1:], strict=True):
        differs = (first.labels[own] != part.labels[row]).reshape(len(own), -1).any(axis=1)
        other = np.flatnonzero(differs)
        if len(other):
            at, form, classes = int(other[0]), TARGETS[first.run.task], first.run.classes
            raise RunError(
                f"{first.names[own[at]]} is {form.text(first.labels[own[at]], classes)} in {first.run.path} and "
                f"{form.text(part.labels[row[at]], classes)} in {part.run.path} ({len(other):,} such images): only "
                "runs with the same labels can be compared."
            )
        changed = np.flatnonzero(first.digests[own] != part.digests[row]) if same_sight else own[:0]
        if len(changed):
            at = int(changed[0])
            raise RunError(
                f"{first.names[own[at]]} has other pixels in {first.run.path} than in {part.run.path} "
                f"({len(changed):,} such images): only runs on the same images can be compared."
            )


def _join(parts: Sequence[_Split], rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return one grouping that keeps together what any run keeps together; None where each image is on its own."""
    keys = [part.groups[row] for part, row in zip(parts, rows, strict=True) if part.groups is not None]
    joined = join_groups(rows.shape[1], *keys)
    return joined if keys and len(np.unique(joined)) < len(joined) else None
