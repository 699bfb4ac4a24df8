"""What networks predict: one validated result type per task. Everything downstream takes only these."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
