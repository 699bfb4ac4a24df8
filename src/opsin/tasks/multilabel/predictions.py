"""Validated predictions of several labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from opsin.statistics.means import group_means


@dataclass(frozen=True)
class LabelSets:
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
class LabelSet:
    """The labels that one image is given.

    Attributes:
        image: What the image is called: its path, or ``image 3`` for an array.
        labels: Those whose probability reaches their threshold; may be none.
        probabilities: Label -> probability; each by itself.
        unlike: As in `Classification`.
    """

    image: str
    labels: tuple[str, ...]
    probabilities: dict[str, float]
    unlike: float | None = None
