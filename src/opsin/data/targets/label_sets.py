"""The targets of several labels per image: for each label whether it is true of each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets.base import Requirement
from opsin.errors import DataError, nearest

SEPARATOR = ";"


class LabelTargets:
    """bool ``(N, labels)``; a row may hold none, one or several."""

    kind = "label"

    def checked(self, name: str, labels: NDArray, classes: Sequence[str]) -> NDArray[np.bool_]:
        """Return them as bool; see `Targets.checked`."""
        labels = np.asarray(labels)
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
        return labels.astype(bool, copy=False)

    def check_enough(self, name: str, labels: NDArray[np.bool_], classes: Sequence[str], needed: Requirement) -> None:
        """Make sure that there are enough images with each label, and without it; see `Targets.check_enough`."""
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

    def check_trained(self, name: str, labels: NDArray[np.bool_], classes: Sequence[str], part: float = 1.0) -> None:
        """Make sure that every label is true of an image that is trained on."""
        counts = labels.sum(axis=0)
        if counts.all():
            return
        missing = classes[int(counts.argmin())]
        if part < 1:
            raise DataError(
                f"{part:.2%} of the training images hold none with the label '{missing}'; ask for a larger part."
            )
        raise DataError(f"{name}: no image with the label '{missing}' is left to train on; it needs more of them.")

    def strata(self, labels: NDArray[np.bool_], classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the rarest label of each image, and one number more for images without any.

        Rare labels, which chance would share out worst, are so shared out evenly; of common ones every part has its
        share anyway (as Sechidis, Tsoumakas and Vlahavas 2011 begin with the rarest).
        """
        counts = labels.sum(axis=0)
        sampling_weights = np.where(labels, counts, len(labels) + 1)
        strata = sampling_weights.argmin(axis=1) if labels.shape[1] else np.zeros(len(labels), np.int64)
        return np.where(labels.any(axis=1), strata, labels.shape[1]).astype(np.int64)

    def counts(self, labels: NDArray[np.bool_], classes: Sequence[str]) -> NDArray[np.int64]:
        """Return how many images have each label, int64 ``(labels,)``; an image counts once for each of its labels."""
        return labels.sum(axis=0).astype(np.int64)

    def kinds(self, labels: NDArray[np.bool_], classes: Sequence[str]) -> list[tuple[str, NDArray[np.int64]]]:
        """Return each label and its images, and the images without any."""
        found = [(name, np.flatnonzero(labels[:, place])) for place, name in enumerate(classes)]
        without = np.flatnonzero(~labels.any(axis=1))
        return [*found, ("(no label)", without)] if len(without) else found

    def describe(self, labels: NDArray[np.bool_], classes: Sequence[str]) -> str:
        """Return how many labels there are, and how many an image has."""
        return f"{len(classes)} labels, {labels.sum(axis=1).mean():.2g} per image"

    def text(self, label: Any, classes: Sequence[str]) -> str:
        """Return the names of the labels, parted by semicolons."""
        return SEPARATOR.join(name for name, true in zip(classes, label, strict=True) if true)

    def parse(self, text: str, classes: Sequence[str]) -> NDArray[np.bool_]:
        """Return the row of labels that are named, parted by semicolons."""
        names = [name.strip() for name in text.split(SEPARATOR) if name.strip()]
        unknown = [name for name in names if name not in classes]
        if unknown:
            raise DataError(f"has no label {unknown[0]!r}{nearest(unknown[0], classes)}; name some of its labels")
        return np.array([name in names for name in classes])

    def reorder(self, labels: NDArray[np.bool_], order: Sequence[int]) -> NDArray[np.bool_]:
        """Return the columns in another order."""
        return labels[:, list(order)]

    def translate(
        self, name: str, labels: NDArray[np.bool_], classes: Sequence[str], known: Sequence[str], run: str
    ) -> NDArray[np.bool_]:
        """Return the columns that the run knows; a label that the other data never name is true of none of them."""
        place = {each: at for at, each in enumerate(classes)}
        unknown = [each for at, each in enumerate(classes) if each not in known and labels[:, at].any()]
        if unknown:
            raise DataError(
                f"{name} holds the label '{unknown[0]}', which {run} was not trained on; it knows {', '.join(known)}."
            )
        absent = np.zeros(len(labels), bool)
        return np.stack([labels[:, place[each]] if each in place else absent for each in known], axis=1)
