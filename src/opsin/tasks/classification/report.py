"""Headline, captions and heat-map questions of a classification report."""

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
        rows: int64 ``(K,)``; images that have a picture, worst first.
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
        words = [(truth, True)] if right else [(truth, True), (" predicted as ", False), (guess, True)]
        detail = f"correct, confidence {sure}" if right else f"wrong, confidence {sure}; {chance} for {truth}"
        each.append(Caption(right, tuple(words), detail, truth, guess, f"true class {truth}, predicted {guess}"))
    shown = {caption.truth for caption in each} | {caption.guess for caption in each}
    return Captions(
        "Test images sorted by the predicted probability of their true class, lowest first. The first ones "
        "show wrong labels, poor images and real weaknesses of the model.",
        "the worst examples of each type of error, then the least and the most confident correct predictions",
        each,
        [name for name in classes if name in shown],
    )


def head_of_classification(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the headline: the accuracy, and that of always predicting the most common class.

    Args:
        page: The report.
        score: The entry of the main score: value, low, high, method, n.
        split: Split on which it was measured.

    Returns:
        ``value``, ``low``, ``high`` (text), ``what`` (the score), ``test`` and ``validation`` (text before and after
        the value in the sentence about that split), ``scale`` (positions of ``low``, ``value``, ``high`` and ``mark``
        from 0 to 1 on a line labelled ``ends``; None for no line) and ``mark`` (name of the baseline marked on it and
        its value as text; None for no baseline).
    """
    baseline = most_common_part(page.predicted)
    says = "the model classifies"
    return {
        **written(score, formats.percent),
        "what": "Accuracy",
        "test": (says, "of them correctly"),
        "validation": (says, f"of {formats.count(score['n'])} correctly"),
        "scale": interval_places(score) | {"mark": baseline, "ends": ("0", "100\xa0%")},
        "mark": None if baseline is None else ("always predicting the most common class", formats.percent(baseline)),
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
    """Return the captions of heat maps of the predicted class and, for errors, of the true class.

    Args:
        predicted: Predictions of a split.
        rows: int64 ``(K,)``; the images.
        targets: int64 ``(K, 2)``, explained outputs, -1 for none; see `opsin.evaluation.explained`.
        classes: Class names.
    """
    each: list[list[Words]] = []
    for first, second in targets.tolist():
        wrong = second >= 0
        asked: list[Words] = [(("Evidence for ", False), (classes[first], True), (" (predicted)" * wrong, False))]
        if wrong:
            asked.append((("Evidence for ", False), (classes[second], True), (" (true class)", False)))
        each.append(asked)
    return Questions(
        "For errors, the upper row explains the predicted class and the lower row the true class.",
        "opposes",
        "supports",
        "the class",
        "supports the class",
        "the score",
        "The maps explain the logit of one class, its score before softmax.",
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
