"""The targets of segmentation: a mask for each image (`Dataset.masks`), and here which classes it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets.base import Requirement
from opsin.errors import DataError

SEPARATOR = ";"


class MaskTargets:
    """bool ``(N, classes)``: whether any pixel of the mask is of a class."""

    kind = "class"

    def checked(self, name: str, labels: NDArray, classes: Sequence[str]) -> NDArray[np.bool_]:
        """Return them as they are; see `Targets.checked`."""
        labels = np.asarray(labels)
        if labels.dtype != np.bool_ or labels.ndim != 2 or labels.shape[1] != len(classes):
            raise DataError(
                f"{name}: beside masks, labels must be bool (N, {len(classes)}), the classes that each mask shows, not "
                f"{labels.dtype} {labels.shape}."
            )
        return labels

    def check_enough(self, name: str, labels: NDArray[np.bool_], classes: Sequence[str], needed: Requirement) -> None:
        """Make sure that there are two classes, and an image for each part of the split."""
        if len(classes) < 2:
            raise DataError(f"{name}: the masks are of one class only, {classes[0]!r}; there is nothing to tell apart.")
        if len(labels) < needed.number:
            raise DataError(
                f"{name} has {len(labels)} training image{'s' * (len(labels) != 1)}, but at least {needed.number} are "
                "needed, for training and for the other splits; add images with masks."
            )

    def check_trained(self, name: str, labels: NDArray[np.bool_], classes: Sequence[str], part: float = 1.0) -> None:
        """Make sure that two classes at least are trained on; rare ones may be missing, as the scores will show."""
        if labels.any(axis=0).sum() < 2:
            raise DataError(f"{name}: the masks that are left to train on show one class only; more images are needed.")

    def strata(self, labels: NDArray[np.bool_], classes: Sequence[str]) -> NDArray[np.int64]:
        """Return for each image the rarest class that it shows."""
        sampling_weights = np.argsort(np.argsort(labels.sum(axis=0), kind="stable"), kind="stable")
        return np.where(labels, sampling_weights, len(classes)).argmin(axis=1)

    def counts(self, labels: NDArray[np.bool_], classes: Sequence[str]) -> NDArray[np.int64]:
        """Return how many images show each class."""
        return labels.sum(axis=0, dtype=np.int64)

    def kinds(self, labels: NDArray[np.bool_], classes: Sequence[str]) -> list[tuple[str, NDArray[np.int64]]]:
        """Return each class and the images that show it."""
        return [(name, np.flatnonzero(labels[:, number])) for number, name in enumerate(classes)]

    def describe(self, labels: NDArray[np.bool_], classes: Sequence[str]) -> str:
        """Return how many classes of pixels there are."""
        return f"masks of {len(classes)} classes"

    def text(self, label: Any, classes: Sequence[str]) -> str:
        """Return the names of the classes that a mask shows, bool ``(C,)`` or the mask itself, uint8 ``(H, W)``."""
        if label.dtype != np.bool_:
            label = np.isin(np.arange(len(classes)), label)
        return SEPARATOR.join(name for name, shown in zip(classes, label, strict=True) if shown)

    def parse(self, text: str, classes: Sequence[str]) -> Any:
        """Refuse: a mask is more than words can say."""
        raise DataError("has masks, which are mended in their files; decide to exclude or keep an image")

    def reorder(self, labels: NDArray, order: Sequence[int]) -> NDArray:
        """Return them, or masks uint8 ``(N, H, W)``, with the classes in another order."""
        if labels.dtype == np.bool_:
            return labels[:, list(order)]
        numbers = np.arange(256, dtype=np.uint8)  # void stays what it is
        numbers[list(order)] = np.arange(len(order))
        return numbers[labels]

    def translate(
        self, name: str, labels: NDArray[np.bool_], classes: Sequence[str], known: Sequence[str], run: str
    ) -> NDArray[np.bool_]:
        """Return them as they are where the classes are the run's; see `Targets.translate`."""
        if tuple(classes) != tuple(known):
            raise DataError(
                f"{name} has masks of the classes {', '.join(classes)}, but {run} was trained on {', '.join(known)}; "
                "name them alike, in the same order (classes.txt)."
            )
        return labels
