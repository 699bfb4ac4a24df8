"""Headline, captions and heat-map questions of a classifier's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import ClassTargets
from opsin.reporting import formats
from opsin.reporting.formats import percent
from opsin.reporting.run_report.captions import Caption, Captions
from opsin.reporting.run_report.headline import interval_places, written
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.questions import Questions, Words
from opsin.reporting.run_report.section import Section
from opsin.reporting.sections import ATTRIBUTIONS, CLOSING, DOMAIN_SHIFT, EMBEDDING_MAP, GALLERY, OPENING
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification import (
    section_calibration,
    section_classes,
    section_confusion,
    section_groups,
    section_selective_prediction,
    section_thresholds,
)
from opsin.tasks.classification.confusion import confusion_of
from opsin.tasks.classification.predictions import Classifications


def caption_classes(
    predicted: PredictedSplit[ClassTargets, Classifications], rows: NDArray[np.int64], classes: Sequence[str]
) -> Captions:
    """Caption pictures by their true and predicted classes.

    Args:
        predicted: Predictions of a split.
        rows: int64 ``(K,)``; those that have a picture, the worst first.
        classes: Class names.
    """
    labels, guesses, confidences = (
        predicted.targets.values,
        predicted.predictions.labels,
        predicted.predictions.confidence,
    )
    each = []
    for row in rows.tolist():
        truth, guess = classes[labels[row]], classes[guesses[row]]
        sure = percent(float(confidences[row]))
        chance = percent(float(predicted.predictions.probabilities[row, labels[row]]))
        right = truth == guess
        words = [(truth, True)] if right else [(truth, True), (" taken for ", False), (guess, True)]
        detail = f"right, {sure} sure" if right else f"wrong, {sure} sure; {chance} for {truth}"
        each.append(Caption(right, tuple(words), detail, truth, guess, f"true class {truth}, predicted {guess}"))
    shown = {caption.truth for caption in each} | {caption.guess for caption in each}
    return Captions(
        "Test images by the probability the model gave to their true class, lowest first. Look at the first ones: "
        "wrong labels, bad pictures and real weaknesses gather there.",
        "the worst of every kind of mistake, then the least certain of the right answers and a few of the surest",
        each,
        [name for name in classes if name in shown],
    )


def head_of_classification(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the accuracy in words, and that of always naming the commonest class.

    Args:
        page: The report.
        score: The entry of the main score: value, low, high, method, n.
        split: Where it was measured.

    Returns:
        ``value``, ``low``, ``high`` (text), ``what`` (the score), ``test`` and ``validation`` (what stands before and
        after the value in the sentence about that split), ``scale`` (places of ``low``, ``value``, ``high`` and
        ``mark`` from 0 to 1 on a line whose ends are called ``ends``; None for no line) and ``mark`` (what is marked on
        it, and its value as text; None for nothing).
    """
    baseline = most_common_part(page.predicted)
    says = "the model names the right class for"
    return {
        **written(score, formats.percent),
        "what": "Accuracy",
        "test": (says, "of them"),
        "validation": (says, f"of {formats.count(score['n'])}"),
        "scale": interval_places(score) | {"mark": baseline, "ends": ("0", "100\xa0%")},
        "mark": None if baseline is None else ("always the most common class", formats.percent(baseline)),
    }


def most_common_part(predicted: PredictedSplit[ClassTargets, Classifications] | None) -> float | None:
    """Return the accuracy of always naming the most common class of the test images, which any model should beat."""
    if predicted is None or not len(predicted):
        return None
    return float(confusion_of(predicted).sum(axis=1).max() / len(predicted))


def ask_classes(
    predicted: PredictedSplit[ClassTargets, Classifications],
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    classes: Sequence[str],
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


TEMPLATES = "opsin.tasks.classification"
OWN = (
    Section("classes", "Classes", section_classes.facts, TEMPLATES),
    Section("confusion", "Confusion matrix", section_confusion.facts, TEMPLATES),
    Section("groups", "Groups", section_groups.facts, TEMPLATES),
    Section("calibration", "Calibration", section_calibration.facts, TEMPLATES),
    Section("thresholds", "Thresholds", section_thresholds.facts, TEMPLATES),
    Section("selective_prediction", "Selective prediction", section_selective_prediction.facts, TEMPLATES),
)
SECTIONS = (*OPENING, *OWN, DOMAIN_SHIFT, GALLERY, ATTRIBUTIONS, EMBEDDING_MAP, *CLOSING)


class ClassificationReport:
    """See `opsin.reporting.task.TaskReport`."""

    sections = SECTIONS

    def headline(self, page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
        """See `TaskReport.headline`."""
        return head_of_classification(page, score, split)

    def captions(
        self, predicted: PredictedSplit[ClassTargets, Classifications], rows: NDArray[np.int64], classes: Sequence[str]
    ) -> Captions:
        """See `TaskReport.captions`."""
        return caption_classes(predicted, rows, classes)

    def questions(
        self,
        predicted: PredictedSplit[ClassTargets, Classifications],
        rows: NDArray[np.int64],
        outputs: NDArray[np.int64],
        classes: Sequence[str],
    ) -> Questions:
        """See `TaskReport.questions`."""
        return ask_classes(predicted, rows, outputs, classes)
