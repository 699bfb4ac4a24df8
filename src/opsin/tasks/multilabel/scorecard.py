"""The scorecard of several labels per image: mAP and the scores of each label on a split, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.metrics.classification import ClassCounts, f1, macro_f1, precision, recall
from opsin.metrics.thresholds import average_precision_influence, roc_auc_influence
from opsin.statistics.bootstrap import Interval, bca, bootstrap, bounded, wilson
from opsin.statistics.clusters import group_method, membership_of
from opsin.statistics.ranking_intervals import ranking_intervals
from opsin.tasks.multilabel.predictions import LabelSets

OVERALL = ("map", "mean_auc", "macro_f1", "exact_match")
PER_LABEL = ("average_precision", "auc", "f1", "recall", "precision")
# Score of a label -> mean over all labels, method of its interval, value and influences.
RANKINGS = {
    "average_precision": ("map", "jackknife", average_precision_influence),
    "auc": ("mean_auc", "DeLong", roc_auc_influence),
}


def score(
    predictions: LabelSets,
    labels: NDArray[np.bool_],
    classes: Sequence[str],
    groups: NDArray[Any] | None = None,
    positive: str | None = None,
) -> dict[str, Interval]:
    """Score predictions, each score with its 95 % interval.

    Args:
        predictions: Of N images; its labels are those that reach their thresholds.
        labels: bool ``(N, L)``, the true ones.
        classes: Names of the L labels.
        groups: ``(N,)`` names of what images were taken from; whole groups are then drawn. Left out, or where each
            image is a group of its own: the jackknife for average precisions, DeLong for areas under the ROC curve,
            Wilson for exact match, recall and precision, BCa for F1.
        positive: Has no meaning here.

    Returns:
        ``map``, ``mean_auc``, ``macro_f1`` and ``exact_match``, then ``average_precision/NAME``, ``auc/NAME``,
        ``f1/NAME``, ``recall/NAME`` and ``precision/NAME`` of each label. A score that a label has not the images for
        is nan between 0 and 1 and does not enter the mean.

    Raises:
        ValueError: There are no images, or the lengths differ.
    """
    if not len(labels) == len(predictions) > 0 or (groups is not None and len(groups) != len(labels)):
        raise ValueError(f"{len(predictions)} predictions cannot be scored against {len(labels)} rows and groups")
    membership = membership_of(groups)
    scores: dict[str, Interval] = {}
    for kind, (mean_name, method, influence) in RANKINGS.items():
        each, mean = ranking_intervals(influence, labels.T, predictions.probabilities.T, method, membership)
        scores |= {f"{kind}/{name}": interval for name, interval in zip(classes, each, strict=True)} | {mean_name: mean}
    scores |= _of_calls(labels, predictions.labels, classes, membership)
    return {name: scores[name] for name in [*OVERALL, *(f"{kind}/{name}" for name in classes for kind in PER_LABEL)]}


def _of_calls(
    labels: NDArray[np.bool_], given: NDArray[np.bool_], classes: Sequence[str], membership: sparse.csr_array | None
) -> dict[str, Interval]:
    """Return intervals of the scores of labels that were given or not."""
    terms = call_terms(labels, given)
    grouped = terms if membership is None else sparse.csr_array(membership @ terms)
    result = bootstrap(grouped, _all_scores)
    # A label found in few of the images or groups is as unsure as those few.
    holding = grouped.toarray()[:, 2:].reshape(grouped.shape[0], 3, len(classes)) > 0
    support, taken, either = holding[:, 1].sum(0), holding[:, 2].sum(0), (holding[:, 1] | holding[:, 2]).sum(0)
    units = np.concatenate([np.full(2, grouped.shape[0]), either, support, taken])
    lows, highs = bca(result, units=units)
    images = np.concatenate([[len(labels)] * 2, labels.sum(0), labels.sum(0), given.sum(0)])
    names = [*OVERALL[2:], *(f"{kind}/{name}" for kind in PER_LABEL[2:] for name in classes)]
    scores = {}
    for index, name in enumerate(names):
        method = "BCa" if membership is None else group_method(int(units[index]))
        value = 0.0 if name.startswith("precision/") and not units[index] else float(result.values[index])
        scores[name] = bounded(value, lows[index], highs[index], method, int(images[index]), float(units[index]))
    if membership is None:
        hits = labels & given
        scores["exact_match"] = wilson(int((labels == given).all(axis=1).sum()), len(labels))
        for at, name in enumerate(classes):
            scores[f"recall/{name}"] = wilson(int(hits[:, at].sum()), int(labels[:, at].sum()))
            if given[:, at].any():
                scores[f"precision/{name}"] = wilson(int(hits[:, at].sum()), int(given[:, at].sum()))
    return scores


def call_terms(labels: NDArray[np.bool_], given: NDArray[np.bool_]) -> sparse.csr_array:
    """Return what images add to their number, the exact matches, and hits, support and calls of each label.

    Args:
        labels: bool ``(N, L)``, true.
        given: bool ``(N, L)``, predicted.

    Returns:
        Sparse ``(N, 2 + 3 L)``.
    """
    exact = (labels == given).all(axis=1, keepdims=True)
    columns = [np.ones((len(labels), 1)), exact, labels & given, labels, given]
    return sparse.csr_array(np.concatenate(columns, axis=1).astype(np.float64))


def call_scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return macro F1 and exact match ``(..., 2)`` of sums ``(..., 2 + 3 L)``."""
    counts = ClassCounts(*np.split(sums[..., 2:], 3, axis=-1))
    n = np.where(sums[..., 0] > 0, sums[..., 0], np.nan)
    return np.stack([macro_f1(counts), sums[..., 1] / n], axis=-1)


def _all_scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return macro F1, exact match, then F1s, recalls and precisions ``(..., 2 + 3 L)``."""
    counts = ClassCounts(*np.split(sums[..., 2:], 3, axis=-1))
    known = np.where(counts.predicted > 0, precision(counts), np.nan)
    return np.concatenate([call_scores(sums), f1(counts), recall(counts), known], axis=-1)


def right_labels(truth: NDArray[np.bool_], predictions: LabelSets) -> NDArray[np.bool_]:
    """Return which images are given exactly their labels, bool ``(N,)``; the mean is the exact match."""
    right: NDArray[np.bool_] = (predictions.labels == truth).all(axis=1)
    return right
