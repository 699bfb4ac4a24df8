from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.read import check_classes
from opsin.data.splitting.split import split_samples
from opsin.data.targets import TARGETS
from opsin.errors import DataError
from opsin.recipe.schema import SplitRecipe
from opsin.tasks.registry import TASKS

VALUES = TARGETS["regression"]


def ages(values, **more):
    images = ArrayImages(np.zeros((len(values), 2, 2), np.uint8))
    return Dataset("faces", ("age",), images, np.asarray(values), task="regression", **more)


def test_there_is_a_form_for_every_task():
    assert list(TARGETS) == list(TASKS)


def test_an_unknown_task_is_named():
    with pytest.raises(DataError, match="no task 'regresion' .did you mean 'regression'"):
        Dataset("faces", ("age",), ArrayImages(np.zeros((2, 2, 2), np.uint8)), np.zeros(2), task="regresion")


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200))
def test_strata_hold_about_as_many_images_each_and_rise_with_the_value(values):
    values = np.array(values)
    strata = VALUES.strata(values, ("age",))
    assert np.all(np.diff(strata[np.argsort(values, kind="stable")]) >= 0) and strata.min() >= 0
    if len(np.unique(values)) == len(values):
        assert len(np.unique(strata)) == np.clip(len(values) // 10, 1, 10)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_values_are_read_as_they_were_written(value):
    assert VALUES.parse(VALUES.text(value, ("age",)), ("age",)) == pytest.approx(value, rel=1e-11)


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
        VALUES.parse("old", ("age",))


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


LABELS = TARGETS["multilabel"]


def pets(labels, classes=("cat", "dog", "owl"), **more):
    labels = np.asarray(labels)
    images = ArrayImages(np.zeros((len(labels), 2, 2), np.uint8))
    return Dataset("pets", classes, images, labels, task="multilabel", **more)


def test_labels_are_true_or_false():
    assert pets([[1, 0, 1], [0, 0, 0]]).labels.dtype == bool
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
    assert LABELS.text(row, ("cat", "dog", "owl")) == "cat;owl"
    assert LABELS.parse("owl; cat", ("cat", "dog", "owl")).tolist() == row.tolist()
    with pytest.raises(DataError, match="no label 'bat'"):
        LABELS.parse("bat", ("cat",))
    known = LABELS.translate("other", np.array([[1, 0]], bool), ("owl", "ant"), ("cat", "owl"), "run")
    assert known.tolist() == [[False, True]]
    with pytest.raises(DataError, match="'ant', which run was not trained on"):
        LABELS.translate("other", np.array([[1, 1]], bool), ("owl", "ant"), ("cat", "owl"), "run")
    assert LABELS.reorder(np.array([[1, 0, 0]], bool), [2, 0, 1]).tolist() == [[False, True, False]]
    assert [name for name, _ in pets([[1, 0, 1], [0, 0, 0]]).kinds()] == ["cat", "dog", "owl", "(no label)"]


def test_masks_and_the_classes_they_show_in_another_order():
    form = TARGETS["segmentation"]
    masks = np.array([[[0, 1], [2, 255]]], np.uint8)
    shown = np.array([[True, True, False]])
    order = [2, 0, 1]  # place in the new order -> place in the old one
    np.testing.assert_array_equal(form.reorder(masks, order), [[[1, 2], [0, 255]]])
    np.testing.assert_array_equal(form.reorder(shown, order), [[False, True, True]])
    assert form.text(shown[0], ("a", "b", "c")) == "a;b" and form.text(masks[0], ("a", "b", "c")) == "a;b;c"
    assert form.text(masks[0, 1], ("a", "b", "c")) == "c"
    assert [(name, rows.tolist()) for name, rows in form.kinds(shown, ("a", "b", "c"))] == [
        ("a", [0]),
        ("b", [0]),
        ("c", []),
    ]
    np.testing.assert_array_equal(form.strata(np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1]], bool), "abc"), [1, 0, 2])
