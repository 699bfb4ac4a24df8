"""Alignment of the predictions of several runs: the same images in the same order, with the same classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.splitting.split import join_groups
from opsin.errors import RunError
from opsin.runs.folder import RunFolder
from opsin.tasks.base import AnySplit
from opsin.tasks.registry import task_spec

SHOWN = 10  # classes named in a sentence


@dataclass(frozen=True)
class Paired:
    """Predictions of R runs for the N images of a split that they share.

    Attributes:
        names: Names of the images.
        task: Task of the runs.
        targets: Targets of the N images.
        classes: Names of the networks' outputs.
        predictions: Predictions of each run.
        rows: int64 ``(R, N)``; row of each image in the predictions of each run.
        groups: int64 ``(N,)``, equal for images of one group (patient, slide, video) in any run; None if every
            image is independent.
        sizes: Number of images of the split in each run.
        positive: Positive class of two; None otherwise.
    """

    names: list[str]
    task: str
    targets: Any  # `opsin.data.targets.Targets` of the task
    classes: tuple[str, ...]
    predictions: list[Any]
    rows: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    sizes: list[int]
    positive: str | None = None


@dataclass(frozen=True)
class _Split:
    """A run and its predictions on a split."""

    run: RunFolder
    split: AnySplit

    @property
    def digests(self) -> NDArray[np.uint64]:
        """Digests of the pixels, uint64 ``(N,)``."""
        assert self.split.digests is not None
        return self.split.digests


def pair_runs(runs: Sequence[RunFolder], split: str) -> Paired:
    """Align the predictions of several runs image by image.

    Images are matched by name. Runs with the same image size must also agree on their pixels; if no names match,
    as after a folder was moved, such runs are matched by pixels.

    Args:
        runs: At least one.
        split: "test" or "validation".

    Raises:
        RunError: Runs have different classes, share no image, disagree on a label, or have no predictions yet.
    """
    parts = [_read(run, split) for run in runs]
    first = parts[0]
    for part in parts[1:]:
        _check_classes(first, part)
    classes = first.run.classes
    parts = [
        replace(part, split=part.split.reorder([part.run.classes.index(name) for name in classes])) for part in parts
    ]
    first = parts[0]
    same_sight = len({_sight(run) for run in runs}) == 1
    keys = [_numbered(part.split.names) for part in parts]
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
        [first.split.names[row] for row in rows[0]],
        first.run.task,
        first.split.targets.take(rows[0]),
        classes,
        [part.split.predictions.take(row) for part, row in zip(parts, rows, strict=True)],
        rows,
        _join(parts, rows),
        [len(part.split) for part in parts],
        first.run.positive,
    )


def _read(run: RunFolder, split: str) -> _Split:
    predicted, digests = run.predicted(split), run.digests(split)
    if len(digests) != len(predicted):
        raise RunError(
            f"{run.path}: split.csv has {len(digests):,} {split} images, predictions-{split}.csv {len(predicted):,}; "
            f"renew the predictions with: opsin evaluate {run.path} --split {split}"
        )
    return _Split(run, replace(predicted, digests=digests))


def _check_classes(first: _Split, other: _Split) -> None:
    ours, theirs = first.run.classes, other.run.classes
    if first.run.task != other.run.task:
        raise RunError(
            f"{first.run.path} has learned {first.run.task}, {other.run.path} {other.run.task}: only runs of one task "
            "can be compared."
        )
    if sorted(ours) != sorted(theirs):
        raise RunError(
            f"{first.run.path} knows the {task_spec(first.run.task).outputs[1] or 'value'} {_listed(ours)}, "
            f"{other.run.path} {_listed(theirs)}: only runs on the same dataset can be compared."
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _sight(run: RunFolder) -> tuple[Any, ...]:
    """Return the settings that determine the pixels that a network sees."""
    settings = run.read("preprocessing.json")
    return tuple(settings.get(key) for key in ("height", "width", "channels", "resize", "bits"))


def _numbered(names: Sequence[str]) -> dict[tuple[str, int], int]:
    """Return (name, number of earlier images of that name) -> row; names may repeat."""
    seen: Counter[str] = Counter()
    result = {}
    for row, name in enumerate(names):
        result[name, seen[name]] = row
        seen[name] += 1
    return result


def _nothing_shared(parts: Sequence[_Split], keys: Sequence[dict[Any, Any]], split: str) -> str:
    first, other = parts[0].run, parts[-1].run
    for part, key in zip(parts, keys, strict=True):
        if not key.keys() & keys[0].keys():
            other = part.run
            break
    return (
        f"{first.path} and {other.path} share no {split} images, so they cannot be compared: "
        "train them on the same data with the same split."
    )


def _check_images(parts: Sequence[_Split], rows: NDArray[np.int64], same_sight: bool) -> None:
    """Raise unless images of the same name have the same label and, if comparable, the same pixels."""
    first, own = parts[0], rows[0]
    for part, row in zip(parts[1:], rows[1:], strict=True):
        truth, theirs = first.split.targets.take(own), part.split.targets.take(row)
        other = np.flatnonzero(~truth.same(theirs))
        if len(other):
            at, classes = int(other[0]), first.run.classes
            raise RunError(
                f"{first.split.names[own[at]]} is {truth.text(at, classes)} in {first.run.path} and "
                f"{theirs.text(at, classes)} in {part.run.path} ({len(other):,} such images): only "
                "runs with the same labels can be compared."
            )
        changed = np.flatnonzero(first.digests[own] != part.digests[row]) if same_sight else own[:0]
        if len(changed):
            at = int(changed[0])
            raise RunError(
                f"{first.split.names[own[at]]} has other pixels in {first.run.path} than in {part.run.path} "
                f"({len(changed):,} such images): only runs on the same images can be compared."
            )


def _join(parts: Sequence[_Split], rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return one grouping that keeps together what any run keeps together; None if every image is independent."""
    keys = [part.split.groups[row] for part, row in zip(parts, rows, strict=True) if part.split.groups is not None]
    joined = join_groups(rows.shape[1], *keys)
    return joined if keys and len(np.unique(joined)) < len(joined) else None
