"""The scorecard of segmentation: every score of masks on a split, each with the interval that suits it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.metrics import segmentation as metrics
from opsin.metrics.classification import ClassCounts, class_counts, mean_of_known
from opsin.metrics.segmentation import confusion_matrices, image_dice
from opsin.statistics.bootstrap import Interval, bca, bootstrap, bounded
from opsin.statistics.clusters import group_method, membership_of
from opsin.statistics.means import mean_terms, means_of
from opsin.tasks.segmentation.predictions import SegmentationMasks

# Means over images, of the whole image and of each class in it.
OVERALL = ("dice", "iou", "boundary_f", "checkerboard")
PER_CLASS = ("dice", "boundary_f")


def score_masks(
    predictions: SegmentationMasks,
    masks: NDArray[np.uint8],
    classes: Sequence[str],
    groups: NDArray[Any] | None = None,
    positive: str | None = None,
) -> dict[str, Interval]:
    """Score predicted masks, each score with its 95 % interval.

    Intervals come from drawing whole images (BCa bootstrap), or with groups whole groups, as pixels of one image and
    images of one patient resemble each other.

    Args:
        predictions: Of N images.
        masks: uint8 ``(N, H, W)``, the true classes, `VOID` among them.
        classes: Names of the C classes.
        groups: ``(N,)`` names of what images were taken from (patient, slide, video), or None.
        positive: Of no effect: of two classes the second is the one that is looked for.

    Returns:
        ``dice``, ``iou`` and ``boundary_f`` (means over images of the mean of the classes in each), ``mean_iou`` and
        ``pixel_accuracy`` (from the pixels of all images together), ``checkerboard`` (mean over images); then of each
        class ``dice/NAME`` and ``boundary_f/NAME`` (means over the images that have it in truth or prediction) and
        ``iou/NAME`` (of the pixels of all images). Of two classes means are of the second alone, and an image that has
        it in neither mask scores 1; of more, such a class does not count in that image.

    Raises:
        ValueError: There are no images, or the lengths differ.
    """
    number = len(masks)
    if not number == len(predictions) > 0 or (groups is not None and len(groups) != number):
        raise ValueError(f"{len(predictions)} predictions cannot be scored against {number} masks and their groups")
    membership = membership_of(groups)
    confusion = metrics.confusion_matrices(masks, predictions.labels, len(classes))
    means = image_scores(predictions, masks, confusion)
    terms = sparse.csr_array(np.concatenate([mean_terms(means), pixel_terms(confusion)], axis=1))
    terms = terms if membership is None else sparse.csr_array(membership @ terms)
    columns = means.shape[1]

    def scores_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([means_of(sums[..., : 2 * columns]), pixel_scores(sums[..., 2 * columns :])], axis=-1)

    result = bootstrap(terms, scores_of)
    names = [*OVERALL, *(f"{kind}/{name}" for kind in PER_CLASS for name in classes)]
    names += ["pixel_accuracy", "mean_iou", *(f"iou/{name}" for name in classes)]
    images, units = _support(means, confusion, terms)
    lows, highs = bca(result, units=units)
    method = "BCa over images" if membership is None else group_method(terms.shape[0])
    # A checkerboard that is in no image is no proportion that further images could be expected to change.
    still = names.index("checkerboard")
    lows[still], highs[still] = (np.nan_to_num(bound[still], nan=result.values[still]) for bound in (lows, highs))
    found = {
        name: bounded(float(result.values[at]), lows[at], highs[at], method, int(images[at]), float(units[at]))
        for at, name in enumerate(names)
    }
    return {name: found[name] for name in _in_order(classes)}


def image_scores(
    predictions: SegmentationMasks, masks: NDArray[np.uint8], confusion: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the scores of each image, float64 ``(N, 4 + 2 C)``, nan where there is none.

    In the order of `OVERALL`, then of `PER_CLASS`, each for all classes.
    """
    classes = confusion.shape[-1]
    empty, counted = metrics.empty_score(classes), metrics.counted_classes(classes)
    known = confusion.sum(axis=(1, 2)) > 0
    dice = np.where(known[:, None], metrics.dice(confusion, empty), np.nan)
    boundary = metrics.boundary_f(masks, predictions.labels, classes, empty=empty)
    overall = [
        metrics.image_dice(confusion),
        metrics.image_iou(confusion),
        mean_of_known(boundary[:, counted]),
        metrics.checkerboard(certainty_maps(predictions)),
    ]
    return np.concatenate([np.stack(overall, axis=1), dice, boundary], axis=1)


def certainty_maps(predictions: SegmentationMasks) -> NDArray[np.float32]:
    """Return the maps in which a checkerboard is looked for, float32 ``(N, H, W)``.

    Of two classes they are the probability of the second, of more that of the predicted class.
    """
    return predictions.foreground() if predictions.classes == 2 else (predictions.confidence / 255).astype(np.float32)


def pixel_terms(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what images add to the hits, the support and the predictions of each class, ``(N, 3 C)``."""
    counts = class_counts(confusion)
    return np.concatenate([counts.hits, counts.support, counts.predicted], axis=1).astype(np.float64)


def pixel_scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return pixel accuracy, mean IoU and the IoU of each class, ``(..., 2 + C)``."""
    counts = ClassCounts(*np.split(sums, 3, axis=-1))
    each = metrics.iou(counts)
    overall = np.stack([metrics.pixel_accuracy(counts), mean_of_known(each)], axis=-1)
    return np.concatenate([overall, each], axis=-1)


def _support(
    means: NDArray[np.float64], confusion: NDArray[np.int64], terms: sparse.csr_array
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each score how many images, and how many units that are drawn, it is about."""
    images = len(means)
    shown = (confusion.sum(axis=1) + confusion.sum(axis=2)) > 0
    per_image = np.concatenate([(~np.isnan(means)).sum(axis=0), [images, images], shown.sum(axis=0)])
    sums, columns, classes = terms.toarray(), means.shape[1], confusion.shape[-1]
    drawn = sums[:, columns : 2 * columns] > 0
    pixels = sums[:, 2 * columns :].reshape(-1, 3, classes)
    holding = (pixels[:, 1] + pixels[:, 2]) > 0
    units = np.concatenate([drawn.sum(axis=0), [len(sums), len(sums)], holding.sum(axis=0)])
    return per_image, units


def _in_order(classes: Sequence[str]) -> list[str]:
    overall = ["dice", "iou", "mean_iou", "pixel_accuracy", "boundary_f", "checkerboard"]
    return overall + [f"{kind}/{name}" for name in classes for kind in ("dice", "iou", "boundary_f")]


def dice_of_masks(masks: NDArray[np.uint8], predictions: SegmentationMasks) -> NDArray[np.float64]:
    """Return the Dice of each mask, float64 ``(N,)``, nan where all of it is void; the mean is the score Dice."""
    return image_dice(confusion_matrices(masks, predictions.labels, predictions.classes))
