from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from opsin.metrics.regression import mean_absolute_error, r2, root_mean_square_error


@given(st.integers(2, 60), st.integers(0, 10_000), st.booleans())
def test_scores_equal_scikit_learn(number, seed, tied):
    generator = np.random.default_rng(seed)
    truth, predicted = generator.normal(100, 30, (2, number))
    if tied:
        truth, predicted = np.round(truth / 20), np.round(predicted / 20)
    assert mean_absolute_error(truth, predicted) == pytest.approx(sklearn.mean_absolute_error(truth, predicted))
    expected = sklearn.root_mean_squared_error(truth, predicted)
    assert root_mean_square_error(truth, predicted) == pytest.approx(expected)
    if np.ptp(truth):
        assert r2(truth, predicted) == pytest.approx(sklearn.r2_score(truth, predicted), abs=1e-9)


def test_always_naming_the_mean_explains_nothing():
    truth = np.array([1.0, 2.0, 6.0])
    assert r2(truth, np.full(3, 3.0)) == 0 and r2(truth, truth) == 1 and r2(truth, truth[::-1]) < 0


def test_without_variance_or_images_there_is_no_score():
    assert math.isnan(r2([2, 2, 2], [2, 2, 3])) and math.isnan(r2([], []))
    assert math.isnan(mean_absolute_error([], [])) and math.isnan(root_mean_square_error([], []))
