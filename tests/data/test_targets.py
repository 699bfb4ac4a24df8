from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.read import check_classes
from opsin.data.splitting.split import split_samples
from opsin.data.targets import ClassTargets, DecodedMasks, LabelTargets, MaskTargets, ValueTargets
from opsin.errors import DataError
from opsin.recipe.schema import SplitRecipe
from opsin.tasks.registry import TASKS


def ages(values, **more):
    images = ArrayImages(np.zeros((len(values), 2, 2), np.uint8))
    return Dataset("faces", ("age",), images, ValueTargets(np.asarray(values)), **more)


@pytest.mark.parametrize("task", TASKS)
def test_there_is_a_form_for_every_task(task):
    forms = (ClassTargets, LabelTargets, ValueTargets, MaskTargets)
    assert [form.task for form in forms].count(task) == 1


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200))
def test_strata_hold_about_as_many_images_each_and_rise_with_the_value(values):
    values = np.array(values)
    strata = ValueTargets(values).strata(("age",))
    assert np.all(np.diff(strata[np.argsort(values, kind="stable")]) >= 0) and strata.min() >= 0
    if len(np.unique(values)) == len(values):
        assert len(np.unique(strata)) == np.clip(len(values) // 10, 1, 10)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_values_are_read_as_they_were_written(value):
    assert ValueTargets(np.zeros(1)).relabel(0, ValueTargets(np.array([value])).text(0, ("age",)), ("age",)).values[
        0
    ] == pytest.approx(value, rel=1e-11)


@pytest.mark.parametrize(
    "values, message",
    [
        ([1.0, np.nan], "finite"),
        ([1.0, -1e300, 2.0], "the value -1e.300 is beyond"),
        ([[1.0], [2.0]], "numbers"),
        (["a", "b"], "numbers"),
    ],
)
def test_values_that_are_no_numbers_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        ages(values)


def test_too_few_or_equal_values_cannot_be_learned():
    with pytest.raises(DataError, match="only 5 images; at least 10"):
        check_classes(ages(np.arange(5.0)))
    with pytest.raises(DataError, match="the same age"):
        check_classes(ages(np.ones(50)))
    with pytest.raises(DataError, match="learns numbers, and 'old' is none"):
        ValueTargets(np.zeros(1)).relabel(0, "old", ("age",))


def test_splits_are_stratified_by_value():
    values = np.random.default_rng(0).exponential(10, 400)
    dataset = ages(values)
    split = split_samples(dataset, None, SplitRecipe())
    assert "stratified by value" in split.method
    for name in ("validation", "test"):
        rows = split.indices(name)
        assert np.median(values[rows]) == pytest.approx(np.median(values), rel=0.2)
        assert np.bincount(dataset.strata[rows], minlength=10).min() >= 5


def test_ranges_are_what_people_sort_by():
    dataset = ages(np.arange(40.0))
    assert dataset.describe() == "age from 0 to 39"
    kinds = dataset.kinds()
    assert [name for name, _ in kinds] == ["0 to 9", "10 to 19", "20 to 29", "30 to 39"]
    assert np.array_equal(np.concatenate([rows for _, rows in kinds]), np.arange(40))
    assert dataset.text(3) == "3" and len(dataset.counts()) == 0


def pets(labels, classes=("cat", "dog", "owl"), **more):
    labels = np.asarray(labels)
    images = ArrayImages(np.zeros((len(labels), 2, 2), np.uint8))
    return Dataset("pets", classes, images, LabelTargets(labels), **more)


def test_labels_are_true_or_false():
    assert pets([[1, 0, 1], [0, 0, 0]]).targets.values.dtype == bool
    with pytest.raises(DataError, match="must be 0 or 1"):
        pets([[2, 0, 1]])
    with pytest.raises(DataError, match=r"\(N, 3\)"):
        pets([[1, 0]])
    with pytest.raises(DataError, match="must not be empty nor hold ';'"):
        pets([[1, 0, 0]], ("cat", "a;b", "owl"))


def test_every_label_needs_images_with_it_and_without_it():
    rows = np.zeros((30, 3), bool)
    rows[:10, 0], rows[5:20, 1], rows[3:5, 2] = True, True, True
    with pytest.raises(DataError, match="2 images with the label 'owl'; at least 3"):
        check_classes(pets(rows))
    rows[:28, 2] = True
    with pytest.raises(DataError, match="2 images without the label 'owl'"):
        check_classes(pets(rows))
    rows[14:, 2] = False
    check_classes(pets(rows))


def test_rare_labels_are_shared_out_evenly():
    generator = np.random.default_rng(0)
    rows = generator.random((600, 3)) < (0.5, 0.4, 0.03)
    dataset = pets(rows)
    strata = dataset.strata
    assert set(np.unique(strata[rows[:, 2]])) == {2} and set(strata[~rows.any(1)]) == {3}
    for seed in range(5):
        split = split_samples(dataset, None, SplitRecipe(seed=seed))
        for name in ("validation", "test"):
            wanted = 0.15 * rows[:, 2].sum()
            assert abs(rows[split.indices(name), 2].sum() - wanted) <= 1


def test_labels_are_written_read_and_translated():
    row = np.array([True, False, True])
    assert LabelTargets(row[None]).text(0, ("cat", "dog", "owl")) == "cat;owl"
    empty = LabelTargets(np.zeros((1, 3), bool))
    assert empty.relabel(0, "owl; cat", ("cat", "dog", "owl")).values[0].tolist() == row.tolist()
    with pytest.raises(DataError, match="no label 'bat'"):
        LabelTargets(np.zeros((1, 1), bool)).relabel(0, "bat", ("cat",))
    known = LabelTargets(np.array([[1, 0]], bool)).translate("other", ("owl", "ant"), ("cat", "owl"), "run")
    assert known.values.tolist() == [[False, True]]
    with pytest.raises(DataError, match="'ant', which run was not trained on"):
        LabelTargets(np.array([[1, 1]], bool)).translate("other", ("owl", "ant"), ("cat", "owl"), "run")
    assert LabelTargets(np.array([[1, 0, 0]], bool)).reorder([2, 0, 1]).values.tolist() == [[False, True, False]]
    assert [name for name, _ in pets([[1, 0, 1], [0, 0, 0]]).kinds()] == ["cat", "dog", "owl", "(no label)"]


def test_masks_and_the_classes_they_show_in_another_order():
    masks = DecodedMasks(np.array([[[0, 1], [2, 255]], [[2, 2], [2, 2]]], np.uint8))
    files = ArrayImages(masks.values)
    shown = MaskTargets(np.array([[True, True, False], [False, False, True]]), files)
    order = [2, 0, 1]  # place in the new order -> place in the old one
    np.testing.assert_array_equal(masks.reorder(order).values[0], [[1, 2], [0, 255]])
    np.testing.assert_array_equal(shown.reorder(order).values[0], [False, True, True])
    assert shown.text(0, ("a", "b", "c")) == "a;b" and masks.text(0, ("a", "b", "c")) == "a;b;c"
    assert masks.text(1, ("a", "b", "c")) == "c"
    assert [(name, rows.tolist()) for name, rows in shown.take([0]).kinds(("a", "b", "c"))] == [
        ("a", [0]),
        ("b", [0]),
        ("c", []),
    ]
    three = MaskTargets(np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1]], bool), ArrayImages(np.zeros((3, 2, 2), np.uint8)))
    np.testing.assert_array_equal(three.strata("abc"), [1, 0, 2])
    np.testing.assert_array_equal(masks.take([1, 0]).same(masks), [False, False])
    with pytest.raises(DataError, match="mended in their files"):
        shown.relabel(0, "a", ("a", "b", "c"))


def test_there_is_a_mask_for_each_image():
    with pytest.raises(DataError, match="3 images but 2 masks"):
        MaskTargets(np.ones((3, 2), bool), ArrayImages(np.zeros((2, 4, 4), np.uint8))).checked("a", ("no", "yes"))
