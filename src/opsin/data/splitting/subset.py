"""Subsampling of the training split, for learning curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opsin.data.dataset import Dataset
from opsin.data.images import TRAIN, UNUSED
from opsin.data.splitting.split import Split


def subsample_training(split: Split, dataset: Dataset, part: float, seed: int) -> Split:
    """Keep a fraction of the training images, stratified by class, in whole groups.

    With the same seed, a smaller subset is contained in every larger one, so that scores differ only by the added
    images.

    Args:
        split: Split of N samples; validation and test are unchanged.
        dataset: The samples.
        part: Fraction from 0 to 1; 1 returns the split unchanged.
        seed: Seed of the choice.

    Raises:
        DataError: A class would keep no training image.
    """
    if part == 1:
        return split
    training, strata = split.indices(TRAIN), dataset.strata
    _, group = np.unique(split.groups[training], return_inverse=True)
    kept = _groups_to_keep(group, strata[training], part, np.random.default_rng(seed))[group]
    names = split.names.copy()
    names[training[~kept]] = UNUSED
    dataset.targets.take(training[kept]).check_trained(dataset.name, dataset.classes, part)
    note = f"Of {len(training):,} training images only {int(kept.sum()):,} are used, as the recipe asks."
    return replace(split, names=names, notes=(*split.notes, note))


def _groups_to_keep(
    group: NDArray[np.int64], labels: NDArray[np.int64], part: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which groups are kept, bool ``(groups,)``; a group counts for its rarest class."""
    frequency = np.bincount(labels)
    order = np.lexsort((frequency[labels], group))
    _, first = np.unique(group[order], return_index=True)
    stratum, sizes = labels[order[first]], np.bincount(group)
    kept = np.zeros(len(sizes), bool)
    shuffled = generator.permutation(len(sizes))
    for label in np.unique(stratum):
        own = shuffled[stratum[shuffled] == label]
        before = np.cumsum(sizes[own]) - sizes[own]
        kept[own] = before < max(1, round(part * sizes[own].sum()))
    return kept
