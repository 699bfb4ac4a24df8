"""Headline and captions of a segmentation's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.segmentation import confusion_matrices, image_dice, pixel_accuracy
from opsin.reporting import formats
from opsin.reporting.formats import percent
from opsin.reporting.run_report.captions import Caption, Captions
from opsin.reporting.run_report.headline import interval_places, written
from opsin.reporting.run_report.page import Page, Predicted


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


def head_of_segmentation(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the mean Dice of images in words; see `head_of_classification`."""
    one_class = len(page.classes) == 2
    what = page.classes[1] if one_class else "the classes"
    says = f"predicted and true masks of {what} agree with a Dice coefficient of"
    return {
        **written(score, formats.score),
        "what": "Dice",
        "test": (says, "on average over them"),
        "validation": (says, f"on average over {formats.count(score['n'])}"),
        "scale": interval_places(score) | {"mark": None, "ends": ("0", "1")},
        "mark": None,
    }
