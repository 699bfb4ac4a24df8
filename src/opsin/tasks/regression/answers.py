"""The numbers that are predicted of new images, in words and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.tasks.regression.predictions import Value, Values


class ValueAnswers:
    """Numbers; see `opsin.tasks.base.Answers`.

    Args:
        predictions: Of N images or groups.
        classes: The name of the value.
    """

    confidence = None

    def __init__(self, predictions: Values, classes: Sequence[str]):
        self.values, self.name = predictions.values, classes[0]
        self.header: tuple[list[str], list[str]] = (["predicted"], [])
        self.shown = ["value"]

    def cells(self, row: int, answered: bool) -> tuple[list[str], list[str]]:
        """Return the number."""
        return [f"{self.values[row]:.9g}" if answered else ""], []

    def entry(self, row: int, answered: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the number, for JSON; None where it is left open."""
        return {"value": float(self.values[row]) if answered else None}, {}

    def show(self, row: int, answered: bool) -> list[str]:
        """Return the number for the terminal."""
        return [f"{self.values[row]:.6g}" if answered else "–"]

    def summary(self, answered: NDArray[np.bool_]) -> str:
        """Say between what the numbers lie."""
        if not answered.any():
            return "none answered"
        some = self.values[answered]
        return f"{self.name} from {some.min():.6g} to {some.max():.6g}, mean {some.mean():.6g}"

    def prediction(self, row: int, name: str, unlike: float | None) -> Value:
        """Return what is said of one image."""
        return Value(name, float(self.values[row]), unlike)
