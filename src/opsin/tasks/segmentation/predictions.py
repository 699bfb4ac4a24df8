"""Validated predictions of a segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from opsin.errors import DataError


@dataclass(frozen=True)
class SegmentationMasks:
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
class SegmentationMask:
    """What a segmentation says of one image.

    Attributes:
        image: What the image is called: its path, or ``image 3`` for an array.
        mask: uint8 ``(H, W)``, the class of each pixel of the network's input.
        confidence: float32 ``(H, W)``, the probability of that class.
        areas: Class -> part of the image that it covers; they sum to 1.
        unlike: How unlike the training images it is, as in `Classification`.
    """

    image: str
    mask: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    areas: dict[str, float]
    unlike: float | None = None
