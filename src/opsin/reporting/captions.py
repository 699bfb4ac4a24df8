"""What stands around and below the pictures of the gallery, one function for each task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.segmentation import confusion_matrices, image_dice, pixel_accuracy
from opsin.reporting import formats
from opsin.reporting.formats import percent
from opsin.reporting.run_report.page import Predicted


@dataclass(frozen=True)
class Caption:
    """What is said of one picture.

    Attributes:
        right: Whether the answer is right; None where answers are not right or wrong.
        words: Pieces of a line, each with whether it is emphasized.
        detail: A second line.
        truth: What is true, to be chosen by.
        guess: What was predicted, to be chosen by.
        alt: The picture in words.
    """

    right: bool | None
    words: tuple[tuple[str, bool], ...]
    detail: str
    truth: str
    guess: str
    alt: str


@dataclass(frozen=True)
class Captions:
    """What is said of the pictures of a gallery.

    Attributes:
        order: What comes first and last.
        chosen: Which images are shown.
        each: Of each picture.
        choices: What the pictures can be chosen by; none where there is nothing to choose.
    """

    order: str
    chosen: str
    each: list[Caption]
    choices: list[str]


def caption_classes(predicted: Predicted, rows: NDArray[np.int64], classes: Sequence[str]) -> Captions:
    """Caption pictures by their true and predicted classes.

    Args:
        predicted: Predictions of a split.
        rows: int64 ``(K,)``; those that have a picture, the worst first.
        classes: Class names.
    """
    labels, guesses, confidences = predicted.labels, predicted.result.labels, predicted.result.confidence
    each = []
    for row in rows.tolist():
        truth, guess = classes[labels[row]], classes[guesses[row]]
        sure = percent(float(confidences[row]))
        chance = percent(float(predicted.result.probabilities[row, labels[row]]))
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


def caption_values(predicted: Predicted, rows: NDArray[np.int64], classes: Sequence[str]) -> Captions:
    """Caption pictures by their true and predicted numbers; arguments as for `caption_classes`."""
    each = []
    for row in rows.tolist():
        truth, value = float(predicted.labels[row]), float(predicted.result.values[row])
        words = ((f"{truth:.4g}", True), (" predicted ", False), (f"{value:.4g}", True))
        error = abs(value - truth)
        detail = f"{error:.3g} too {'large' if value > truth else 'small'}" if error else "right"
        alt = f"true {classes[0]} {truth:.4g}, predicted {value:.4g}"
        each.append(Caption(None, words, detail, f"{truth:.4g}", f"{value:.4g}", alt))
    return Captions(
        f"Test images by how far the predicted {classes[0]} is off, the worst first. Look at the first ones: wrong "
        "values, bad pictures and real weaknesses gather there.",
        "the largest errors, then some spread evenly down to the smallest",
        each,
        [],
    )


def caption_masks(predicted: Predicted, rows: NDArray[np.int64], classes: Sequence[str]) -> Captions:
    """Caption pictures by how far their masks agree with the true ones; see `caption_classes`."""
    confusion = confusion_matrices(predicted.labels[rows], predicted.result.take(rows).labels, len(classes))
    each = [
        Caption(
            None,
            ((f"Dice {formats.score(float(dice))}", True),),
            f"{percent(float(right))} of the pixels right",
            "",
            "",
            f"image, true mask, predicted mask and errors side by side; Dice {formats.score(float(dice))}",
        )
        for dice, right in zip(image_dice(confusion), pixel_accuracy(confusion), strict=True)
    ]
    return Captions(
        "Test images by rising Dice. Look at the first ones: wrong masks, bad pictures and real weaknesses gather "
        "there.",
        "the worst, then some up to the best",
        each,
        [],
    )


def caption_labels(predicted: Predicted, rows: NDArray[np.int64], classes: Sequence[str]) -> Captions:
    """Caption pictures by their labels, and by those that were missed or given falsely; see `caption_classes`."""
    each = []
    for row in rows.tolist():
        truth, given, chances = predicted.labels[row], predicted.result.labels[row], predicted.result.probabilities[row]
        has, said = ([name for at, name in enumerate(classes) if labels[at]] for labels in (truth, given))
        missed = [f"{classes[at]} ({percent(float(chances[at]), 0)})" for at in np.flatnonzero(truth & ~given).tolist()]
        false = [f"{classes[at]} ({percent(float(chances[at]), 0)})" for at in np.flatnonzero(given & ~truth).tolist()]
        parts = [f"missed {', '.join(missed)}"] * bool(missed) + [f"falsely given {', '.join(false)}"] * bool(false)
        right = not parts
        words = ((", ".join(has) or "no label", True),)
        alt = f"true labels {', '.join(has) or 'none'}, predicted {', '.join(said) or 'none'}"
        detail = "; ".join(parts) or "all labels right"
        each.append(Caption(right, words, detail, "\n".join(has), "\n".join(said), alt))
    return Captions(
        "Test images by how unlikely the model found their labels, the most unlikely first. Look at the first ones: "
        "wrong labels, bad pictures and real weaknesses gather there.",
        "the most unlikely ones, then some spread evenly down to the surest",
        each,
        list(classes),
    )
