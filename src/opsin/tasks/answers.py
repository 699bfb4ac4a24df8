"""What every task's answers about new images can say of themselves, in words and columns."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Answering(Protocol):
    """Predictions of N images or groups, to be told.

    Attributes:
        header: Headings of the columns that say what was answered, and of those that say it in full.
        shown: Headings of the columns on the terminal.
        confidence: float ``(N,)``, how sure each answer is; None where the task does not know.
    """

    header: tuple[list[str], list[str]]
    shown: list[str]
    confidence: NDArray[np.floating] | None

    def cells(self, row: int, answered: bool) -> tuple[list[str], list[str]]:
        """Return what stands below the two parts of `header`; what is left open is empty."""

    def entry(self, row: int, answered: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the same as tables for JSON."""

    def show(self, row: int, answered: bool) -> list[str]:
        """Return what stands below `shown`."""

    def summary(self, answered: NDArray[np.bool_]) -> str:
        """Say in a few words what was answered, all rows together."""

    def prediction(self, row: int, name: str, unlike: float | None) -> Any:
        """Return what `Run.predict` gives for one image."""
