"""Sharing samples out between training, validation and test so that nothing leaks from one to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from opsin.data.dataset import TEST, TRAIN, VALIDATION, DataSet
from opsin.errors import DataError
from opsin.recipe import SplitRecipe

UNUSED = "unused"  # a training image that is also in the test split

MOST_VALIDATION = 5_000
MOST_TEST = 10_000


@dataclass(frozen=True)
class Split:
    """Where each sample goes.

    Attributes:
        names: ``(N,)`` of "train", "validation", "test" or "unused".
        groups: int64 ``(N,)``; equal numbers stay together (same patient, or equal pixels).
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


def split_samples(dataset: DataSet, digests: NDArray | None, recipe: SplitRecipe) -> Split:
    """Decide for each sample whether it is trained on, validated on, or locked away for test.

    A split that comes with the data is kept. What it lacks is made: test and validation are drawn at random, stratified
    by class, whole groups at a time. Images with equal pixels always share a group; a training image whose pixels are
    in a given test split is not used.

    Args:
        dataset: N samples.
        digests: ``(N,)``, equal for images with equal pixels; None where they are not known.
        recipe: Fractions and seed.

    Raises:
        DataError: A class is missing from a split, or there are too few groups to share out.
    """
    number, generator = len(dataset), np.random.default_rng(recipe.seed)
    groups = join_groups(number, dataset.groups, digests)
    duplicates = 0 if digests is None else number - len(np.unique(digests))
    names = np.full(number, TRAIN, dtype="<U10") if dataset.split is None else dataset.split.astype("<U10")
    notes: list[str] = []
    method = "by image" if dataset.groups is None else "by group"
    if not (names == TEST).any():
        size = min(recipe.test, MOST_TEST / number)
        _move(names, groups, dataset.labels, TRAIN, TEST, size, generator)
        method += ", at random, stratified by class"
    else:
        method = "test images as given with the data"
        notes += _mend_leaks(names, dataset, digests)
    if not (names == VALIDATION).any():
        training = max(1, int((names == TRAIN).sum()))
        # The fraction is of all images where test was drawn here too, so that 70/15/15 is what it says.
        share = recipe.validation if dataset.split is not None else recipe.validation / (1 - recipe.test)
        _move(names, groups, dataset.labels, TRAIN, VALIDATION, min(share, MOST_VALIDATION / training), generator)
        if dataset.split is not None:
            by = "image" if dataset.groups is None else "group"
            method += f"; validation held out of the training images at random, stratified, by {by}"
    else:
        method += "; validation images as given"
    _check(names, dataset)
    return Split(names, groups, method, duplicates, tuple(notes))


def _mend_leaks(names: NDArray[np.str_], dataset: DataSet, digests: NDArray | None) -> list[str]:
    """Take training images that are also test images out of training; report groups on both sides."""
    notes = []
    if digests is not None:
        leaked = (names != TEST) & np.isin(digests, digests[names == TEST])
        validation = (names == TRAIN) & np.isin(digests, digests[names == VALIDATION])
        names[leaked | validation] = UNUSED
        if (leaked | validation).any():
            notes.append(
                f"{int((leaked | validation).sum()):,} training images repeat the pixels of a held-out image "
                "and are not used."
            )
    if dataset.groups is not None:
        shared = np.intersect1d(dataset.groups[names == TEST], dataset.groups[(names != TEST) & (names != UNUSED)])
        if len(shared):
            total = len(np.unique(dataset.groups[names == TEST]))
            notes.append(
                f"{len(shared):,} of the {total:,} groups in the given test split are also trained on: "
                "its scores will be better than for new groups."
            )
    return notes


def _move(
    names: NDArray[np.str_],
    groups: NDArray[np.int64],
    labels: NDArray[np.int64],
    source: str,
    target: str,
    share: float,
    generator: np.random.Generator,
) -> None:
    """Move about ``share`` of each class from one split to another, whole groups at a time, in place."""
    pool = np.flatnonzero(names == source)
    classes = int(labels.max(initial=0)) + 1
    _, group = np.unique(groups[pool], return_inverse=True)
    table = np.zeros((int(group.max(initial=-1)) + 1, classes), np.int64)  # images of each class in each group
    np.add.at(table, (group, labels[pool]), 1)
    available = table.sum(axis=0)
    wanted = _shares(available, share)
    order = generator.permutation(len(table))
    sizes = table.sum(axis=1)
    chosen = np.zeros(len(table), bool)
    missing, left = wanted.copy(), available.copy()

    def spare(row: NDArray[np.int64]) -> bool:
        """Whether every class of a group keeps other images."""
        return bool((left[row > 0] > row[row > 0]).all())

    def choose(number: int) -> None:
        nonlocal missing, left
        chosen[number] = True
        missing, left = missing - table[number], left - table[number]

    for number in order[sizes[order] > 1]:
        useful = np.minimum(table[number], np.maximum(missing, 0)).sum()
        if useful * 2 > sizes[number] and spare(table[number]):
            choose(int(number))
    singles = order[sizes[order] == 1]
    label_of = table[singles].argmax(axis=1)
    for label in np.unique(label_of):
        take = max(0, min(missing[label], left[label] - 1))
        for number in singles[label_of == label][:take]:
            choose(int(number))
    for label in np.flatnonzero((missing == wanted) & (wanted > 0)):  # every group of the class is larger than wanted
        for number in sorted(np.flatnonzero((table[:, label] > 0) & ~chosen), key=lambda group: sizes[group]):
            if spare(table[number]):
                choose(int(number))
                break
    names[pool[chosen[group]]] = target


def _shares(available: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """Share out a total of ``share`` over the classes by largest remainders; whichever can spare one gives one."""
    exact = available * share
    wanted = np.floor(exact).astype(np.int64)
    rest = int(round(exact.sum())) - int(wanted.sum())
    wanted[np.argsort(wanted - exact, kind="stable")[:rest]] += 1
    return np.where(available > 1, np.maximum(wanted, 1), 0)


def _check(names: NDArray[np.str_], dataset: DataSet) -> None:
    """Raise unless every class is trained on and validation and test hold images."""
    for name in (VALIDATION, TEST):
        if not (names == name).any():
            raise DataError(
                f"{dataset.name}: no images could be set aside for {name} without taking a group apart; it needs "
                "more groups, or a split column."
            )
    trained = np.bincount(dataset.labels[names == TRAIN], minlength=len(dataset.classes))
    if (trained == 0).any():
        name = dataset.classes[int(trained.argmin())]
        raise DataError(
            f"{dataset.name}: class '{name}' has no image left to train on; it needs more images, or more groups."
        )
