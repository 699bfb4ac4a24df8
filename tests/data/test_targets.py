from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.data.dataset import ArrayImages, DataSet
from opsin.data.reading import check_classes
from opsin.data.split import split_samples
from opsin.data.targets import TARGETS
from opsin.errors import DataError
from opsin.recipe import SplitRecipe
from opsin.tasks.table import TASKS

VALUES = TARGETS["regression"]


def ages(values, **more):
    images = ArrayImages(np.zeros((len(values), 2, 2), np.uint8))
    return DataSet("faces", ("age",), images, np.asarray(values), task="regression", **more)


def test_there_is_a_form_for_every_task():
    assert list(TARGETS) == list(TASKS)


def test_an_unknown_task_is_named():
    with pytest.raises(DataError, match=r"no task 'regresion' \(did you mean 'regression'\?\)"):
        DataSet("faces", ("age",), ArrayImages(np.zeros((2, 2, 2), np.uint8)), np.zeros(2), task="regresion")


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
