"""What a classifier answers about new images, in words and columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.tasks.classification.predictions import Classification, Classifications


class ClassAnswers:
    """Classes, how sure they are, and the probabilities of all; see `opsin.tasks.base.Answers`.

    Args:
        predictions: Of N images or groups.
        classes: Class names.
    """

    def __init__(self, predictions: Classifications, classes: Sequence[str]):
        self.predictions, self.classes = predictions, classes
        self.labels, self.confidence = predictions.labels, predictions.confidence
        self.header = (["predicted", "confidence"], [f"p({name})" for name in classes])
        self.shown = ["class", "confidence"]

    def label(self, row: int, answered: bool) -> str:
        """Return the class that is answered; empty where the answer is left open."""
        return self.classes[self.labels[row]] if answered else ""

    def cells(self, row: int, answered: bool) -> tuple[list[str], list[str]]:
        """Return class and confidence, and all probabilities."""
        probabilities = [f"{p:.9g}" for p in self.predictions.probabilities[row]]
        return [self.label(row, answered), f"{self.confidence[row]:.9g}"], probabilities

    def entry(self, row: int, answered: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return class and confidence, and all probabilities, for JSON; the class is None where it is left open."""
        probabilities = dict(zip(self.classes, self.predictions.probabilities[row].tolist(), strict=True))
        answer = {"class": self.label(row, answered) or None, "confidence": float(self.confidence[row])}
        return answer, {"probabilities": probabilities}

    def show(self, row: int, answered: bool) -> list[str]:
        """Return class and confidence for the terminal."""
        return [self.label(row, answered) or "–", f"{self.confidence[row]:.3f}"]

    def summary(self, answered: NDArray[np.bool_]) -> str:
        """Say how often each class was answered, the commonest first."""
        counts = Counter(self.label(row, True) for row in np.flatnonzero(answered).tolist())
        return ", ".join(f"{label} {count:,}" for label, count in counts.most_common())

    def prediction(self, row: int, name: str, unlike: float | None) -> Classification:
        """Return what is said of one image."""
        _, full = self.entry(row, True)
        return Classification(name, self.label(row, True), float(self.confidence[row]), full["probabilities"], unlike)
