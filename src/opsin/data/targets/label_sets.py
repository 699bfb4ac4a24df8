"""The targets of several labels per image: for each label whether it is true of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets.base import ArrayTargets, EncodedArray, Progress, Requirement
from opsin.errors import DataError, nearest

if TYPE_CHECKING:
    from opsin.data.preprocessing import Preprocessing

SEPARATOR = ";"


@dataclass(frozen=True)
class LabelTargets(ArrayTargets):
    """bool ``(N, labels)``; a row may hold none, one or several."""

    task: ClassVar[str] = "multilabel"
    kind: ClassVar[str] = "label"
    values: NDArray[np.bool_]

    def checked(self, name: str, classes: Sequence[str]) -> Self:
        """Return them as bool; see `Targets.checked`."""
        labels = np.asarray(self.values)
        if labels.ndim != 2 or labels.shape[1] != len(classes) or labels.dtype.kind not in "biuf":
            raise DataError(
                f"{name}: several labels per image must be true or false (N, {len(classes)}), not {labels.dtype} "
                f"{labels.shape}."
            )
        if not np.isin(labels, (0, 1)).all():
            raise DataError(f"{name}: each label of each image must be 0 or 1.")
        wrong = [each for each in classes if SEPARATOR in each or not each.strip()]
        if wrong:
            raise DataError(f"{name}: the label {wrong[0]!r} must not be empty nor hold {SEPARATOR!r}; rename it.")
        return replace(self, values=labels.astype(bool, copy=False))

    def check_enough(self, name: str, classes: Sequence[str], needed: Requirement) -> None:
        """Make sure that there are enough images with each label, and without it; see `Targets.check_enough`."""
        labels = self.values
        where = "training images" if needed.given else "images"
        for counts, what in ((labels.sum(axis=0), "with"), ((~labels).sum(axis=0), "without")):
            few = [place for place in range(len(classes)) if counts[place] < needed.number]
            if few:
                worst = min(few, key=lambda place: counts[place])
                more = f" ({len(few) - 1:,} further labels have too few as well)" * (len(few) > 1)
                raise DataError(
                    f"{name} has {counts[worst] or 'no'} {where} {what} the label {classes[worst]!r}{more}; at least "
                    f"{needed.number} are needed: add images or leave the label out."
                )

    def check_trained(self, name: str, classes: Sequence[str], part: float = 1.0) -> None:
        """Make sure that every label is true of an image that is trained on."""
        labels = self.values
        counts = labels.sum(axis=0)
        if counts.all():
            return
        missing = classes[int(counts.argmin())]
        if part < 1:
            raise DataError(
                f"{part:.2%} of the training images hold none with the label '{missing}'; ask for a larger part."
            )
        raise DataError(f"{name}: no image with the label '{missing}' is left to train on; it needs more of them.")

    def strata(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the rarest label of each image, and one number more for images without any.

        Rare labels, which chance would divide worst, are so divided evenly; of common ones every part has its
        share anyway (as Sechidis, Tsoumakas and Vlahavas 2011 begin with the rarest).
        """
        labels = self.values
        counts = labels.sum(axis=0)
        sampling_weights = np.where(labels, counts, len(labels) + 1)
        strata = sampling_weights.argmin(axis=1) if labels.shape[1] else np.zeros(len(labels), np.int64)
        return np.where(labels.any(axis=1), strata, labels.shape[1]).astype(np.int64)

    def counts(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return how many images have each label, int64 ``(labels,)``; an image counts once for each of its labels."""
        labels = self.values
        result: NDArray[np.int64] = labels.sum(axis=0).astype(np.int64)
        return result

    def kinds(self, classes: Sequence[str]) -> list[tuple[str, NDArray[np.int64]]]:
        """Return each label and its images, and the images without any."""
        labels = self.values
        found = [(name, np.flatnonzero(labels[:, place])) for place, name in enumerate(classes)]
        without = np.flatnonzero(~labels.any(axis=1))
        return [*found, ("(no label)", without)] if len(without) else found

    def describe(self, classes: Sequence[str]) -> str:
        """Return how many labels there are, and how many an image has."""
        labels = self.values
        return f"{len(classes)} labels, {labels.sum(axis=1).mean():.2g} per image"

    def text(self, row: int, classes: Sequence[str]) -> str:
        """Return the names of the labels, separated by semicolons."""
        return join_labels(self.values[row], classes)

    def _parse(self, text: str, classes: Sequence[str]) -> NDArray[np.bool_]:
        return parse_labels(text, classes)

    def reorder(self, order: Sequence[int]) -> Self:
        """Return the columns in another order."""
        return replace(self, values=self.values[:, list(order)])

    def translate(self, name: str, classes: Sequence[str], known: Sequence[str], run: str) -> Self:
        """Return the columns that the run knows; a label that the other data never name is true of none of them."""
        labels = self.values
        place = {each: at for at, each in enumerate(classes)}
        unknown = [each for at, each in enumerate(classes) if each not in known and labels[:, at].any()]
        if unknown:
            raise DataError(
                f"{name} holds the label '{unknown[0]}', which {run} was not trained on; it knows {', '.join(known)}."
            )
        absent = np.zeros(len(labels), bool)
        return replace(
            self, values=np.stack([labels[:, place[each]] if each in place else absent for each in known], axis=1)
        )

    def relabel(self, row: int, text: str, classes: Sequence[str]) -> Self:
        """Return the targets with one replaced; see `Targets.relabel`."""
        values = self.values.copy()
        values[row] = self._parse(text, classes)
        return replace(self, values=values)

    def encode(self, preprocessing: Preprocessing, progress: Progress | None = None) -> EncodedArray:
        """Return 0 or 1 for each label, float32 ``(N, labels)``."""
        import torch

        return EncodedArray(torch.from_numpy(self.values.astype(np.float32)))


def join_labels(given: NDArray[np.bool_], classes: Sequence[str]) -> str:
    """Return the names of the labels that are given, bool ``(labels,)``, separated by semicolons."""
    return SEPARATOR.join(name for name, true in zip(classes, given, strict=True) if true)


def parse_labels(text: str, classes: Sequence[str]) -> NDArray[np.bool_]:
    """Return the row, bool ``(labels,)``, that `join_labels` wrote.

    Raises:
        DataError: A label is unknown; the message, without a full stop, ends a sentence.
    """
    names = [name.strip() for name in text.split(SEPARATOR) if name.strip()]
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise DataError(f"has no label {unknown[0]!r}{nearest(unknown[0], classes)}; name some of its labels")
    return np.array([name in names for name in classes], np.bool_)
