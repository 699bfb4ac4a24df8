"""What networks predict: one validated result type per task. Everything downstream takes only these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opsin.errors import DataError


class Predictions(Protocol):
    """What every result type can do with its N images."""

    def __len__(self) -> int: ...

    def take(self, rows: ArrayLike) -> Any:
        """Return the predictions of some images: int64 or bool ``(K,)``, or a slice."""

    def reorder(self, order: Sequence[int]) -> Any:
        """Return them with the outputs in another order: place in the new order -> place in the old one."""

    def mean(self, group_of: NDArray[np.int64], groups: int) -> Any:
        """Return one prediction for each of G groups of images, of which ``group_of`` (int64 ``(N,)``) is the group."""

    @classmethod
    def join(cls, parts: Sequence[Any]) -> Any:
        """Return at least one part after the other as one."""


@dataclass(frozen=True)
class Classified:
    """Predictions of a classifier for N images.

    Attributes:
        probabilities: float32 ``(N, classes)``, rows sum to 1.
    """

    probabilities: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 2 or self.probabilities.dtype != np.float32:
            raise ValueError(
                f"probabilities must be float32 (N, classes), not {self.probabilities.dtype} {self.probabilities.shape}"
            )
        if len(self.probabilities) and not np.allclose(self.probabilities.sum(axis=1), 1, atol=1e-3):
            raise ValueError("each row of probabilities must sum to 1")

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index of the most probable class of each image, int64 ``(N,)``."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of the predicted class, float32 ``(N,)``."""
        return self.probabilities.max(axis=1, initial=0)

    def take(self, rows: Any) -> Self:
        """Return the predictions of some images."""
        return type(self)(self.probabilities[rows])

    def reorder(self, order: Sequence[int]) -> Self:
        """Return them with the classes in another order."""
        return type(self)(np.ascontiguousarray(self.probabilities[:, list(order)]))

    def mean(self, group_of: NDArray[np.int64], groups: int) -> Self:
        """Return the mean probabilities of each group."""
        return type(self)(group_means(self.probabilities, group_of, groups))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return at least one part after the other as one."""
        return cls(np.concatenate([part.probabilities for part in parts]))


@dataclass(frozen=True)
class Segmented:
    """Predicted masks of N images of one size.

    Attributes:
        labels: uint8 ``(N, H, W)``, the most probable class of each pixel.
        confidence: uint8 ``(N, H, W)``, its probability, in 255ths.
        classes: How many classes there are.
    """

    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    classes: int

    def __post_init__(self) -> None:
        for name, values in (("labels", self.labels), ("confidence", self.confidence)):
            if values.ndim != 3 or values.dtype != np.uint8:
                raise ValueError(f"{name} must be uint8 (N, H, W), not {values.dtype} {values.shape}")
        if self.labels.shape != self.confidence.shape:
            raise ValueError(f"labels {self.labels.shape} and confidence {self.confidence.shape} differ in shape")
        if self.labels.size and self.labels.max() >= self.classes:
            raise ValueError(f"labels must lie between 0 and {self.classes - 1}")

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def nothing(cls, classes: int) -> Self:
        """Return the predictions of no images."""
        return cls(np.zeros((0, 1, 1), np.uint8), np.zeros((0, 1, 1), np.uint8), classes)

    def probabilities(self) -> NDArray[np.float32]:
        """Return the probability of each class, float32 ``(N, C, H, W)``, never quite 0 or 1.

        Of two classes it is exact to 1/510; of more, what the predicted class leaves over is shared evenly.
        """
        sure = (self.confidence.clip(0.5, 254.5) / 255).astype(np.float32)
        others = (1 - sure) / np.float32(max(self.classes - 1, 1))
        result: NDArray[np.float32] = np.repeat(others[:, None], self.classes, axis=1)
        np.put_along_axis(result, self.labels[:, None].astype(np.int64), sure[:, None], axis=1)
        return result

    def foreground(self) -> NDArray[np.float32]:
        """Return how probable the second of two classes is, float32 ``(N, H, W)``."""
        sure = self.confidence.astype(np.float32) / 255
        return np.where(self.labels == 1, sure, 1 - sure).astype(np.float32)

    def areas(self) -> NDArray[np.int64]:
        """Return the number of pixels of each class, int64 ``(N, classes)``."""
        return np.stack([(self.labels == name).sum(axis=(1, 2)) for name in range(self.classes)], axis=1)

    def take(self, rows: Any) -> Self:
        """Return the predictions of some images."""
        return type(self)(self.labels[rows], self.confidence[rows], self.classes)

    def reorder(self, order: Sequence[int]) -> Self:
        """Return them with the classes in another order."""
        place = np.argsort(np.asarray(order)).astype(np.uint8)
        return type(self)(place[self.labels], self.confidence, self.classes)

    def mean(self, group_of: NDArray[np.int64], groups: int) -> Self:
        """Refuse: the pixels of two images do not belong together.

        Raises:
            DataError: Always.
        """
        raise DataError("Masks of several images cannot be pooled into one; leave out what pools them.")

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return at least one part after the other as one."""
        labels = np.concatenate([part.labels for part in parts])
        return cls(labels, np.concatenate([part.confidence for part in parts]), parts[0].classes)


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one image.

    Attributes:
        image: What the image is called: its path, or ``image 3`` for an array.
        label: The most probable class.
        confidence: Its probability.
        probabilities: Class -> probability; they sum to 1.
        unlike: How unlike the training images it is, from 0; above 1 the rest means little. None where the run does
            not know.
    """

    image: str
    label: str
    confidence: float
    probabilities: dict[str, float]
    unlike: float | None = None


@dataclass(frozen=True)
class Labelled:
    """Several labels of N images, each true or false by itself.

    Attributes:
        probabilities: float32 ``(N, labels)`` in [0, 1].
        labels: bool ``(N, labels)``; those that are given, because they reach the threshold of the label.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 2 or self.probabilities.dtype != np.float32:
            raise ValueError(
                f"probabilities must be float32 (N, labels), not {self.probabilities.dtype} {self.probabilities.shape}"
            )
        if self.labels.dtype != np.bool_ or self.labels.shape != self.probabilities.shape:
            raise ValueError(f"labels must be bool {self.probabilities.shape}, not {self.labels.dtype}")
        if not ((self.probabilities >= 0) & (self.probabilities <= 1)).all():
            raise ValueError("probabilities must lie between 0 and 1")

    def __len__(self) -> int:
        return len(self.probabilities)

    def take(self, rows: Any) -> Self:
        """Return the predictions of some images."""
        return type(self)(self.probabilities[rows], self.labels[rows])

    def reorder(self, order: Sequence[int]) -> Self:
        """Return them with the labels in another order."""
        columns = list(order)
        return type(self)(np.ascontiguousarray(self.probabilities[:, columns]), self.labels[:, columns])

    def mean(self, group_of: NDArray[np.int64], groups: int) -> Self:
        """Return the mean probabilities of each group, and the labels that half of its images or more are given."""
        given = group_means(self.labels.astype(np.float32), group_of, groups) >= 0.5
        return type(self)(group_means(self.probabilities, group_of, groups), given)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return at least one part after the other as one."""
        return cls(
            *(np.concatenate(all_of) for all_of in zip(*((p.probabilities, p.labels) for p in parts), strict=True))
        )


@dataclass(frozen=True)
class LabelsOfImage:
    """The labels that one image is given.

    Attributes:
        image: What the image is called: its path, or ``image 3`` for an array.
        labels: Those whose probability reaches their threshold; may be none.
        probabilities: Label -> probability; each by itself.
        unlike: As in `Prediction`.
    """

    image: str
    labels: tuple[str, ...]
    probabilities: dict[str, float]
    unlike: float | None = None


@dataclass(frozen=True)
class Estimated:
    """A number that is predicted of each of N images.

    Attributes:
        values: float32 ``(N,)``, finite, in the unit of the data.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or self.values.dtype != np.float32:
            raise ValueError(f"values must be float32 (N,), not {self.values.dtype} {self.values.shape}")
        if not np.isfinite(self.values).all():
            raise ValueError("values must be finite")

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Any) -> Self:
        """Return the predictions of some images."""
        return type(self)(self.values[rows])

    def reorder(self, order: Sequence[int]) -> Self:
        """Return them as they are: there is one output."""
        return self

    def mean(self, group_of: NDArray[np.int64], groups: int) -> Self:
        """Return the mean value of each group."""
        return type(self)(group_means(self.values, group_of, groups))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return at least one part after the other as one."""
        return cls(np.concatenate([part.values for part in parts]))


@dataclass(frozen=True)
class Estimate:
    """The number that is predicted of one image.

    Attributes:
        image: What the image is called: its path, or ``image 3`` for an array.
        value: The number, in the unit of the data.
        unlike: As in `Prediction`.
    """

    image: str
    value: float
    unlike: float | None = None


@dataclass(frozen=True)
class SegmentedImage:
    """What a segmentation says of one image.

    Attributes:
        image: What the image is called: its path, or ``image 3`` for an array.
        mask: uint8 ``(H, W)``, the class of each pixel of the network's input.
        confidence: float32 ``(H, W)``, the probability of that class.
        areas: Class -> part of the image that it covers; they sum to 1.
        unlike: How unlike the training images it is, as in `Prediction`.
    """

    image: str
    mask: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    areas: dict[str, float]
    unlike: float | None = None


def group_means(values: NDArray[np.float32], group_of: NDArray[np.int64], groups: int) -> NDArray[np.float32]:
    """Return the mean of ``values`` ``(N, ...)`` in each group, float32 ``(groups, ...)``."""
    sums = np.zeros((groups, *values.shape[1:]))
    np.add.at(sums, group_of, values)
    counts = np.bincount(group_of, minlength=groups).reshape(-1, *[1] * (values.ndim - 1))
    return (sums / counts).astype(np.float32)
