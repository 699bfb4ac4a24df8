"""Validated predictions of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from opsin.statistics.means import group_means


@dataclass(frozen=True)
class Classifications:
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
        result: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return result

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of the predicted class, float32 ``(N,)``."""
        result: NDArray[np.float32] = self.probabilities.max(axis=1, initial=0)
        return result

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
class Classification:
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
