"""Headline and captions of a segmentation report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import DecodedMasks
from opsin.metrics.segmentation import confusion_matrices, image_dice, pixel_accuracy
from opsin.reporting import formats
from opsin.reporting.formats import percent
from opsin.reporting.run_report.captions import Caption, Captions
from opsin.reporting.run_report.headline import interval_places, written
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.questions import Questions
from opsin.reporting.run_report.section import Section
from opsin.reporting.sections import DOMAIN_SHIFT, NETWORK, OPENING, REPRODUCE, TRAINING
from opsin.tasks.base import PredictedSplit
from opsin.tasks.segmentation import section_masks, section_pixels
from opsin.tasks.segmentation.predictions import SegmentationMasks


def caption_masks(
    predicted: PredictedSplit[DecodedMasks, SegmentationMasks], rows: NDArray[np.int64], classes: Sequence[str]
) -> Captions:
    """Caption pictures by the agreement of predicted and true masks; see `caption_classes`."""
    confusion = confusion_matrices(
        predicted.targets.values[rows], predicted.predictions.take(rows).labels, len(classes)
    )
    each = [
        Caption(
            None,
            ((f"Dice {formats.score(float(dice))}", True),),
            f"{percent(float(right))} of the pixels correct",
            "",
            "",
            f"image, true mask, predicted mask and errors side by side; Dice {formats.score(float(dice))}",
        )
        for dice, right in zip(image_dice(confusion), pixel_accuracy(confusion), strict=True)
    ]
    return Captions(
        "Test images sorted by Dice, lowest first. The first ones show wrong masks, poor images and real "
        "weaknesses of the model.",
        "the worst, then a selection up to the best",
        each,
        [],
    )


def head_of_segmentation(page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
    """Return the headline: the mean Dice over images; see `head_of_classification`."""
    one_class = len(page.classes) == 2
    what = page.classes[1] if one_class else "all classes"
    says = f"the predicted masks of {what} reach a mean Dice of"
    return {
        **written(score, formats.score),
        "what": "Dice",
        "test": (says, ""),
        "validation": (says, f"on {formats.count(score['n'])} images"),
        "scale": interval_places(score) | {"mark": None, "ends": ("0", "1")},
        "mark": None,
    }


TEMPLATES = "opsin.tasks.segmentation"
PIXELS = Section("pixels", "Pixels", section_pixels.facts, TEMPLATES)
MASKS = Section("masks", "Masks", section_masks.facts, TEMPLATES)
SECTIONS = (*OPENING, PIXELS, DOMAIN_SHIFT, MASKS, TRAINING, NETWORK, REPRODUCE)


class SegmentationReport:
    """See `opsin.reporting.task.TaskReport`."""

    sections = SECTIONS

    def headline(self, page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
        """See `TaskReport.headline`."""
        return head_of_segmentation(page, score, split)

    def captions(
        self,
        predicted: PredictedSplit[DecodedMasks, SegmentationMasks],
        rows: NDArray[np.int64],
        classes: Sequence[str],
    ) -> Captions:
        """See `TaskReport.captions`."""
        return caption_masks(predicted, rows, classes)

    def questions(
        self,
        predicted: PredictedSplit[DecodedMasks, SegmentationMasks],
        rows: NDArray[np.int64],
        outputs: NDArray[np.int64],
        classes: Sequence[str],
    ) -> Questions:
        """See `TaskReport.questions`."""
        raise NotImplementedError("segmentation has no heat maps")
