"""The labels that are given to new images, in words and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets.label_sets import join_labels
from opsin.tasks.multilabel.predictions import LabelSet, LabelSets


class SeveralLabels:
    """Labels and the probabilities of all; see `opsin.tasks.base.Answers`.

    Args:
        predictions: Of N images or groups.
        classes: Names of the labels.
    """

    confidence = None

    def __init__(self, predictions: LabelSets, classes: Sequence[str]):
        self.predictions, self.classes = predictions, classes
        self.header = (["predicted"], [f"p({name})" for name in classes])
        self.shown = ["labels"]

    def names(self, row: int) -> tuple[str, ...]:
        """Return the labels that are given."""
        given = self.predictions.labels[row]
        return tuple(name for name, true in zip(self.classes, given, strict=True) if true)

    def cells(self, row: int, answered: bool) -> tuple[list[str], list[str]]:
        """Return the labels, separated by semicolons, and all probabilities."""
        said = join_labels(self.predictions.labels[row], self.classes) if answered else ""
        return [said], [f"{p:.9g}" for p in self.predictions.probabilities[row]]

    def entry(self, row: int, answered: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the labels and all probabilities, for JSON; the labels are None where they are left open."""
        probabilities = dict(zip(self.classes, self.predictions.probabilities[row].tolist(), strict=True))
        return {"labels": list(self.names(row)) if answered else None}, {"probabilities": probabilities}

    def show(self, row: int, answered: bool) -> list[str]:
        """Return the labels for the terminal."""
        return [(", ".join(self.names(row)) or "(none)") if answered else "–"]

    def summary(self, answered: NDArray[np.bool_]) -> str:
        """Say how often each label was given, the commonest first."""
        counts = self.predictions.labels[answered].sum(axis=0)
        order = np.argsort(-counts, kind="stable").tolist()
        said = ", ".join(f"{self.classes[at]} {counts[at]:,}" for at in order if counts[at])
        return said or "no label was given"

    def prediction(self, row: int, name: str, unlike: float | None) -> LabelSet:
        """Return what is said of one image."""
        _, full = self.entry(row, True)
        return LabelSet(name, self.names(row), full["probabilities"], unlike)
