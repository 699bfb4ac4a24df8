"""Targets: containers of the true answers of N images, and their encoded form that losses take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from opsin.data.preprocessing import Preprocessing

Progress = Callable[[int, int], None]


class Requirement(NamedTuple):
    """The training images that a dataset needs.

    Attributes:
        number: Least number of images of each class.
        parts: Splits that are still to be taken out of the training images.
        given: Whether the data come with a split.
    """

    number: int
    parts: tuple[str, ...]
    given: bool


@dataclass(frozen=True)
class Motion:
    """A geometric change of a batch of images, for the targets that move with the pixels.

    Attributes:
        maps: float32 ``(N, 2, 3)``, affine, from output to input position, each side of an image spanning [-1, 1].
        grid: float32 ``(N, H, W, 2)``, x before y: the input position of each output pixel, elastic displacement
            included.
    """

    maps: Tensor
    grid: Tensor


class EncodedTargets(Protocol):
    """Targets of N images as tensors; the training loop indexes, moves and augments them without knowing their form."""

    def __len__(self) -> int: ...

    def take(self, rows: Tensor) -> Self:
        """Return the targets at ``rows`` (int64 ``(K,)``)."""

    def to(self, device: torch.device) -> Self:
        """Return the targets on a device."""

    def move(self, motion: Motion) -> Self:
        """Return the targets after their images were moved; labels are unchanged, masks are sampled on the grid."""

    @property
    def data(self) -> Any:
        """Argument of the loss: a tensor ``(N, ...)``, or N tensors where images differ in number of objects."""


class Targets(Protocol):
    """True answers of N images.

    ``classes`` are the names of the network's outputs: of classes, of labels, or of the one value.

    Attributes:
        task: The task that learns such targets, as in ``recipe.task``.
        kind: What splits are stratified by, in one word.
    """

    task: ClassVar[str]
    kind: ClassVar[str]

    def __len__(self) -> int: ...

    def take(self, rows: Any) -> Self:
        """Return the targets of some images: int64 or bool ``(K,)``, or a slice."""

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Concatenate at least one part."""

    def same(self, other: Self) -> NDArray[np.bool_]:
        """Return which of N targets equal those of the other container, bool ``(N,)``."""

    def content(self) -> bytes:
        """Return bytes that differ where the targets do, for fingerprints."""

    def checked(self, name: str, classes: Sequence[str]) -> Self:
        """Return the targets in the container's own dtype.

        Args:
            name: Name of the dataset, for messages.
            classes: Names of the outputs.

        Raises:
            DataError: A value is not valid.
        """

    def check_enough(self, name: str, classes: Sequence[str], needed: Requirement) -> None:
        """Check that these training targets suffice for training and for the other splits.

        Raises:
            DataError: Images of a class are missing; the message names it.
        """

    def check_trained(self, name: str, classes: Sequence[str], part: float = 1.0) -> None:
        """Check that the images that are left to train on show every class.

        Args:
            name: Name of the dataset.
            classes: Names of the outputs.
            part: Fraction of all training images that they are, where the recipe asks for a fraction.

        Raises:
            DataError: A class is missing.
        """

    def strata(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the stratum of each image, int64 ``(N,)`` from 0; every split holds the same share of each."""

    def counts(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of images that show each class, int64 ``(classes,)``; ``(0,)`` without classes."""

    def kinds(self, classes: Sequence[str]) -> list[tuple[str, NDArray[np.int64]]]:
        """Return names by which people sort images, each with its images (int64); an image may have several."""

    def describe(self, classes: Sequence[str]) -> str:
        """Describe in a few words what is learned: ``3 classes``, ``age from 0 to 90``."""

    def text(self, row: int, classes: Sequence[str]) -> str:
        """Return one target as files and people write it."""

    def relabel(self, row: int, text: str, classes: Sequence[str]) -> Self:
        """Return the targets with one of them replaced by what `text` would write.

        Raises:
            DataError: The text is not valid; the message, without a full stop, ends a sentence.
        """

    def reorder(self, order: Sequence[int]) -> Self:
        """Return the targets for another order of the outputs: place in the new order -> place in the old one."""

    def translate(self, name: str, classes: Sequence[str], known: Sequence[str], run: str) -> Self:
        """Return the targets of other data in terms of the outputs that a run knows.

        Args:
            name: Name of the data.
            classes: Names of their outputs.
            known: Names of the run's outputs.
            run: Name of the run.

        Raises:
            DataError: They hold a class that the run was not trained on.
        """

    def encode(self, preprocessing: Preprocessing, progress: Progress | None = None) -> EncodedTargets:
        """Return the targets as the loss takes them, at the size of the network's input.

        Raises:
            DataError: A target cannot be read; it is named.
        """

    def at_input_size(self, encoded: EncodedTargets) -> Targets:
        """Return the targets that predictions are scored against; for labels and values the targets themselves."""

    def digests(self, encoded: EncodedTargets) -> NDArray[np.uint64] | None:
        """Return a digest of each target that was read from a file of its own, uint64 ``(N,)``; None for all others."""

    def move(self, motion: Motion) -> Self:
        """Return the targets after their images were moved; see `EncodedTargets.move`."""

    def signature(self, row: int) -> str:
        """Return text that changes when a target that is read from a file of its own changes, or nothing."""


@dataclass(frozen=True)
class ArrayTargets:
    """The part of `Targets` that all forms share whose N targets are one array.

    Attributes:
        values: ``(N, ...)``.
    """

    values: NDArray[Any]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Any) -> Self:
        """Return the targets of some images."""
        return replace(self, values=self.values[rows])

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Concatenate at least one part."""
        return replace(parts[0], values=np.concatenate([part.values for part in parts]))

    def same(self, other: Self) -> NDArray[np.bool_]:
        """Return which targets are equal, bool ``(N,)``."""
        equal = self.values == other.values
        result: NDArray[np.bool_] = equal.all(axis=tuple(range(1, equal.ndim))) if equal.ndim > 1 else equal
        return result

    def content(self) -> bytes:
        """Return the values as bytes, the same on every machine."""
        return self.values.astype("<f8" if self.values.dtype.kind == "f" else "<i8").tobytes()

    def at_input_size(self, encoded: EncodedTargets) -> Self:
        """Return the targets themselves."""
        return self

    def digests(self, encoded: EncodedTargets) -> NDArray[np.uint64] | None:
        """Return None: the values are in memory."""
        return None

    def move(self, motion: Motion) -> Self:
        """Return the targets themselves."""
        return self

    def signature(self, row: int) -> str:
        """Return nothing: the values are in memory."""
        return ""


@dataclass(frozen=True)
class EncodedArray:
    """Encoded targets of fixed shape.

    Attributes:
        data: ``(N, ...)``.
    """

    data: Tensor

    def __len__(self) -> int:
        return len(self.data)

    def take(self, rows: Tensor) -> Self:
        """Return some rows."""
        return replace(self, data=self.data.index_select(0, rows.to(self.data.device)))

    def to(self, device: torch.device) -> Self:
        """Return them on a device."""
        return replace(self, data=self.data.to(device))

    def move(self, motion: Motion) -> Self:
        """Return them as they are: labels and values do not move."""
        return self
