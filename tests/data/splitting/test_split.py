from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.splitting.split import join_groups, split_samples
from opsin.data.targets import ClassTargets
from opsin.errors import DataError
from opsin.recipe.schema import SplitRecipe


def data(labels, groups=None, split=None):
    labels = np.asarray(labels, np.int64)
    classes = tuple(f"class {number}" for number in range(int(labels.max()) + 1))
    images = ArrayImages(np.zeros((len(labels), 4, 4), np.uint8))
    return Dataset("data", classes, images, ClassTargets(labels), split=split, groups=groups)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 6),
    st.integers(40, 300),
    st.integers(0, 200),
    st.booleans(),
)
def test_no_group_and_no_duplicate_straddles_a_split(seed, classes, number, patients, duplicated):
    generator = np.random.default_rng(seed)
    labels = np.concatenate([np.repeat(np.arange(classes), 5), generator.integers(0, classes, number)])
    groups = generator.integers(0, 20 + patients, len(labels)).astype(str)
    digests = generator.integers(0, len(labels), len(labels)) if duplicated else np.arange(len(labels))
    dataset = data(labels, groups)
    try:
        split = split_samples(dataset, digests, SplitRecipe(seed=seed % 1000))
    except DataError:
        return  # groups and duplicates may chain everything together
    for key in (groups, digests):
        for value in np.unique(key):
            assert len(set(split.names[key == value])) == 1
    assert set(split.names) == {"train", "validation", "test"}
    assert set(labels[split.names == "train"]) == set(range(classes))


PARTS = ("train", "validation", "test")


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([("train",), ("train", "validation"), ("train", "test"), PARTS]),
    st.integers(60, 250),
    st.sampled_from([None, 15, 60, 200]),
    st.sampled_from([0, 3, 40]),
)
def test_nothing_straddles_but_what_a_given_split_takes_apart(seed, given_parts, number, patients, repeats):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(number) % 3)
    digests = np.arange(number)
    digests[generator.integers(0, number, repeats)] = generator.integers(0, number, repeats)
    groups = None if patients is None else generator.integers(0, patients, number).astype(str)
    odds = np.array([0.8, 0.2, 0.2])[: len(given_parts)]
    asked = generator.choice(given_parts, number, p=odds / odds.sum())
    if generator.random() < 0.5 and groups is not None:  # a split that leaves most patients whole
        part_of = generator.choice(given_parts, patients, p=odds / odds.sum())
        asked = np.where(generator.random(number) < 0.97, part_of[groups.astype(int)], asked)
    try:
        split = split_samples(data(labels, groups, asked), digests, SplitRecipe(seed=seed % 1000))
    except DataError:
        return  # groups and duplicates may chain everything together
    used = split.names != "unused"
    for digest in np.unique(digests):
        assert len(set(split.names[used & (digests == digest)])) == 1
    if any("too few other groups are left" in note for note in split.notes):
        assert "test" in given_parts and "validation" not in given_parts
        drawn = split.groups[split.names == "validation"]
        assert len(drawn) and not np.isin(split.groups[split.names == "train"], drawn).any()
        return
    taken_apart = set()
    for group in np.unique(groups) if groups is not None else ():
        before, after = (set(names[used & (groups == group)]) for names in (asked, split.names))
        assert len(after) <= 1 or after <= before
        taken_apart |= {(one, other) for one in after for other in after if one < other}
    assert len([note for note in split.notes if "groups in the given" in note]) == len(taken_apart)
    for part in set(PARTS) - set(asked[used]):  # what was drawn shares no group with anything
        drawn = split.groups[split.names == part]
        assert len(drawn)
        assert not np.isin(split.groups[split.names != part], drawn).any()
    kept = np.isin(asked, ("validation", "test")) & used
    assert (split.names[kept] == asked[kept]).all()
    assert (split.names[asked == "test"] == "test").all()


def test_without_groups_each_class_is_split_as_asked():
    labels = np.repeat(np.arange(4), [100, 200, 40, 1000])
    split = split_samples(data(labels), None, SplitRecipe())
    for name, share in (("test", 0.15), ("validation", 0.15), ("train", 0.70)):
        counts = np.bincount(labels[split.names == name])
        np.testing.assert_allclose(counts, np.array([100, 200, 40, 1000]) * share, atol=1.01)


def test_three_images_of_a_class_give_one_to_each_split():
    split = split_samples(data([0, 0, 0, 1, 1, 1]), None, SplitRecipe())
    for name in ("train", "validation", "test"):
        assert sorted(data([0, 0, 0, 1, 1, 1]).targets.values[split.names == name]) == [0, 1]


def test_same_seed_same_split_other_seed_another():
    labels = np.arange(400) % 4
    first, again, other = (split_samples(data(labels), None, SplitRecipe(seed=seed)).names for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_given_split_is_kept_and_validation_held_out_of_training():
    names = np.array(["train"] * 60_000 + ["test"] * 10_000)
    labels = np.random.default_rng(0).integers(0, 10, 70_000)  # classes of uneven size, as in MNIST
    split = split_samples(data(labels, split=names), None, SplitRecipe())
    assert (split.names[60_000:] == "test").all()
    assert (split.names == "validation").sum() == 5_000
    assert (split.names == "train").sum() == 55_000
    shares = np.bincount(labels[split.names == "validation"]) / np.bincount(labels[:60_000])
    np.testing.assert_allclose(shares, 5_000 / 60_000, atol=2e-4)


def test_training_images_that_are_test_images_are_not_used():
    names = np.array(["train"] * 20 + ["test"] * 10)
    digests = np.arange(30)
    digests[[3, 7]] = [25, 26]
    split = split_samples(data(np.arange(30) % 2, split=names), digests, SplitRecipe())
    assert (split.names[[3, 7]] == "unused").all()
    assert split.duplicates == 2
    assert "2 training images are copies of a held-out image and are not used." in split.notes[0]


def test_duplicates_of_a_given_validation_split_are_not_used_without_a_given_test_split_either():
    names = np.array(["train"] * 40 + ["validation"] * 10)
    digests = np.arange(50)
    digests[[3, 7]] = [45, 46]
    split = split_samples(data(np.arange(50) % 2, split=names), digests, SplitRecipe())
    assert (split.names[[3, 7]] == "unused").all()
    assert (split.names[40:] == "validation").all()
    assert split.notes == ("2 training images are copies of a held-out image and are not used.",)
    assert split.method.startswith("validation images as given with the data; test held out of the training images")


def test_validation_images_that_are_test_images_are_not_used():
    names = np.array(["train"] * 20 + ["validation"] * 6 + ["test"] * 6)
    digests = np.arange(32)
    digests[[20, 4]] = 30
    split = split_samples(data(np.arange(32) % 2, split=names), digests, SplitRecipe())
    assert (split.names[[20, 4]] == "unused").all()
    assert (split.names[26:] == "test").all()
    assert split.notes == (
        "1 validation image is a copy of a test image and is not used.",
        "1 training image is a copy of a held-out image and is not used.",
    )


def test_patients_of_a_given_validation_split_are_not_drawn_for_test():
    names = np.array(["train"] * 60 + ["validation"] * 10)
    groups = np.array([f"patient {number % 20}" for number in range(60)] + ["patient 1", "patient 2"] * 5)
    split = split_samples(data(np.arange(70) % 2, groups, names), None, SplitRecipe())
    assert not set(groups[split.names == "test"]) & {"patient 1", "patient 2"}
    assert split.notes == (
        "2 of the 2 groups in the given validation split are also trained on: its scores will be better than for new "
        "groups.",
    )


def test_validation_comes_from_tested_groups_where_the_given_split_leaves_no_others():
    names = np.where(np.arange(240) % 3 == 0, "test", "train")
    groups = np.array([f"patient {number % 8}" for number in range(240)])
    split = split_samples(data(np.arange(240) % 5 % 2, groups, names), None, SplitRecipe())
    assert (split.names[names == "test"] == "test").all()
    held_out, trained = (set(groups[split.names == name]) for name in ("validation", "train"))
    assert held_out and trained and not held_out & trained
    assert split.notes[-1].startswith("Some validation images come from groups in the test split")


def test_a_split_column_that_says_only_train_is_shared_out_like_none():
    labels = np.arange(400) % 4
    bare, named = (
        split_samples(data(labels, split=split), None, SplitRecipe()) for split in (None, np.array(["train"] * 400))
    )
    assert (bare.names == named.names).all()
    assert bare.method == named.method


def test_groups_on_both_sides_of_a_given_split_are_reported():
    names = np.array(["train"] * 20 + ["test"] * 10)
    groups = np.array([str(number % 10) for number in range(20)] + ["1", "2"] + [f"new {n}" for n in range(8)])
    split = split_samples(data(np.arange(30) % 2, groups, names), None, SplitRecipe())
    assert "2 of the 10 groups in the given test split are also trained on" in split.notes[0]


def test_a_test_split_holds_several_groups_where_it_can():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 10)
    labels = generator.integers(0, 2, 300)
    split = split_samples(data(labels, groups.astype(str)), None, SplitRecipe())
    assert len(set(groups[split.names == "test"])) >= 3


def test_one_group_cannot_be_split():
    with pytest.raises(DataError, match="add more groups"):
        split_samples(data([0, 1] * 20, np.array(["only"] * 40)), None, SplitRecipe())


def test_groups_join_through_chains():
    groups = join_groups(5, np.array(["a", "a", "b", "c", "d"]), np.array([1, 2, 2, 3, 4]))
    assert groups[0] == groups[1] == groups[2]
    assert len({groups[0], groups[3], groups[4]}) == 3


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.sampled_from([None, 25, 80]), st.integers(0, 30))
def test_folds_are_whole_and_each_sample_is_tested_once(seed, folds, patients, repeats):
    generator = np.random.default_rng(seed)
    number = int(generator.integers(60, 200))
    labels = generator.permutation(np.arange(number) % 3)
    groups = None if patients is None else generator.integers(0, patients, number).astype(str)
    alike = np.arange(number)
    alike[generator.integers(0, number, repeats)] = generator.integers(0, number, repeats)
    dataset = data(labels, groups)
    tested = np.zeros(number, int)
    for fold in range(folds):
        try:
            split = split_samples(dataset, None, SplitRecipe(folds=folds, fold=fold, seed=seed % 99), alike)
        except DataError:
            return  # groups and repeats may chain everything together
        tested += split.names == "test"
        for name in ("train", "validation", "test"):
            others = split.groups[split.names != name]
            assert not np.isin(split.groups[split.names == name], others).any()
            assert (split.names == name).any()
    assert (tested == 1).all()


def test_a_fold_leaves_fifteen_percent_of_all_images_to_validation():
    split = split_samples(data(np.arange(1000) % 4), None, SplitRecipe(folds=5, fold=3))
    assert [int((split.names == name).sum()) for name in ("train", "validation", "test")] == [650, 150, 200]
    assert split.method.startswith("test images are fold 3 of 0 to 4, stratified, by image; validation held out")


def test_more_folds_than_groups_are_refused():
    dataset = data(np.arange(40) % 2, np.array([f"patient {number % 4}" for number in range(40)]))
    with pytest.raises(DataError, match="4 groups are too few for 5 folds; use at most 4 folds"):
        split_samples(dataset, None, SplitRecipe(folds=5))


def test_images_that_are_alike_stay_together_and_are_set_aside_where_the_split_is_given():
    alike = np.arange(400)
    alike[[10, 200, 300]] = 10
    split = split_samples(data(np.arange(400) % 4), None, SplitRecipe(), None, alike)
    assert len(set(split.names[[10, 200, 300]])) == 1
    names = np.array(["train"] * 300 + ["test"] * 100)
    split = split_samples(data(np.arange(400) % 4, split=names), None, SplitRecipe(), alike)
    assert split.names[[10, 200, 300]].tolist() == ["unused", "unused", "test"]
    assert split.notes == ("2 training images are copies of a held-out image and are not used.",)


def test_unused_images_of_a_given_split_stay_unused():
    names = np.array(["train"] * 60 + ["unused"] * 20 + ["test"] * 20)
    split = split_samples(data(np.arange(100) % 2, split=names), None, SplitRecipe())
    assert (split.names[60:80] == "unused").all()
    assert not np.isin(split.names[:60], ["unused", "test"]).any()
