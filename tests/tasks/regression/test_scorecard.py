from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from opsin.data.targets import ValueTargets
from opsin.evaluation.comparison.differences import measure
from opsin.evaluation.comparison.pairing import Paired
from opsin.evaluation.task import evaluation_of
from opsin.tasks.regression.predictions import Values
from opsin.tasks.regression.scorecard import METRICS, score

NAME = ("age",)


def made(number=200, noise=3.0, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.normal(50, 10, number)
    return values, Values((values + generator.normal(0, noise, number)).astype(np.float32))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_scores_equal_scikit_learn_and_lie_in_their_intervals(grouped, tied):
    values, predictions = made()
    if tied:
        values, predictions = np.round(values / 10), Values(np.round(predictions.values / 10))
    scores = score(predictions, values, NAME, np.arange(200) // 5 if grouped else None)
    expected = [each(values, predictions.values) for each in (mean_absolute_error, root_mean_squared_error, r2_score)]
    for name, value in zip(tuple(METRICS), expected, strict=True):
        assert scores[name].value == pytest.approx(value, abs=1e-6)
        assert scores[name].low < scores[name].value < scores[name].high and scores[name].n == 200
        assert scores[name].method == ("cluster bootstrap, 40 groups" if grouped else "BCa")


def test_the_interval_of_the_mean_absolute_error_is_that_of_scipy():
    values, predictions = made(60)
    errors = np.abs(predictions.values - values)
    expected = scipy_bootstrap((errors,), np.mean, method="BCa", rng=np.random.default_rng(1)).confidence_interval
    found = score(predictions, values, NAME)["mae"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=0.03)


def test_grouped_images_that_resemble_each_other_count_for_less():
    values, predictions = made(300)
    shift = np.repeat(np.random.default_rng(1).normal(0, 8, 30), 10).astype(np.float32)
    shifted, groups = Values(predictions.values + shift), np.repeat(np.arange(30), 10)
    alone, together = score(shifted, values, NAME)["mae"], score(shifted, values, NAME, groups)["mae"]
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_values_that_are_all_equal_have_no_r2_and_one_image_a_wide_interval():
    flat = score(Values(np.array([1, 2, 4], np.float32)), np.full(3, 2.0), NAME)
    assert math.isnan(flat["r2"].value) and (flat["r2"].low, flat["r2"].high) == (0, 1)
    assert flat["mae"].value == 1
    one = score(Values(np.array([3], np.float32)), np.array([2.0]), NAME)["mae"]
    assert one.value == 1 and one.low < 1 <= one.high and one.method == "Wilson bound"
    with pytest.raises(ValueError, match="cannot be scored"):
        score(Values(np.zeros(0, np.float32)), np.zeros(0), NAME)


def test_perfect_predictions_are_not_called_certain():
    values = np.arange(20.0)
    found = score(Values(values.astype(np.float32)), values, NAME)
    assert found["mae"].value == found["mae"].low == 0 < found["mae"].high
    assert found["r2"].value == 1 and found["r2"].low < 1


def paired(*noises, number=150):
    generator = np.random.default_rng(3)
    values = generator.normal(0, 10, number)
    results = [Values((values + generator.normal(0, noise, number)).astype(np.float32)) for noise in noises]
    rows = np.zeros((len(noises), number), np.int64)
    return Paired([], "regression", ValueTargets(values), NAME, results, rows, None, [number] * len(noises))


def compared(data, recipes):
    return measure(evaluation_of("regression").compare(data), recipes)


def test_differences_of_runs_are_those_of_their_scores():
    data = paired(2.0, 4.0)
    measured = compared(data, [[0], [1]])
    cards = [score(result, data.targets.values, NAME) for result in data.predictions]
    assert measured.names == tuple(METRICS)
    for difference in measured.differences:
        values = [card[difference.score].value for card in cards]
        assert difference.value == pytest.approx(values[0] - values[1], abs=1e-9)
        assert difference.low < difference.value < difference.high and difference.better == 0


def test_equal_runs_cannot_be_told_apart():
    data = paired(3.0, 3.0)
    assert all(difference.better is None for difference in compared(data, [[0], [1]]).differences)
    seeds = compared(paired(3.0, 3.1, 2.9, 3.0), [[0, 1], [2, 3]])
    assert all(difference.better is None for difference in seeds.differences)
