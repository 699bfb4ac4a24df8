"""Segmentation scores as pure functions of masks.

A mask holds a class index per pixel, or `VOID` for unlabeled pixels, which are ignored. Dice, IoU and pixel accuracy
are functions of the confusion matrix of the pixels, of one image or of a whole dataset.

Empty masks: the score of a class that occurs in neither the true nor the predicted mask of an image is ``empty``, an
argument of each function. 1 counts a correct empty prediction as perfect, which suits a single foreground class; nan
excludes the image from the mean of the class, which suits many classes. A class in only one of the two masks scores 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.metrics import classification
from opsin.metrics.classification import ClassCounts, mean_of_known

VOID = 255
BOUNDARY_TOLERANCE = 2.0  # pixels
SMALLEST_MAP = 32  # pixels; shorter sides cannot resolve a period of two pixels in the spectrum


def confusion_matrices(truth: NDArray[Any], predicted: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Confusion matrix of the pixels of each image.

    Args:
        truth: Integers ``(N, H, W)`` in ``[0, classes)``, or `VOID` for ignored pixels.
        predicted: Integers ``(N, H, W)`` in ``[0, classes)``.
        classes: Number of classes.

    Returns:
        int64 ``(N, C, C)``; rows are true classes, columns predicted ones. Their sum over the first axis is the
        confusion matrix of the dataset.

    Raises:
        ValueError: The shapes differ or a class is out of range.
    """
    if truth.shape != predicted.shape or truth.ndim != 3:
        raise ValueError(f"masks must both be (N, H, W), not {truth.shape} and {predicted.shape}")
    counts = np.zeros((len(truth), classes, classes), np.int64)
    for index, (true, found) in enumerate(zip(truth, predicted, strict=True)):
        known = true != VOID
        counts[index] = classification.confusion_matrix(true[known], found[known], classes)
    return counts


def dice(confusion: NDArray[Any] | ClassCounts, empty: float = np.nan) -> NDArray[np.float64]:
    """Dice coefficient of each class: 2 |A ∩ B| / (|A| + |B|) (Dice 1945), the F1 of its pixels.

    Args:
        confusion: ``(..., C, C)``, of one image or of many, or its sums.
        empty: Score of a class that occurs in neither mask.

    Returns:
        float64 ``(..., C)`` in [0, 1].
    """
    return _filled(classification.f1(confusion), empty)


def iou(confusion: NDArray[Any] | ClassCounts, empty: float = np.nan) -> NDArray[np.float64]:
    """Intersection over union of each class, |A ∩ B| / |A ∪ B| (Jaccard 1912); arguments and result as for `dice`."""
    overlap = classification.f1(confusion)
    return _filled(overlap / (2 - overlap), empty)


def mean_iou(confusion: NDArray[Any] | ClassCounts) -> NDArray[np.float64]:
    """Mean IoU of the classes that occur in truth or prediction, float64 ``(...)``.

    For the confusion matrix of a whole dataset, this is the mIoU of PASCAL VOC (Everingham et al. 2010), which differs
    from the mean of the images' mean IoUs.

    Args:
        confusion: ``(..., C, C)``.
    """
    return mean_of_known(iou(confusion))


def counted_classes(classes: int) -> slice:
    """Return the classes in the mean of an image: the foreground of two classes, else all."""
    return slice(1, 2) if classes == 2 else slice(None)


def empty_score(classes: int) -> float:
    """Return the score of a class that occurs in neither mask: 1 for two classes, nan (ignored) for more."""
    return 1.0 if classes == 2 else np.nan


def image_dice(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Dice of each image: mean over the classes (`counted_classes`, `empty_score`), float64 ``(...)``."""
    return _image_mean(dice, confusion)


def image_iou(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """IoU of each image, as `image_dice`."""
    return _image_mean(iou, confusion)


def _image_mean(score: Callable[..., NDArray[np.float64]], confusion: NDArray[Any]) -> NDArray[np.float64]:
    classes = confusion.shape[-1]
    scores = score(confusion, empty_score(classes))[..., counted_classes(classes)]
    # An entirely void image has no score, regardless of the rule for empty masks.
    return np.where(confusion.sum(axis=(-2, -1)) > 0, mean_of_known(scores), np.nan)


def pixel_accuracy(confusion: NDArray[Any] | ClassCounts) -> NDArray[np.float64]:
    """Fraction of pixels classified correctly, float64 ``(...)``; nan if all are void."""
    return classification.accuracy(confusion)


def boundary_f(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    classes: int,
    tolerance: float = BOUNDARY_TOLERANCE,
    empty: float = np.nan,
) -> NDArray[np.float64]:
    """F-score of the boundaries of each class in each image (Csurka et al. 2013, What is a good evaluation measure?).

    Precision is the fraction of predicted boundary pixels within the tolerance of a true one, recall the fraction of
    true boundary pixels within the tolerance of a predicted one; the score is their harmonic mean. If a class fills
    both masks completely, there is no boundary and the score is 1. Void pixels are first assigned the class of the
    nearest labeled pixel: for objects with a void border, as in PASCAL VOC, the true boundary is its center line.

    Args:
        truth: Integers ``(N, H, W)`` in ``[0, classes)`` or `VOID`.
        predicted: Integers ``(N, H, W)`` in ``[0, classes)``.
        classes: Number of classes.
        tolerance: Maximum distance of matching boundary pixels, in pixels.
        empty: Score of a class that occurs in neither mask.

    Returns:
        float64 ``(N, C)`` in [0, 1]; nan for an entirely void image.
    """
    scores = np.full((len(truth), classes), np.nan)
    for index, (true, found) in enumerate(zip(truth, predicted, strict=True)):
        if not (true != VOID).any():
            continue
        true = without_void(true)
        for name in range(classes):
            scores[index, name] = _boundary_f(true == name, found == name, tolerance, empty)
    return scores


def _boundary_f(truth: NDArray[np.bool_], predicted: NDArray[np.bool_], tolerance: float, empty: float) -> float:
    if not truth.any() and not predicted.any():
        return empty
    true, found = boundary(truth), boundary(predicted)
    if not true.any() and not found.any():
        return float((truth == predicted).all())
    precision = (found & _grown(true, tolerance)).sum() / max(found.sum(), 1)
    recall = (true & _grown(found, tolerance)).sum() / max(true.sum(), 1)
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def threshold_curve(truth: NDArray[Any], foreground: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
    """Scores of a binary segmentation at each threshold of the foreground probability.

    Args:
        truth: Integers ``(N, H, W)``: 0, 1 or `VOID`.
        foreground: float ``(N, H, W)`` in [0, 1].

    Returns:
        float64 ``(101,)`` each: ``threshold`` (0, 0.01, ... 1), ``dice`` (mean over images, 1 if both masks are
        empty), ``precision`` and ``recall`` (of all pixels, nan if nothing is predicted or true) and ``area`` (fraction
        of pixels predicted as foreground).
    """
    steps = 101
    hits, found, true = np.zeros((3, len(truth), steps))
    for index, (mask, chance) in enumerate(zip(truth, foreground, strict=True)):
        known = mask != VOID
        # A pixel is foreground for all thresholds up to its probability.
        last = np.floor(chance[known].astype(np.float64) * 100 + 1e-6).astype(np.int64)
        for counts, some in ((hits, last[mask[known] == 1]), (found, last)):
            counts[index] = np.bincount(some, minlength=steps)[::-1].cumsum()[::-1]
        true[index] = (mask[known] == 1).sum()
    both = found + true
    dice = np.divide(2 * hits, both, out=np.ones_like(hits), where=both > 0)
    total_hits, total_found, total_true = (values.sum(axis=0) for values in (hits, found, true))
    pixels = max(int((truth != VOID).sum()), 1)
    return {
        "threshold": np.arange(steps) / 100,
        "dice": dice.mean(axis=0),
        "precision": np.divide(total_hits, total_found, out=np.full(steps, np.nan), where=total_found > 0),
        "recall": np.divide(total_hits, total_true, out=np.full(steps, np.nan), where=total_true > 0),
        "area": total_found / pixels,
    }


def boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of a mask, bool ``(H, W)``, with a 4-neighbor outside it.

    The edge of the image is not a boundary of an object cut off there.
    """
    padded = np.pad(mask, 1, mode="edge")
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inside


def _grown(mask: NDArray[np.bool_], distance: float) -> NDArray[np.bool_]:
    """Return the pixels within a Euclidean distance of a mask, bool ``(H, W)``."""
    reach = int(distance)
    height, width = mask.shape
    padded = np.pad(mask, reach)
    grown = np.zeros_like(mask)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if down**2 + right**2 <= distance**2:
                grown |= padded[reach + down : reach + down + height, reach + right : reach + right + width]
    return grown


def without_void(mask: NDArray[Any]) -> NDArray[Any]:
    """Return a mask ``(H, W)`` with the class of the nearest labeled pixel at each void pixel."""
    void = mask == VOID
    if not void.any() or void.all():
        return mask
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(void, return_distances=False, return_indices=True)
    result: NDArray[Any] = mask[tuple(nearest)]
    return result


def checkerboard(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Checkerboard score: the fraction of a map's variance with a period of exactly two pixels.

    Where the kernels of a transposed convolution of stride 2 overlap unevenly, neighboring pixels have different
    gains (Odena et al. 2016, Deconvolution and Checkerboard Artifacts), which repeats the map's low frequencies around
    the Nyquist frequency (1/2 cycle per pixel) of rows, of columns and of both. Natural spectra decay towards that
    frequency. The score is therefore the energy around the three Nyquist points, minus the energy in squares of equal
    size at slightly lower frequencies, clipped at 0, divided by the total energy without the mean. A Hann window
    suppresses the borders.

    Args:
        maps: float ``(N, H, W)``: probabilities, logits, or masks of one class; the scale does not matter.

    Returns:
        float64 ``(N,)`` in [0, 1]: 0 for smooth and empty maps, almost 1 for a pure checkerboard. Sharp objects of a
        few pixels score about 0.003. nan for maps with a side under 32 pixels.
    """
    number, height, width = maps.shape
    if min(height, width) < SMALLEST_MAP:
        return np.full(number, np.nan)
    window = np.hanning(height)[:, None] * np.hanning(width)
    scores = np.zeros(number)
    for index, values in enumerate(maps.astype(np.float64)):
        values = (values - (values * window).sum() / window.sum()) * window
        energy = np.abs(np.fft.fft2(values)) ** 2
        total = energy.sum()
        if total > 0:
            scores[index] = max(0.0, _excess_at_nyquist(energy)) / total
    return scores


def _excess_at_nyquist(energy: NDArray[np.float64]) -> float:
    """Return the energy around the Nyquist points minus that in squares of equal size at lower frequencies."""
    rows, columns = (np.abs(np.fft.fftfreq(side)) for side in energy.shape)
    # Frequency bands in cycles per pixel, 1/16 wide: around 0, at the Nyquist frequency, and just below it.
    low, high, below = (lambda f: f <= 1 / 16), (lambda f: f > 7 / 16), (lambda f: (f > 6 / 16) & (f <= 7 / 16))

    def inside(row_band: NDArray[np.bool_], column_band: NDArray[np.bool_]) -> float:
        return float(energy[np.ix_(row_band, column_band)].sum())

    excess = inside(high(rows), low(columns)) - inside(below(rows), low(columns))
    excess += inside(low(rows), high(columns)) - inside(low(rows), below(columns))
    return excess + inside(high(rows), high(columns)) - inside(below(rows), below(columns))


def _filled(scores: NDArray[np.float64], empty: float) -> NDArray[np.float64]:
    return np.where(np.isnan(scores), empty, scores)
