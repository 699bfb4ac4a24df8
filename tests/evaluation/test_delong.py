import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from opsin.evaluation.delong import auc_influence, auc_interval


def covariance_of_delong(positives, scores):
    """DeLong et al. 1988, equations 4 to 7, pair by pair, for areas that share their positive images."""
    placed = []
    for column in scores.T:
        above = np.sign(column[positives][:, None] - column[~positives][None, :]) / 2 + 0.5
        placed.append((above.mean(axis=1), above.mean(axis=0)))
    ones, zeros = (np.cov(np.array(parts)) for parts in zip(*placed, strict=True))
    return ones / positives.sum() + zeros / (~positives).sum()


@pytest.fixture
def data():
    random = np.random.default_rng(1)
    positives = random.random(90) < 0.3
    scores = np.round(random.normal(size=(90, 2)) + positives[:, None], 1)
    return positives, scores


def test_the_variance_is_delongs(data):
    positives, scores = data
    expected = covariance_of_delong(positives, scores)
    first, second = (auc_influence(positives, column) for column in scores.T)
    np.testing.assert_allclose([first @ first, second @ second], np.diagonal(expected))
    assert first @ second == pytest.approx(expected[0, 1])
    assert first[positives].sum() == pytest.approx(0) == pytest.approx(first[~positives].sum())


def test_the_mean_of_areas_takes_their_covariance_into_account(data):
    positives, scores = data
    interval = auc_interval(np.column_stack([positives, positives]), scores)
    assert interval.value == pytest.approx(np.mean([roc_auc_score(positives, column) for column in scores.T]))
    logit = np.log(interval.value / (1 - interval.value))
    width = 1.959964 * np.sqrt(covariance_of_delong(positives, scores).mean()) / (interval.value * (1 - interval.value))
    assert (interval.low, interval.high) == pytest.approx(tuple(1 / (1 + np.exp(-logit - np.array([-width, width])))))


def test_areas_without_spread_still_have_an_interval():
    perfect = auc_interval(np.repeat([True, False], [10, 30]), np.repeat([1.0, 0.0], [10, 30]))
    assert perfect.value == perfect.high == 1 and 0.7 < perfect.low < 0.75
    single = auc_interval(np.array([True, False, False]), np.array([0.5, 0.2, 0.7]))
    assert single.value == 0.5 and 0 < single.low < 0.2 and 0.8 < single.high < 1
    undefined = auc_interval(np.zeros(3, bool), np.zeros(3))
    assert np.isnan(undefined.value) and (undefined.low, undefined.high) == (0, 1)


@pytest.mark.parametrize("effect", [0.5, 1.5, 2.5])
def test_intervals_hold_their_level(effect):
    """Normal scores: the true area is the normal distribution function of effect / sqrt(2)."""
    from scipy.stats import norm

    random, truth = np.random.default_rng(0), norm.cdf(effect / np.sqrt(2))
    positives = np.repeat([True, False], [40, 80])
    held = 0
    for _ in range(1000):
        interval = auc_interval(positives, random.normal(size=120) + effect * positives)
        held += interval.low <= truth <= interval.high
    assert 930 <= held <= 970
