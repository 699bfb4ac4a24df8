"""What heat maps are asked, in words, one function for each task that has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsin.reporting.formats import percent
from opsin.reporting.run_report.page import Predicted

Words = tuple[tuple[str, bool], ...]  # pieces of a line, each with whether it is emphasized


@dataclass(frozen=True)
class Questions:
    """What is asked of the images of the gallery, and what the colors answer.

    Attributes:
        second: What a second row of maps is about; empty where there is none.
        negative: What blue stands for, in a word: "against".
        positive: What orange stands for: "for".
        subject: For or against what.
        supports: What an orange place does.
        score: What falls where such a place is covered.
        explained: A sentence on what is explained.
        each: Of each image, a question for each row of maps.
    """

    second: str
    negative: str
    positive: str
    subject: str
    supports: str
    score: str
    explained: str
    each: list[list[Words]]


def ask_classes(
    predicted: Predicted, rows: NDArray[np.int64], targets: NDArray[np.int64], classes: Sequence[str]
) -> Questions:
    """Ask why a class was the answer, and why the true one could have been.

    Args:
        predicted: Predictions of a split.
        rows: int64 ``(K,)``; the images.
        targets: int64 ``(K, 2)``, what is explained, -1 for nothing; see `opsin.evaluation.explained`.
        classes: Class names.
    """
    each: list[list[Words]] = []
    for first, second in targets.tolist():
        wrong = second >= 0
        asked: list[Words] = [(("Why ", False), (classes[first], True), (", its answer?" if wrong else "?", False))]
        if wrong:
            asked.append((("Why ", False), (classes[second], True), (", the truth?", False)))
        each.append(asked)
    return Questions(
        "Where an answer is wrong, the lower row asks the same for the true class.",
        "against",
        "for",
        "the class",
        "speaks for the class",
        "the score",
        "What is explained is the network's score of one class before it becomes a probability.",
        each,
    )


def ask_labels(
    predicted: Predicted, rows: NDArray[np.int64], targets: NDArray[np.int64], classes: Sequence[str]
) -> Questions:
    """Ask about the worst decision on each image, and about one that is right; see `ask_classes`."""
    each: list[list[Words]] = []
    for row, outputs in zip(rows.tolist(), targets.tolist(), strict=True):
        asked: list[Words] = []
        for at in outputs:
            if at < 0:
                continue
            true, given = bool(predicted.labels[row, at]), bool(predicted.result.labels[row, at])
            chance = percent(float(predicted.result.probabilities[row, at]), 0)
            how = "" if true == given else f", falsely given ({chance})" if given else f", missed ({chance})"
            asked.append((("Why " if given else "Why not ", False), (classes[at], True), (f"{how}?", False)))
        each.append(asked)
    return Questions(
        "Where labels are wrong, the upper row is about the worst of them, the lower about the surest that is right.",
        "against",
        "for",
        "the label",
        "speaks for the label",
        "the score",
        "What is explained is the network's score of one label before it becomes a probability.",
        each,
    )


def ask_values(
    predicted: Predicted, rows: NDArray[np.int64], targets: NDArray[np.int64], classes: Sequence[str]
) -> Questions:
    """Ask what raises a number and what lowers it; see `ask_classes`."""
    each: list[list[Words]] = [
        [(("Why ", False), (f"{float(predicted.result.values[row]):.4g}", True), ("?", False))] for row in rows.tolist()
    ]
    return Questions(
        "",
        "lowers",
        "raises",
        "the number",
        "raises the number",
        "the number",
        "What is explained is the number that the network predicts.",
        each,
    )
