"""The targets of classification: the number of the one class that each image shows."""

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


@dataclass(frozen=True)
class ClassTargets(ArrayTargets):
    """int64 ``(N,)``, values in ``[0, classes)``."""

    task: ClassVar[str] = "classification"
    kind: ClassVar[str] = "class"
    values: NDArray[np.int64]

    def checked(self, name: str, classes: Sequence[str]) -> Self:
        """Return them as int64; see `Targets.checked`."""
        labels = np.asarray(self.values)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"{name}: labels must be integers (N,), numbers of classes, not {labels.dtype} {labels.shape}."
            )
        if not (0 <= int(labels.min()) and int(labels.max()) < len(classes)):
            raise DataError(f"{name}: labels must lie between 0 and {len(classes) - 1}.")
        return replace(self, values=labels.astype(np.int64, copy=False))

    def check_enough(self, name: str, classes: Sequence[str], needed: Requirement) -> None:
        """Make sure that there are two classes at least, and enough images of each; see `Targets.check_enough`."""
        if len(classes) < 2:
            raise DataError(
                f"{name} has only one class, {classes[0]!r}; a classifier needs at least two, each in a "
                f"folder of its own or named in the label column."
            )
        counts = self.counts(classes)
        few = [(classes[index], int(counts[index])) for index in np.flatnonzero(counts < needed.number).tolist()]
        if not few:
            return
        worst, number = min(few, key=lambda item: item[1])
        where = "training images" if needed.given else "images"
        where = where[:-1] if number == 1 else where
        others = f", and {len(few) - 1:,} further {'class has' if len(few) == 2 else 'classes have'} too few"
        parts = ("training", *needed.parts)
        why = f", one each for {', '.join(parts[:-1])} and {parts[-1]}" if needed.parts else ""
        advice = "add images or leave the class out"
        if len(few) > len(classes) / 2 and len(classes) > 10:
            advice = "check that the labels are classes rather than numbers or names of images"
        raise DataError(
            f"{name}: the class {worst!r} has {number if number else 'no'} {where}{others * (len(few) > 1)}, but at "
            f"least {needed.number} of each class {'is' if needed.number == 1 else 'are'} needed{why}; {advice}."
        )

    def check_trained(self, name: str, classes: Sequence[str], part: float = 1.0) -> None:
        """Make sure that every class is trained on."""
        counts = self.counts(classes)
        if counts.all():
            return
        missing = classes[int(counts.argmin())]
        if part < 1:
            raise DataError(f"{part:.2%} of the training images hold none of class '{missing}'; ask for a larger part.")
        raise DataError(
            f"{name}: class '{missing}' has no image left to train on; it needs more images, or more groups."
        )

    def strata(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the classes themselves."""
        labels = self.values
        return labels

    def counts(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of images of each class, int64 ``(classes,)``."""
        labels = self.values
        return np.bincount(labels, minlength=len(classes))

    def kinds(self, classes: Sequence[str]) -> list[tuple[str, NDArray[np.int64]]]:
        """Return each class and its images."""
        labels = self.values
        return [(name, np.flatnonzero(labels == label)) for label, name in enumerate(classes)]

    def describe(self, classes: Sequence[str]) -> str:
        """Return how many classes there are."""
        return f"{len(classes)} classes"

    def text(self, row: int, classes: Sequence[str]) -> str:
        """Return the name of the class."""
        label = self.values[row]
        result: str = classes[label]
        return result

    def _parse(self, text: str, classes: Sequence[str]) -> int:
        """Return the number of a class."""
        if text not in classes:
            raise DataError(f"has no class {text!r}{nearest(text, classes)}; name one of its classes")
        return list(classes).index(text)

    def reorder(self, order: Sequence[int]) -> Self:
        """Return the numbers that the classes have in another order."""
        return replace(self, values=np.argsort(np.asarray(order, np.int64))[self.values])

    def translate(self, name: str, classes: Sequence[str], known: Sequence[str], run: str) -> Self:
        """Return the numbers that the run has for the classes; see `Targets.translate`."""
        labels = self.values
        number = {each: place for place, each in enumerate(known)}
        unknown = [classes[label] for label in np.unique(labels) if classes[label] not in number]
        if unknown:
            raise DataError(
                f"{name} holds the class '{unknown[0]}', which {run} was not trained on; it knows {', '.join(known)}."
            )
        return replace(self, values=np.array([number.get(each, 0) for each in classes], np.int64)[labels])

    def relabel(self, row: int, text: str, classes: Sequence[str]) -> Self:
        """Return the targets with one replaced; see `Targets.relabel`."""
        values = self.values.copy()
        values[row] = self._parse(text, classes)
        return replace(self, values=values)

    def encode(self, preprocessing: Preprocessing, progress: Progress | None = None) -> EncodedArray:
        """Return class indices, int64 ``(N,)``."""
        import torch

        return EncodedArray(torch.from_numpy(self.values))
