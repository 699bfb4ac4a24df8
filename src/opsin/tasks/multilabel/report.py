"""Headline, captions and heat-map questions of a multilabel report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import LabelTargets
from opsin.reporting import formats
from opsin.reporting.formats import percent
from opsin.reporting.run_report.captions import Caption, Captions
from opsin.reporting.run_report.headline import interval_places, written
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.questions import Questions, Words
from opsin.reporting.run_report.section import Section
from opsin.reporting.sections import ATTRIBUTIONS, CLOSING, DOMAIN_SHIFT, GALLERY, OPENING
from opsin.tasks.base import PredictedSplit
from opsin.tasks.multilabel import section_labels
from opsin.tasks.multilabel.predictions import LabelSets


def caption_labels(
    predicted: PredictedSplit[LabelTargets, LabelSets], rows: NDArray[np.int64], classes: Sequence[str]
) -> Captions:
    """Caption pictures by their true labels and by missed and false labels; see `caption_classes`."""
    each = []
    for row in rows.tolist():
        truth, given, chances = (
            predicted.targets.values[row],
            predicted.predictions.labels[row],
            predicted.predictions.probabilities[row],
        )
        has, said = ([name for at, name in enumerate(classes) if labels[at]] for labels in (truth, given))
        missed = [f"{classes[at]} ({percent(float(chances[at]), 0)})" for at in np.flatnonzero(truth & ~given).tolist()]
        false = [f"{classes[at]} ({percent(float(chances[at]), 0)})" for at in np.flatnonzero(given & ~truth).tolist()]
        parts = [f"missed {', '.join(missed)}"] * bool(missed) + [f"false positive {', '.join(false)}"] * bool(false)
        right = not parts
        words = ((", ".join(has) or "no label", True),)
        alt = f"true labels {', '.join(has) or 'none'}, predicted {', '.join(said) or 'none'}"
        detail = "; ".join(parts) or "all labels correct"
        each.append(Caption(right, words, detail, "\n".join(has), "\n".join(said), alt))
    return Captions(
        "Test images sorted by the predicted likelihood of their true labels, lowest first. The first ones show "
        "wrong labels, poor images and real weaknesses of the model.",
        "the least likely ones, then an even selection up to the most likely",
        each,
        list(classes),
    )


def head_of_labels(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the headline: mAP, and its chance level, the mean frequency of the labels.

    Arguments and result are those of `head_of_classification`.
    """
    predicted = page.predicted if split == "test" else page.validation
    frequency = None
    if predicted is not None and len(predicted):
        counts = predicted.targets.values.sum(axis=0)
        frequency = float(counts[counts > 0].mean() / len(predicted)) if counts.any() else None
    says = "the model reaches a mean average precision (mAP) of"
    return {
        **written(score, formats.score),
        "what": "mAP",
        "test": (says, ""),
        "validation": (says, f"on {formats.count(score['n'])} images"),
        "scale": interval_places(score) | {"mark": frequency, "ends": ("0", "1")},
        "mark": None if frequency is None else ("chance level", formats.score(frequency)),
    }


def ask_labels(
    predicted: PredictedSplit[LabelTargets, LabelSets],
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    classes: Sequence[str],
) -> Questions:
    """Return the captions of heat maps of the worst decision on each image and of a correct one; see `ask_classes`."""
    each: list[list[Words]] = []
    for row, outputs in zip(rows.tolist(), targets.tolist(), strict=True):
        asked: list[Words] = []
        for at in outputs:
            if at < 0:
                continue
            true, given = bool(predicted.targets.values[row, at]), bool(predicted.predictions.labels[row, at])
            chance = percent(float(predicted.predictions.probabilities[row, at]), 0)
            how = "" if true == given else f" (false positive, {chance})" if given else f" (missed, {chance})"
            asked.append(
                (("Evidence for " if given else "Evidence against ", False), (classes[at], True), (how, False))
            )
        each.append(asked)
    return Questions(
        "For errors, the upper row explains the worst wrong label and the lower row the most confident correct one.",
        "opposes",
        "supports",
        "the label",
        "supports the label",
        "the score",
        "The maps explain the logit of one label, its score before the sigmoid.",
        each,
    )


TEMPLATES = "opsin.tasks.multilabel"
OWN = (Section("labels", "Labels", section_labels.facts, TEMPLATES),)
SECTIONS = (*OPENING, *OWN, DOMAIN_SHIFT, GALLERY, ATTRIBUTIONS, *CLOSING)


class MultilabelReport:
    """See `opsin.reporting.task.TaskReport`."""

    sections = SECTIONS

    def headline(self, page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
        """See `TaskReport.headline`."""
        return head_of_labels(page, score, split)

    def captions(
        self, predicted: PredictedSplit[LabelTargets, LabelSets], rows: NDArray[np.int64], classes: Sequence[str]
    ) -> Captions:
        """See `TaskReport.captions`."""
        return caption_labels(predicted, rows, classes)

    def questions(
        self,
        predicted: PredictedSplit[LabelTargets, LabelSets],
        rows: NDArray[np.int64],
        outputs: NDArray[np.int64],
        classes: Sequence[str],
    ) -> Questions:
        """See `TaskReport.questions`."""
        return ask_labels(predicted, rows, outputs, classes)
