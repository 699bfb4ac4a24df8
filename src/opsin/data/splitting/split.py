"""Sharing samples out between training, validation and test so that nothing leaks from one to another."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Where each sample goes.

    Attributes:
        names: ``(N,)`` of "train", "validation", "test" or "unused" (it resembles an image of a given part, or its
            given split says so).
        groups: int64 ``(N,)``; equal numbers stay together (same patient, or the same picture).
        method: How it was made, in words for the report.
        duplicates: How many images repeat the pixels of another one.
        notes: What was found on the way, in sentences for the report.
    """

    names: NDArray[np.str_]
    groups: NDArray[np.int64]
    method: str
    duplicates: int
    notes: tuple[str, ...] = ()

    def indices(self, name: str) -> NDArray[np.int64]:
        """Return which samples are in a split, int64, ascending."""
        return np.flatnonzero(self.names == name)


def join_groups(number: int, *keys: NDArray | None) -> NDArray[np.int64]:
    """Join samples that agree in any of several keys, also through a chain of others.

    Args:
        number: How many samples there are.
        keys: Arrays ``(N,)`` of anything that can be sorted; None is skipped.

    Returns:
        int64 ``(N,)``; equal numbers belong together.
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
    return connected_components(graph, directed=False)[1][:number].astype(np.int64)


def split_samples(dataset: Dataset, digests: NDArray | None, recipe: SplitRecipe, *alike: NDArray | None) -> Split:
    """Decide for each sample whether it is trained on, validated on, or locked away for test.

    A split that comes with the data is kept. What it lacks is made: test and validation are drawn at random, stratified
    by class, whole groups at a time, and share no group with any other part; validation shares some with a given test
    split only where that leaves too few groups apart, with a note. With ``folds`` all samples are shared out
    into as many folds in that way (`assign_folds`), of which one is the test split. Images with equal pixels, or that
    are otherwise alike, always share a group; a training image that is like one in a given validation or test split is
    not used, nor is a validation image that is like one in a given test split. Groups that the given split itself takes
    apart stay so, with a note.

    Args:
        dataset: N samples, arranged as the recipe asks (`opsin.data.splitting.from_recipe.arrange`).
        digests: ``(N,)``, equal for images with equal pixels; None where they are not known.
        recipe: Fractions, folds and seed.
        *alike: Further arrays ``(N,)``, equal for images that show the same (near-duplicates); None is skipped.

    Raises:
        DataError: A class is missing from a split, or there are too few groups to share out.
    """
    number, generator, strata = len(dataset), np.random.default_rng(recipe.seed), dataset.strata
    groups = join_groups(number, dataset.groups, digests, *alike)
    duplicates = 0 if digests is None else number - len(np.unique(digests))
    names = np.full(number, TRAIN, dtype="<U10") if dataset.split is None else dataset.split.astype("<U10")
    if recipe.folds:
        names[_folds(dataset, groups, recipe.folds, generator) == recipe.fold] = TEST
    notes = [*_set_repeats_aside(names, join_groups(number, digests, *alike))]
    notes += _note_shared_groups(names, dataset.groups)
    given_test, given_validation = bool((names == TEST).any()), bool((names == VALIDATION).any())
    share = recipe.validation
    if recipe.folds:
        share /= 1 - 1 / recipe.folds  # the fraction is of all images, so that 70/15/15 is what it says
    elif not given_test:
        _draw(names, groups, strata, TEST, recipe.test, MOST_TEST, generator)
        share /= 1 - recipe.test
    if not given_validation:
        _draw(names, groups, strata, VALIDATION, min(share, 0.5), MOST_VALIDATION, generator)
        if given_test and np.isin(groups[names == VALIDATION], groups[names == TEST]).any():
            notes.append("Validation images had to be taken from groups that are tested on: too few others are left.")
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
        raise DataError(f"{dataset.name}: {there:,} {what} cannot make {folds:,} folds; ask for {there:,} at most.")
    return assign_folds(groups, dataset.strata, folds, generator)


def _describe(given_validation: bool, given_test: bool, unit: str, recipe: SplitRecipe, kind: str) -> str:
    """Return in words how a split was made."""
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


def _set_repeats_aside(names: NDArray[np.str_], pictures: NDArray[np.int64]) -> list[str]:
    """Mark as unused, in place, what shows a picture of a given part that is more precious; say so in sentences."""
    notes: list[str] = []
    tested = np.isin(pictures, pictures[names == TEST])
    held_out = tested | np.isin(pictures, pictures[names == VALIDATION])
    for name, repeated, of in ((VALIDATION, tested, "a test"), (TRAIN, held_out, "a held-out")):
        aside = (names == name) & repeated
        names[aside] = UNUSED
        count, what = int(aside.sum()), "training" if name == TRAIN else name
        if count == 1:
            notes.append(f"1 {what} image repeats {of} image and is not used.")
        elif count:
            notes.append(f"{count:,} {what} images repeat {of} image and are not used.")
    return notes


def _note_shared_groups(names: NDArray[np.str_], groups: NDArray | None) -> list[str]:
    """Return a sentence for each two parts of a given split that share groups."""
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
    """Groups chosen one at a time to be held out.

    Args:
        table: int64 ``(groups, classes)``; images of each class in each group that may be chosen.
        available: int64 ``(classes,)``; training images of each class, in those groups or any other.
        wanted: int64 ``(classes,)``; how many images to choose of each class.
    """

    def __init__(self, table: NDArray[np.int64], available: NDArray[np.int64], wanted: NDArray[np.int64]):
        self.table, self.left, self.missing = table, available.copy(), wanted.copy()
        self.chosen = np.zeros(len(table), bool)

    def can_spare(self, group: int) -> bool:
        """Whether every class of a group keeps other training images."""
        row = self.table[group]
        return bool((self.left[row > 0] > row[row > 0]).all())

    def take(self, group: int) -> None:
        """Choose a group."""
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
    """Move about ``share`` of the training images of each class to another part, in place.

    Whole groups move, and only those that lie in training with all their images; for validation, where these are too
    few because a given split takes the others apart, all that a group has in training. Groups of several images go
    first, as long as at least half of a group is still wanted; single images then fill up each class exactly.
    """
    training = names == TRAIN
    classes = int(labels.max(initial=0)) + 1
    available = np.bincount(labels[training], minlength=classes)
    wanted = _shares(available, min(share, most / max(1, int(training.sum()))))
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
    for label in np.flatnonzero((draw.missing == wanted) & (wanted > 0)):  # all its groups are larger than wanted
        holding = np.flatnonzero((table[:, label] > 0) & ~draw.chosen)
        smallest_first = holding[np.argsort(sizes[holding], kind="stable")]
        for number in filter(draw.can_spare, smallest_first):
            draw.take(number)
            break
    names[pool[draw.chosen[group]]] = target


def _shares(available: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Share out a total of ``share`` over the classes by largest remainders; whichever can spare one gives one."""
    exact = available * share
    wanted = np.floor(exact).astype(np.int64)
    rest = int(round(exact.sum())) - int(wanted.sum())
    wanted[np.argsort(wanted - exact, kind="stable")[:rest]] += 1
    return np.where(available > 1, np.maximum(wanted, 1), 0)


def _check(names: NDArray[np.str_], dataset: Dataset) -> None:
    """Raise unless every class is trained on and validation and test hold images."""
    for name in (VALIDATION, TEST):
        if not (names == name).any():
            raise DataError(
                f"{dataset.name}: no images could be set aside for {name} without taking a group apart; it needs "
                "more groups, or a split column."
            )
    dataset.targets.take(names == TRAIN).check_trained(dataset.name, dataset.classes)
