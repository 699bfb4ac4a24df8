from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from opsin.data.splitting.folds import assign_folds


def shares(labels, fold_of, folds):
    """The number of images of each class in each fold, ``(folds, classes)``."""
    return np.stack([np.bincount(labels[fold_of == fold], minlength=labels.max() + 1) for fold in range(folds)])


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(12, 300), st.integers(1, 6))
def test_single_images_are_stratified_as_well_as_they_can_be(seed, folds, number, classes):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, number)
    fold_of = assign_folds(np.arange(number), labels, folds, generator)
    counts = shares(labels, fold_of, folds)
    assert (counts.sum(axis=0) == np.bincount(labels, minlength=counts.shape[1])).all()
    assert np.ptp(counts, axis=0).max() <= 1
    assert counts.sum(axis=1).min() > 0
    if np.bincount(labels)[np.unique(labels)].min() >= folds:
        theirs = np.zeros(number, int)
        for fold, (_, rows) in enumerate(StratifiedKFold(folds).split(labels, labels)):
            theirs[rows] = fold
        np.testing.assert_array_equal(np.ptp(counts, axis=0), np.ptp(shares(labels, theirs, folds), axis=0))


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(6, 60))
def test_groups_stay_whole_and_no_fold_is_empty(seed, folds, patients):
    generator = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(patients), generator.integers(0, patients, 3 * patients)])
    labels = generator.integers(0, 3, len(groups))
    fold_of = assign_folds(groups, labels, folds, generator)
    assert all(len(set(fold_of[groups == group])) == 1 for group in np.unique(groups))
    assert set(fold_of) == set(range(folds))


def test_groups_are_stratified_about_as_well_as_scikit_learn_does():
    ours, theirs = [], []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        groups = generator.integers(0, 40, 600)
        labels = (generator.random(600) < np.linspace(0.1, 0.9, 40)[groups]).astype(int)
        ours.append(np.std(shares(labels, assign_folds(groups, labels, 5, generator), 5), axis=0).sum())
        fold_of = np.zeros(600, int)
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for fold, (_, rows) in enumerate(splitter.split(labels, labels, groups)):
            fold_of[rows] = fold
        theirs.append(np.std(shares(labels, fold_of, 5), axis=0).sum())
    assert np.mean(ours) < 1.1 * np.mean(theirs)


@pytest.mark.parametrize("groups", [np.arange(100), np.arange(100) // 4])
def test_the_seed_decides_alone(groups):
    labels = np.arange(100) % 3
    first, again, other = (assign_folds(groups, labels, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_as_many_folds_as_groups_leave_one_group_out_each():
    groups = np.repeat(np.arange(16), np.arange(1, 17))
    labels = (np.arange(len(groups)) % 7 == 0).astype(int)
    fold_of = assign_folds(groups, labels, 16, np.random.default_rng(0))
    assert [len(set(groups[fold_of == fold])) for fold in range(16)] == [1] * 16
