"""Headline, captions and heat-map questions of a multilabel report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.reporting import formats
from opsin.reporting.formats import percent
from opsin.reporting.run_report.captions import Caption, Captions
from opsin.reporting.run_report.headline import interval_places, written
from opsin.reporting.run_report.page import Page, Predicted
from opsin.reporting.run_report.questions import Questions, Words


def caption_labels(predicted: Predicted, rows: NDArray[np.int64], classes: Sequence[str]) -> Captions:
    """Caption pictures by their true labels and by missed and false labels; see `caption_classes`."""
    each = []
    for row in rows.tolist():
        truth, given, chances = predicted.labels[row], predicted.result.labels[row], predicted.result.probabilities[row]
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
    if predicted is not None and len(predicted.labels):
        counts = predicted.labels.sum(axis=0)
        frequency = float(counts[counts > 0].mean() / len(predicted.labels)) if counts.any() else None
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
    predicted: Predicted, rows: NDArray[np.int64], targets: NDArray[np.int64], classes: Sequence[str]
) -> Questions:
    """Return the captions of heat maps of the worst decision on each image and of a correct one; see `ask_classes`."""
    each: list[list[Words]] = []
    for row, outputs in zip(rows.tolist(), targets.tolist(), strict=True):
        asked: list[Words] = []
        for at in outputs:
            if at < 0:
                continue
            true, given = bool(predicted.labels[row, at]), bool(predicted.result.labels[row, at])
            chance = percent(float(predicted.result.probabilities[row, at]), 0)
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
