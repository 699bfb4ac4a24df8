from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.splitting.split import Split
from opsin.data.splitting.subset import subsample_training
from opsin.data.targets import ClassTargets
from opsin.errors import DataError

CLASSES = ("a", "b", "c")


def split_of(labels, groups=None):
    """Every tenth image is for test, every tenth but one for validation; groups never straddle them."""
    number = len(labels)
    groups = np.arange(number) if groups is None else groups
    names = np.full(number, "train", "<U10")
    names[groups % 10 == 0], names[groups % 10 == 1] = "test", "validation"
    return Split(names, groups.astype(np.int64), "by image", 0)


def data(labels):
    return Dataset("data", CLASSES, ArrayImages(np.zeros((len(labels), 1, 1), np.uint8)), ClassTargets(labels))


def kept(split, labels, part, seed=0):
    return set(subsample_training(split, data(labels), part, seed).indices("train").tolist())


@given(st.integers(0, 10_000), st.floats(0.05, 1), st.floats(0.05, 1), st.integers(1, 6))
def test_smaller_parts_lie_within_larger_ones_and_groups_stay_whole(seed, first, second, group_size):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(300) % 3)
    groups = np.arange(300) // group_size
    split = split_of(labels, groups)
    smaller, larger = (kept(split, labels, part, seed) for part in sorted((first, second)))
    assert smaller <= larger <= set(split.indices("train").tolist())
    for rows in (smaller, larger):
        inside = np.isin(np.arange(300), list(rows))
        for group in np.unique(groups[split.names == "train"]):
            assert len(set(inside[groups == group])) == 1
    after = subsample_training(split, data(labels), first, seed)
    for name in ("validation", "test"):
        assert np.array_equal(after.indices(name), split.indices(name))


@pytest.mark.parametrize("part", [0.1, 0.25, 0.5, 0.9])
def test_a_part_is_as_large_as_asked_and_stratified(part):
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    split = split_of(labels)
    rows = sorted(kept(split, labels, part))
    available = np.bincount(labels[split.indices("train")])
    assert np.abs(np.bincount(labels[rows]) - part * available).max() <= 0.5
    assert f"only {len(rows):,} are used" in subsample_training(split, data(labels), part, 0).notes[-1]


def test_seeds_choose_other_images_and_all_is_all():
    labels = np.arange(300) % 3
    split = split_of(labels)
    assert kept(split, labels, 0.3, 1) == kept(split, labels, 0.3, 1) != kept(split, labels, 0.3, 2)
    assert subsample_training(split, data(labels), 1.0, 0) is split


def test_groups_that_hold_several_classes_leave_none_out():
    """Rare class c occurs only beside others; a group counts for the rarest class in it."""
    labels = np.array([0, 0, 1, 2] * 30 + [0, 1, 1, 1] * 30)
    split = split_of(labels, np.arange(240) // 4)
    assert set(labels[sorted(kept(split, labels, 0.1))]) == {0, 1, 2}


def test_a_class_that_would_be_lost_is_named():
    """Class a lies only beside b, which is rarer, so that groups with a are chosen for their b."""
    labels = np.array([0, 0, 1] * 3 + [2] * 3 + [1, 2, 2] + [2] * 15)
    groups = np.repeat(np.arange(10), 3)
    split = Split(np.full(30, "train", "<U10"), groups, "by group", 0)
    lost = 0
    for seed in range(20):
        try:
            subsample_training(split, data(labels), 0.05, seed)
        except DataError as error:
            lost += 1
            assert "none of class 'a'; ask for a larger part" in str(error)
    assert 0 < lost < 20
