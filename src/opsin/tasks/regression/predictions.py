"""Validated predictions of a regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from opsin.statistics.means import group_means


@dataclass(frozen=True)
class Values:
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
class Value:
    """The number that is predicted of one image.

    Attributes:
        image: What the image is called: its path, or ``image 3`` for an array.
        value: The number, in the unit of the data.
        unlike: As in `Classification`.
    """

    image: str
    value: float
    unlike: float | None = None
