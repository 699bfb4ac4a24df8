"""Train, validation and test splits without leakage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from opsin.data.dataset import Dataset
from opsin.data.images import TEST, TRAIN, UNUSED, VALIDATION
from opsin.data.splitting.folds import assign_folds
from opsin.errors import DataError
from opsin.recipe.schema import SplitRecipe

MOST_VALIDATION = 5_000
MOST_TEST = 10_000


@dataclass(frozen=True)
class Split:
    """Assignment of samples to splits.

    Attributes:
        names: ``(N,)`` of "train", "validation", "test" or "unused" (a copy of an image in another given split, or
            excluded by the given split).
        groups: int64 ``(N,)``; samples with equal numbers stay together (same patient, or same picture).
        method: Description of how the split was made, for the report.
        duplicates: Number of images with the same pixels as an earlier one.
        notes: Sentences for the report.
    """

    names: NDArray[np.str_]
    groups: NDArray[np.int64]
    method: str
    duplicates: int
    notes: tuple[str, ...] = ()

    def indices(self, name: str) -> NDArray[np.int64]:
        """Return the indices of the samples in a split, int64, ascending."""
        return np.flatnonzero(self.names == name)


def join_groups(number: int, *keys: NDArray[Any] | None) -> NDArray[np.int64]:
    """Group samples that agree in any of several keys, transitively.

    Args:
        number: Number of samples.
        keys: Arrays ``(N,)`` of sortable values; None is skipped.

    Returns:
        int64 ``(N,)``; equal numbers mark one group.
    """
    rows, columns, offset = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], number
    for key in keys:
        if key is not None:
            _, code = np.unique(key, return_inverse=True)
            rows.append(np.arange(number))
            columns.append(code.reshape(-1) + offset)
            offset += int(code.max(initial=-1)) + 1
    ends = (np.concatenate(rows), np.concatenate(columns))
    graph = coo_matrix((np.ones(len(ends[0]), bool), ends), shape=(offset, offset))
    result: NDArray[np.int64] = connected_components(graph, directed=False)[1][:number].astype(np.int64)
    return result


def split_samples(
    dataset: Dataset, digests: NDArray[Any] | None, recipe: SplitRecipe, *more_keys: NDArray[Any] | None
) -> Split:
    """Assign each sample to the training, validation or test split.

    A given split is kept. Missing splits are drawn at random, stratified by class, in whole groups, and share no group
    with any other split; validation shares groups with a given test split only if too few other groups are left, with a
    note. With ``folds``, all samples are assigned to folds (`assign_folds`), one of which is the test split. Exact and
    near-duplicates always share a group. Training images that are copies of an image in a given validation or test
    split are not used, nor are validation images that are copies of an image in a given test split. Groups that the
    given split itself divides stay divided, with a note.

    Args:
        dataset: N samples, after `opsin.data.splitting.from_recipe.apply_split_settings`.
        digests: ``(N,)``, equal for images with equal pixels; None if unknown.
        recipe: Fractions, folds and seed.
        *more_keys: Further arrays ``(N,)``, equal for near-duplicates; None is skipped.

    Raises:
        DataError: A class is missing from a split, or there are too few groups.
    """
    number, generator, strata = len(dataset), np.random.default_rng(recipe.seed), dataset.strata
    groups = join_groups(number, dataset.groups, digests, *more_keys)
    duplicates = 0 if digests is None else number - len(np.unique(digests))
    names = np.full(number, TRAIN, dtype="<U10") if dataset.split is None else dataset.split.astype("<U10")
    if recipe.folds:
        names[_folds(dataset, groups, recipe.folds, generator) == recipe.fold] = TEST
    notes = [*_exclude_repeats(names, join_groups(number, digests, *more_keys))]
    notes += _note_shared_groups(names, dataset.groups)
    given_test, given_validation = bool((names == TEST).any()), bool((names == VALIDATION).any())
    share = recipe.validation
    if recipe.folds:
        share /= 1 - 1 / recipe.folds  # the fraction refers to all images, so that 70/15/15 is exact
    elif not given_test:
        _draw(names, groups, strata, TEST, recipe.test, MOST_TEST, generator)
        share /= 1 - recipe.test
    if not given_validation:
        _draw(names, groups, strata, VALIDATION, min(share, 0.5), MOST_VALIDATION, generator)
        if given_test and np.isin(groups[names == VALIDATION], groups[names == TEST]).any():
            notes.append(
                "Some validation images come from groups in the test split, because too few other groups are left."
            )
    _check(names, dataset)
    method = _describe(
        given_validation, given_test, "image" if dataset.groups is None else "group", recipe, dataset.targets.kind
    )
    return Split(names, groups, method, duplicates, tuple(notes))


def _folds(
    dataset: Dataset, groups: NDArray[np.int64], folds: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return the fold of each sample; see `assign_folds`."""
    there = len(np.unique(groups))
    if there < folds:
        what = "groups" if dataset.groups is not None else "different images"
        raise DataError(
            f"{dataset.name}: {there:,} {what} are too few for {folds:,} folds; use at most {there:,} folds."
        )
    return assign_folds(groups, dataset.strata, folds, generator)


def _describe(given_validation: bool, given_test: bool, unit: str, recipe: SplitRecipe, kind: str) -> str:
    """Describe how a split was made."""
    drawn = f"held out of the training images at random, stratified, by {unit}"
    if recipe.folds:
        return (
            f"test images are fold {recipe.fold} of 0 to {recipe.folds - 1}, stratified, by {unit}; validation {drawn}"
        )
    if recipe.test_groups:
        left_out = f"{len(recipe.test_groups):,} group{'s' * (len(recipe.test_groups) != 1)}"
        return f"test images are those of {left_out} named in the recipe; validation {drawn}"
    source = "in the split file" if recipe.file else "with the data"
    if given_test and given_validation:
        return f"test images as given {source}; validation images as given"
    if given_test:
        return f"test images as given {source}; validation {drawn}"
    if given_validation:
        return f"validation images as given {source}; test {drawn}"
    return f"by {unit}, at random, stratified by {kind}"


def _exclude_repeats(names: NDArray[np.str_], pictures: NDArray[np.int64]) -> list[str]:
    """Mark copies of test and held-out images as unused, in place; return notes."""
    notes: list[str] = []
    tested = np.isin(pictures, pictures[names == TEST])
    held_out = tested | np.isin(pictures, pictures[names == VALIDATION])
    for name, repeated, of in ((VALIDATION, tested, "a test"), (TRAIN, held_out, "a held-out")):
        aside = (names == name) & repeated
        names[aside] = UNUSED
        count, what = int(aside.sum()), "training" if name == TRAIN else name
        if count == 1:
            notes.append(f"1 {what} image is a copy of {of} image and is not used.")
        elif count:
            notes.append(f"{count:,} {what} images are copies of {of} image and are not used.")
    return notes


def _note_shared_groups(names: NDArray[np.str_], groups: NDArray[Any] | None) -> list[str]:
    """Return a note for each pair of given splits that share groups."""
    notes: list[str] = []
    if groups is None:
        return notes
    for held_out, other, use in (
        (TEST, TRAIN, "trained on"),
        (VALIDATION, TRAIN, "trained on"),
        (TEST, VALIDATION, "validated on"),
    ):
        there = np.unique(groups[names == held_out])
        shared = np.intersect1d(there, groups[names == other])
        if len(shared):
            notes.append(
                f"{len(shared):,} of the {len(there):,} groups in the given {held_out} split are also {use}: "
                "its scores will be better than for new groups."
            )
    return notes


class _Draw:
    """Sequential choice of groups to hold out.

    Args:
        table: int64 ``(groups, classes)``; images of each class in each available group.
        available: int64 ``(classes,)``; training images of each class in all groups.
        wanted: int64 ``(classes,)``; number of images of each class to hold out.
    """

    def __init__(self, table: NDArray[np.int64], available: NDArray[np.int64], wanted: NDArray[np.int64]):
        self.table, self.left, self.missing = table, available.copy(), wanted.copy()
        self.chosen = np.zeros(len(table), bool)

    def can_spare(self, group: int) -> bool:
        """Return whether every class of a group keeps other training images."""
        row = self.table[group]
        return bool((self.left[row > 0] > row[row > 0]).all())

    def take(self, group: int) -> None:
        """Hold out a group."""
        self.chosen[group] = True
        self.missing -= self.table[group]
        self.left -= self.table[group]


def _draw(
    names: NDArray[np.str_],
    groups: NDArray[np.int64],
    labels: NDArray[np.int64],
    target: str,
    share: float,
    most: int,
    generator: np.random.Generator,
) -> None:
    """Move about ``share`` of the training images of each class to another split, in place.

    Whole groups move, and only groups that are entirely in training. For validation, if these are too few because a
    given split divides the others, all training images of a group move. Groups of several images move first, while at
    least half of a group is still needed; single images then complete each class exactly.
    """
    training = names == TRAIN
    classes = int(labels.max(initial=0)) + 1
    available = np.bincount(labels[training], minlength=classes)
    wanted = _allocate(available, min(share, most / max(1, int(training.sum()))))
    pool = np.flatnonzero(~np.isin(groups, groups[~training]))
    if target == VALIDATION and len(pool) < wanted.sum():
        pool = np.flatnonzero(training)
    _, group = np.unique(groups[pool], return_inverse=True)
    table = np.zeros((int(group.max(initial=-1)) + 1, classes), np.int64)
    np.add.at(table, (group, labels[pool]), 1)
    draw = _Draw(table, available, wanted)
    order, sizes = generator.permutation(len(table)), table.sum(axis=1)
    for number in order[sizes[order] > 1]:
        useful = np.minimum(table[number], np.maximum(draw.missing, 0)).sum()
        if useful * 2 > sizes[number] and draw.can_spare(number):
            draw.take(number)
    singles = order[sizes[order] == 1]
    label_of = table[singles].argmax(axis=1)
    for label in np.unique(label_of):
        number_wanted = max(0, min(draw.missing[label], draw.left[label] - 1))
        for number in singles[label_of == label][:number_wanted]:
            draw.take(number)
    for label in np.flatnonzero((draw.missing == wanted) & (wanted > 0)):  # all its groups are larger than needed
        holding = np.flatnonzero((table[:, label] > 0) & ~draw.chosen)
        smallest_first = holding[np.argsort(sizes[holding], kind="stable")]
        for number in filter(draw.can_spare, smallest_first):
            draw.take(number)
            break
    names[pool[draw.chosen[group]]] = target


def _allocate(available: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Allocate a fraction of the images to the classes by largest remainders; at least one if a class has two."""
    exact = available * share
    wanted = np.floor(exact).astype(np.int64)
    rest = int(round(exact.sum())) - int(wanted.sum())
    wanted[np.argsort(wanted - exact, kind="stable")[:rest]] += 1
    return np.where(available > 1, np.maximum(wanted, 1), 0)


def _check(names: NDArray[np.str_], dataset: Dataset) -> None:
    """Raise `DataError` unless every class is in training, and validation and test are not empty."""
    for name in (VALIDATION, TEST):
        if not (names == name).any():
            raise DataError(
                f"{dataset.name}: no images could be held out for {name} without dividing a group; add more groups "
                "or a split column."
            )
    dataset.targets.take(names == TRAIN).check_trained(dataset.name, dataset.classes)
