"""Stratified folds for cross-validation that keep groups whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign_folds(
    groups: NDArray[np.int64], labels: NDArray[np.int64], folds: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Assign samples to folds.

    Groups of several images are assigned first, by decreasing size, each to the fold with the fewest images of its
    classes so far (the rule of scikit-learn's StratifiedGroupKFold, with the sum of squares as spread). Single images
    then balance each class: without groups, the counts of a class differ by one at most.

    Args:
        groups: ``(N,)``; samples of one group go to one fold.
        labels: ``(N,)``; class numbers from 0.
        folds: Number of folds, at most the number of groups.
        generator: Breaks ties.

    Returns:
        int64 ``(N,)``, the fold of each sample, from 0. No fold is empty.
    """
    _, group = np.unique(groups, return_inverse=True)
    classes = int(labels.max(initial=0)) + 1
    table = np.zeros((int(group.max(initial=-1)) + 1, classes), np.int64)
    np.add.at(table, (group, labels), 1)
    sizes = table.sum(axis=1)
    order = generator.permutation(len(table))
    fold_of = np.full(len(table), -1, np.int64)
    counts = np.zeros((folds, classes), np.int64)
    sampling_weights = 1 / np.maximum(table.sum(axis=0), 1).astype(np.float64) ** 2
    several = order[sizes[order] > 1]
    for number in several[np.argsort(-sizes[several], kind="stable")]:
        crowded = counts @ (table[number] * sampling_weights)
        fold = int(np.lexsort((counts.sum(axis=1), crowded))[0])
        fold_of[number] = fold
        counts[fold] += table[number]
    singles = order[sizes[order] == 1]
    label_of = table[singles].argmax(axis=1)
    for label in np.unique(label_of):
        members = singles[label_of == label]
        fold_of[members] = generator.permutation(_fill(counts[:, label], counts.sum(axis=1), len(members)))
        counts[:, label] += np.bincount(fold_of[members], minlength=folds)
    return fold_of[group]


def _fill(filled: NDArray[np.int64], sizes: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return the folds ``(number,)`` of further images of a class that make its counts as even as possible.

    Args:
        filled: ``(folds,)``; images of the class in each fold so far.
        sizes: ``(folds,)``; all images in each fold so far; breaks ties in favor of the smallest.
        number: Number of images to assign.
    """
    folds = len(filled)
    deepest = number // folds + int(filled.max() - filled.min()) + 1  # upper bound per fold
    level = filled[:, None] + np.arange(min(number, deepest))
    fold = np.broadcast_to(np.arange(folds)[:, None], level.shape)
    order = np.lexsort((np.broadcast_to(sizes[:, None], level.shape).ravel(), level.ravel()))
    return fold.ravel()[order[:number]]
