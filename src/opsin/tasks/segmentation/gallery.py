"""Which masks a report shows, from the worst to the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.segmentation import confusion_matrices, image_dice
from opsin.tasks.segmentation.predictions import SegmentationMasks


def select_masks(masks: NDArray[np.uint8], predictions: SegmentationMasks, limit: int = 36) -> NDArray[np.int64]:
    """Choose the worst images, and of the others evenly spread ones up to the best.

    Args:
        masks: uint8 ``(N, H, W)``, the true classes.
        predictions: Of the same N images.
        limit: The number of places; two thirds are for the worst.

    Returns:
        int64 ``(min(limit, N),)``; rows by rising Dice, images that are void throughout left out.
    """
    scores = image_dice(confusion_matrices(masks, predictions.labels, predictions.classes))
    order = np.argsort(scores, kind="stable")[: int((~np.isnan(scores)).sum())]
    worst = min(len(order), 2 * limit // 3)
    spread = np.linspace(worst, len(order) - 1, min(limit - worst, len(order) - worst)).round().astype(np.int64)
    return order[np.concatenate([np.arange(worst), spread]).astype(np.int64)]
