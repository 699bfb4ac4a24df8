"""The scorecard: every score of a classifier on a split, each with the interval that suits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.evaluation.group_pooling import group_labels, pool
from opsin.metrics.classification import (
    CALIBRATION_BINS,
    ClassCounts,
    accuracy,
    balanced_accuracy,
    calibration_bins,
    calibration_gaps,
    confusion_matrix,
    f1,
    largest_log_loss,
    log_losses,
    macro_f1,
    precision,
    recall,
)
from opsin.metrics.thresholds import average_precision_influence, roc_auc_influence
from opsin.statistics.bootstrap import Bootstrap, Interval, bca, bootstrap, bounded, mean_bounds, reflected, wilson
from opsin.statistics.clusters import group_method, membership_of
from opsin.statistics.ranking_intervals import ranking_intervals
from opsin.tasks.classification.predictions import Classifications

OVERALL = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "roc_auc",
    "average_precision",
    "log_loss",
    "calibration_error",
)
PER_CLASS = ("recall", "precision", "f1", "auc", "average_precision")
# Score of a class -> score of all of them, method of its interval, value and influences.
RANKINGS = {
    "auc": ("roc_auc", "DeLong", roc_auc_influence),
    "average_precision": ("average_precision", "jackknife", average_precision_influence),
}


def score(
    predictions: Classifications,
    labels: NDArray[np.int64],
    classes: Sequence[str],
    groups: NDArray[Any] | None = None,
    positive: str | None = None,
) -> dict[str, Interval]:
    """Score predictions, each score with its 95 % interval.

    Args:
        predictions: Of N images.
        labels: int64 ``(N,)``, the true classes.
        classes: Names of the C classes.
        groups: ``(N,)`` names of what images were taken from (patient, slide, video). With groups every interval
            comes from drawing whole groups, as images of one group resemble each other. Left out, or where each image
            is a group of its own: Wilson for accuracy, recall and precision, BCa for F1 and the log loss, the wider of
            both for the balanced accuracy, DeLong for the area under the ROC curve, the jackknife for the average
            precision, and the reflected bootstrap for the calibration error.
        positive: Of two classes, the one that ``average_precision`` is about; left out, the last. Of more classes the
            mean over all of them is taken, each against the rest.

    Returns:
        ``accuracy``, ``balanced_accuracy``, ``macro_f1``, ``roc_auc``, ``average_precision``, ``log_loss``,
        ``calibration_error``, then ``recall/NAME``, ``precision/NAME``, ``f1/NAME``, ``auc/NAME`` and
        ``average_precision/NAME`` of each class. A score that a class has not enough images for is nan between 0 and 1.
        Where the images of every group are of one class, ``group_accuracy`` follows the overall scores: the part of the
        groups whose class is that of the mean of their images' probabilities, with Wilson's interval.

    Raises:
        ValueError: There are no images, or the lengths differ.
    """
    if not len(labels) == len(predictions) > 0 or (groups is not None and len(groups) != len(labels)):
        raise ValueError(
            f"{len(predictions)} predictions cannot be scored against {len(labels)} labels and their groups"
        )
    membership = membership_of(groups)
    loss, calibration = score_probabilities(predictions, labels, groups)
    predicted = predictions.labels
    if membership is None:
        scores = _by_image(confusion_matrix(labels, predicted, len(classes)), classes)
    else:
        scores = _by_group(labels, predicted, classes, membership)
    scores |= {"log_loss": loss, "calibration_error": calibration}
    for kind, (mean_name, method, influence) in RANKINGS.items():
        kinds = (labels == index for index in range(len(classes)))
        each, mean = ranking_intervals(influence, kinds, predictions.probabilities.T, method, membership)
        scores |= {f"{kind}/{name}": interval for name, interval in zip(classes, each, strict=True)}
        scores[mean_name] = scores[f"{kind}/{positive or classes[-1]}"] if len(classes) == 2 else mean
    by_group = None if groups is None or membership is None else score_groups(predictions, labels, groups)
    if by_group is not None:
        scores["group_accuracy"] = by_group
    overall = [*OVERALL, *(["group_accuracy"] if by_group else [])]
    return {name: scores[name] for name in [*overall, *(f"{kind}/{name}" for name in classes for kind in PER_CLASS)]}


def score_groups(predictions: Classifications, labels: NDArray[np.int64], groups: NDArray[Any]) -> Interval | None:
    """Return the accuracy of groups, each named by the mean of its images' probabilities.

    Args:
        predictions: Of N images.
        labels: int64 ``(N,)``.
        groups: ``(N,)``.

    Returns:
        None where the images of a group are of several classes.
    """
    common = group_labels(labels, groups)
    if common is None:
        return None
    right = int((pool(predictions, groups)[1].labels == common).sum())
    return replace(wilson(right, len(common)), method=f"Wilson over {len(common)} group{'s' * (len(common) != 1)}")


def _by_image(confusion: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Interval]:
    """Intervals of the scores of a confusion matrix whose images were drawn one by one."""
    counts = ClassCounts(np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0))
    true, predicted = np.nonzero(confusion)
    result = bootstrap(confusion_terms(true, predicted, len(classes)), _confusion_scores, confusion[true, predicted])
    lows, highs = bca(result)

    def interval(index: int, n: int, alike: float) -> Interval:
        return bounded(float(result.values[index]), lows[index], highs[index], "BCa", n, alike)

    images = int(confusion.sum())
    recalls = [wilson(hits, support) for hits, support in zip(counts.hits, counts.support, strict=True)]
    # Where all images of a rare class happen to be right, resamples know of no others; the class's own interval does.
    low, high = mean_bounds([each for each in recalls if each.n])
    low, high = float(np.fmin(low, lows[1])), float(np.fmax(high, highs[1]))
    with_images = counts.support[counts.support > 0]
    # A mean over classes is as sure as its rarest ones: images that would give a plain proportion the same variance.
    alike = len(with_images) ** 2 / (1 / with_images).sum()
    scores = {
        "accuracy": wilson(counts.hits.sum(), images),
        "balanced_accuracy": Interval(float(result.values[1]), low, high, "BCa and Wilson", images),
        "macro_f1": interval(2, images, alike),
    }
    for index, name in enumerate(classes):
        support, taken = int(counts.support[index]), int(counts.predicted[index])
        scores[f"recall/{name}"] = recalls[index]
        found = wilson(counts.hits[index], taken)
        scores[f"precision/{name}"] = found if taken else Interval(0.0, found.low, found.high, "never predicted", 0)
        scores[f"f1/{name}"] = interval(3 + 2 * len(classes) + index, support, max(support, taken))
    return scores


def _by_group(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[str], membership: sparse.csr_array
) -> dict[str, Interval]:
    """Intervals of the scores of a confusion matrix whose images were drawn in groups."""
    number = len(classes)
    terms = sparse.csr_array(membership @ confusion_terms(labels, predicted, number))
    result = bootstrap(terms, _confusion_scores)
    # A class found in few of the groups is as unsure as those few.
    holding = terms.toarray().reshape(-1, 3, number) > 0
    support, taken = holding[:, 1].sum(axis=0), holding[:, 2].sum(axis=0)
    either = (holding[:, 1] | holding[:, 2]).sum(axis=0)
    units = np.concatenate([np.full(3, terms.shape[0]), support, taken, either])
    images = np.bincount(labels, minlength=number)
    images = np.concatenate([np.full(3, len(labels)), images, np.bincount(predicted, minlength=number), images])
    lows, highs = bca(result, units=units)
    names = [*OVERALL[:3], *(f"{kind}/{name}" for kind in PER_CLASS[:3] for name in classes)]
    scores = {}
    for index, name in enumerate(names):
        # Never predicted: a precision of 0 by convention, of which the resamples say nothing.
        value = 0.0 if name.startswith("precision/") and not units[index] else float(result.values[index])
        method = group_method(int(units[index]))
        scores[name] = bounded(value, lows[index], highs[index], method, int(images[index]), float(units[index]))
    return scores


def confusion_terms(true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> sparse.csr_array:
    """Return what images add to the hits, the support and the predictions of each class, sparse ``(U, 3 C)``."""
    units = np.arange(len(true))
    hit = true == predicted
    rows = np.concatenate([units[hit], units, units])
    columns = np.concatenate([true[hit], true + classes, predicted + 2 * classes])
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(true), 3 * classes))


def _confusion_scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores ``(..., 3 + 3 C)`` of sums ``(..., 3 C)``: three overall, then recalls, precisions, F1s."""
    counts = ClassCounts(*np.split(sums, 3, axis=-1))
    overall = np.stack([accuracy(counts), balanced_accuracy(counts), macro_f1(counts)], axis=-1)
    # A resample in which a class is never predicted says nothing of its precision, least of all that it is 0.
    known = np.where(counts.predicted > 0, precision(counts), np.nan)
    return np.concatenate([overall, recall(counts), known, f1(counts)], axis=-1)


def score_probabilities(
    predictions: Classifications, labels: NDArray[np.int64], groups: NDArray[Any] | None = None
) -> tuple[Interval, Interval]:
    """Return log loss and calibration error with their intervals; arguments as for `score`."""
    membership = membership_of(groups)
    terms = probability_terms(labels, predictions)
    if membership is not None:
        terms = sparse.csr_array(membership @ terms)
    result = bootstrap(terms, loss_and_calibration)
    units = terms.shape[0]
    loss_low, loss_high = (bound[0] for bound in bca(result))
    chances, bins = predictions.confidence.astype(np.float64), calibration_bins(predictions.confidence)
    variances = np.bincount(bins, weights=chances * (1 - chances), minlength=CALIBRATION_BINS)
    low, high = _calibration_bounds(result, terms, variances.astype(np.float64))
    grouped = "" if membership is None else group_method(units)
    most = largest_log_loss(predictions.probabilities.dtype)
    loss, error = (float(value) for value in result.values)
    return (
        bounded(loss, loss_low, loss_high, grouped or "BCa", len(labels), units, most),
        bounded(error, low, high, grouped or "reflected bootstrap", len(labels), units),
    )


def probability_terms(labels: NDArray[np.int64], predictions: Classifications) -> sparse.csr_array:
    """Return what images add to their number, the losses, and the gaps of each bin, sparse ``(N, 2 + bins)``."""
    images = np.arange(len(labels))
    losses = log_losses(labels, predictions.probabilities)
    gaps = calibration_gaps(labels, predictions.probabilities)
    bins = calibration_bins(predictions.confidence)
    columns = np.concatenate([np.zeros_like(bins), np.ones_like(bins), 2 + bins])
    values = np.concatenate([np.ones(len(labels)), losses, gaps])
    return sparse.csr_array((values, (np.tile(images, 3), columns)), shape=(len(labels), 2 + CALIBRATION_BINS))


def loss_and_calibration(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log loss and calibration error ``(..., 2)`` of sums of ones, losses, and gaps in each bin ``(..., 2 + bins)``."""
    n, loss, gaps = sums[..., 0], sums[..., 1], np.abs(sums[..., 2:]).sum(axis=-1)
    return np.stack([loss, gaps], axis=-1) / np.where(n > 0, n, np.nan)[..., None]


def _calibration_bounds(
    result: Bootstrap, terms: sparse.csr_array, variances: NDArray[np.float64]
) -> tuple[float, float]:
    """Bounds of the calibration error: the reflected bootstrap, from 0 where probabilities may be perfect.

    An estimate that cannot be negative has no resamples near 0 even where the truth is 0. Whether it is 0 is asked
    directly: the gaps of perfect probabilities sum up to about normal values of mean 0, with the covariance that is
    seen between groups, and at least the ``variances`` ``(bins,)`` that follow from the probabilities themselves.
    """
    low, high = (bound[1] for bound in reflected(result))
    gaps = terms[:, 2:].toarray()
    covariance = gaps.T @ gaps
    covariance += np.diag(np.maximum(variances - np.diagonal(covariance), 0))
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(0).standard_normal((len(result.resampled), len(values)))
    perfect = np.abs(normal * np.sqrt(np.clip(values, 0, None)) @ vectors.T).sum(axis=1) / terms[:, [0]].sum()
    return (0.0 if result.values[1] <= np.quantile(perfect, 0.975) else max(low, 0.0)), min(high, 1.0)


def right_classes(labels: NDArray[np.int64], predictions: Classifications) -> NDArray[np.bool_]:
    """Return which images are given their class, bool ``(N,)``; the mean is the accuracy."""
    right: NDArray[np.bool_] = predictions.labels == labels
    return right
