"""Training on a part of the training images, to see what more of them would bring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opsin.data.dataset import Dataset
from opsin.data.images import TRAIN, UNUSED
from opsin.data.splitting.split import Split


def keep_part(split: Split, dataset: Dataset, part: float, seed: int) -> Split:
    """Leave out training images until a part of them is left, of every class about as much, whole groups at a time.

    With one seed a smaller part lies within every larger one, so that scores on growing parts differ by the images
    that were added.

    Args:
        split: Where each of N samples goes; validation and test stay as they are.
        dataset: The samples.
        part: 0 to 1; at 1 the split comes back unchanged.
        seed: Decides which.

    Raises:
        DataError: A class would have no training image left.
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
    """Return which groups are kept, bool ``(groups,)``; a group counts for the rarest class that is in it."""
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
