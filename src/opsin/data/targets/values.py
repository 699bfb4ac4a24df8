"""The targets of regression: a number for each image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets.base import ArrayTargets, EncodedArray, Progress, Requirement
from opsin.errors import DataError

if TYPE_CHECKING:
    from opsin.data.preprocessing import Preprocessing

FEWEST = 10  # images, below which nothing can be learned or said
LARGEST = 1e15  # whose square float32, in which networks learn, still holds
PER_STRATUM, MOST_STRATA = 10, 10


@dataclass(frozen=True)
class ValueTargets(ArrayTargets):
    """float64 ``(N,)``, finite, in whatever unit the data have."""

    task: ClassVar[str] = "regression"
    kind: ClassVar[str] = "value"
    values: NDArray[np.float64]

    def checked(self, name: str, classes: Sequence[str]) -> Self:
        """Return them as float64; see `Targets.checked`."""
        labels = np.asarray(self.values)
        if labels.ndim != 1 or labels.dtype.kind not in "biuf":
            raise DataError(f"{name}: values must be numbers (N,), not {labels.dtype} {labels.shape}.")
        if len(classes) != 1:
            raise DataError(f"{name}: one number is learned for each image, so it needs one name, not {len(classes)}.")
        labels = labels.astype(np.float64, copy=False)
        if not np.isfinite(labels).all():
            raise DataError(f"{name}: values must be finite numbers; leave out images whose value is not known.")
        if len(labels) and np.abs(labels).max() > LARGEST:
            raise DataError(
                f"{name}: the value {labels[np.abs(labels).argmax()]:g} is beyond what can be learned, {LARGEST:g}; "
                "correct it, or give all values in a larger unit."
            )
        return replace(self, values=labels)

    def check_enough(self, name: str, classes: Sequence[str], needed: Requirement) -> None:
        """Make sure that there are 10 images and two values at least; see `Targets.check_enough`."""
        labels = self.values
        if len(labels) < FEWEST:
            what = "training images" if needed.given else "images"
            raise DataError(f"{name} has only {len(labels)} {what}; at least {FEWEST} are needed to learn a number.")
        self.check_trained(name, classes)

    def check_trained(self, name: str, classes: Sequence[str], part: float = 1.0) -> None:
        """Make sure that the values differ."""
        labels = self.values
        if len(labels) and float(np.ptp(labels)) > 0:
            return
        raise DataError(f"{name}: all training images have the same {classes[0]}, so that there is nothing to learn.")

    def strata(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return which of up to ten ranges, as many images in each as in any other, a value lies in."""
        labels = self.values
        number = int(np.clip(len(labels) // PER_STRATUM, 1, MOST_STRATA))
        edges = np.unique(np.quantile(labels, np.arange(1, number) / number))
        return np.searchsorted(edges, labels, side="right").astype(np.int64)

    def counts(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return nothing: there are no classes to count."""
        return np.zeros(0, np.int64)

    def kinds(self, classes: Sequence[str]) -> list[tuple[str, NDArray[np.int64]]]:
        """Return up to ten ranges of values and their images."""
        labels = self.values
        strata = self.strata(classes)
        found = [np.flatnonzero(strata == number) for number in np.unique(strata)]
        return [(f"{labels[rows].min():.4g} to {labels[rows].max():.4g}", rows) for rows in found]

    def describe(self, classes: Sequence[str]) -> str:
        """Return what is learned, and between which values it lies."""
        labels = self.values
        return f"{classes[0]} from {labels.min():.4g} to {labels.max():.4g}"

    def text(self, row: int, classes: Sequence[str]) -> str:
        """Return the number, in as many digits as it needs, 12 at most."""
        label = self.values[row]
        return f"{float(label):.12g}"

    def _parse(self, text: str, classes: Sequence[str]) -> float:
        """Return the number."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(f"learns numbers, and {text!r} is none")
        return value

    def reorder(self, order: Sequence[int]) -> Self:
        """Return the values as they are: there is one output."""
        return replace(self, values=self.values)

    def translate(self, name: str, classes: Sequence[str], known: Sequence[str], run: str) -> Self:
        """Return the values as they are: they are taken for the same quantity, whatever the column is called."""
        labels = self.values
        return replace(self, values=labels)

    def relabel(self, row: int, text: str, classes: Sequence[str]) -> Self:
        """Return the targets with one replaced; see `Targets.relabel`."""
        values = self.values.copy()
        values[row] = self._parse(text, classes)
        return replace(self, values=values)

    def encode(self, preprocessing: Preprocessing, progress: Progress | None = None) -> EncodedArray:
        """Return the values, float32 ``(N,)``."""
        import torch

        return EncodedArray(torch.from_numpy(self.values.astype(np.float32)))
