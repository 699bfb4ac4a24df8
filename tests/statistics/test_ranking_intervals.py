import numpy as np
import pytest
from scipy.stats import norm, t
from sklearn.metrics import average_precision_score, roc_auc_score

from opsin.metrics.thresholds import average_precision, average_precision_influence, roc_auc_influence
from opsin.statistics.clusters import membership_of
from opsin.statistics.ranking_intervals import ranking_intervals


def covariance_of_delong(positives, scores):
    """DeLong et al. 1988, equations 4 to 7, pair by pair, for areas that share their positive images."""
    placed = []
    for column in scores.T:
        above = np.sign(column[positives][:, None] - column[~positives][None, :]) / 2 + 0.5
        placed.append((above.mean(axis=1), above.mean(axis=0)))
    ones, zeros = (np.cov(np.array(parts)) for parts in zip(*placed, strict=True))
    return ones / positives.sum() + zeros / (~positives).sum()


def logit_bounds(value, variance, free):
    odds, half = np.log(value / (1 - value)), t.ppf(0.975, free) * np.sqrt(variance) / (value * (1 - value))
    return tuple(1 / (1 + np.exp(-odds - np.array([-half, half]))))


@pytest.fixture
def data():
    random = np.random.default_rng(1)
    positives = random.random(90) < 0.3
    scores = np.round(random.normal(size=(90, 2)) + positives[:, None], 1)
    return positives, scores


def test_variances_are_delongs_and_the_mean_takes_their_covariance_into_account(data):
    positives, scores = data
    covariance = covariance_of_delong(positives, scores)
    each, mean = ranking_intervals(roc_auc_influence, [positives, positives], scores.T, "DeLong")
    values = [roc_auc_score(positives, column) for column in scores.T]
    for interval, value, variance in zip(each, values, np.diagonal(covariance), strict=True):
        assert interval.value == pytest.approx(value)
        assert (interval.low, interval.high) == pytest.approx(logit_bounds(value, variance, positives.sum() - 1))
    assert mean.value == pytest.approx(np.mean(values))
    variances = np.diagonal(covariance)
    free = variances.sum() ** 2 / (variances**2 / (positives.sum() - 1)).sum()
    assert (mean.low, mean.high) == pytest.approx(logit_bounds(mean.value, covariance.mean(), free))


@pytest.mark.parametrize("influence", [roc_auc_influence, average_precision_influence])
def test_copies_of_images_in_groups_do_not_count(data, influence):
    positives, scores = data
    (once,), _ = ranking_intervals(influence, [positives], scores.T[:1], "m")
    copied, column, groups = np.repeat(positives, 7), np.repeat(scores[:, 0], 7), np.repeat(np.arange(90), 7)
    (grouped,), _ = ranking_intervals(influence, [copied], [column], "m", membership_of(groups))
    assert grouped.method == f"clustered m, {positives.sum()} groups: indicative"
    assert grouped.n == 630 and grouped.value == pytest.approx(once.value)
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high), abs=0.01)


def test_areas_without_spread_still_have_an_interval():
    def single(positive, scores):
        return ranking_intervals(roc_auc_influence, [positive], [scores], "DeLong")[0][0]

    perfect = single(np.repeat([True, False], [10, 30]), np.repeat([1.0, 0.0], [10, 30]))
    assert perfect.value == perfect.high == 1 and 0.7 < perfect.low < 0.75 and perfect.method == "Wilson bound"
    alone = single(np.array([True, False, False]), np.array([0.5, 0.2, 0.7]))
    assert alone.value == 0.5 and 0 < alone.low < 0.2 and 0.8 < alone.high < 1
    undefined = single(np.zeros(3, bool), np.zeros(3))
    assert np.isnan(undefined.value) and (undefined.low, undefined.high) == (0, 1)


def test_areas_that_are_undefined_do_not_enter_the_mean(data):
    positives, scores = data
    each, mean = ranking_intervals(roc_auc_influence, [positives, np.zeros(90, bool)], scores.T, "DeLong")
    assert np.isnan(each[1].value)
    assert (mean.value, mean.low, mean.high) == pytest.approx((each[0].value, each[0].low, each[0].high))


@pytest.mark.parametrize(("number", "part"), [(100, 0.4), (400, 0.1), (400, 0.5)])
@pytest.mark.parametrize("effect", [0.5, 1.5])
def test_intervals_hold_their_level(number, part, effect):
    """Normal scores: the true area is the normal distribution function of effect / sqrt(2)."""
    random = np.random.default_rng(0)
    many = random.random(400_000) < part
    truth = {
        roc_auc_influence: norm.cdf(effect / np.sqrt(2)),
        average_precision_influence: average_precision_score(many, random.normal(size=len(many)) + effect * many),
    }
    held = dict.fromkeys(truth, 0)
    for _ in range(800):
        positive = random.random(number) < part
        scores = random.normal(size=number) + effect * positive
        for influence, value in truth.items():
            (interval,), _ = ranking_intervals(influence, [positive], [scores], "m")
            held[influence] += interval.low <= value <= interval.high
    # 800 data sets tell a coverage to 0.8 points.
    assert all(0.93 <= count / 800 <= 0.97 for count in held.values()), held


@pytest.mark.parametrize("groups", [40, 100])
def test_intervals_of_grouped_images_hold_their_level(groups):
    """Six images to a group, half of the noise shared by the group; single images would be taken for too sure."""
    random, size = np.random.default_rng(0), 6
    group_of = np.repeat(np.arange(groups), size)
    membership = membership_of(group_of)

    def draw(number):
        positive = np.repeat(random.random(number) < 0.5, size) ^ (random.random(number * size) < 0.2)
        shared = np.repeat(random.normal(size=number), size)
        return positive, (shared + random.normal(size=number * size)) / np.sqrt(2) + 1.5 * positive

    many = draw(100_000)
    truth = {roc_auc_influence: norm.cdf(1.5 / np.sqrt(2)), average_precision_influence: average_precision(*many)}
    held = dict.fromkeys([*truth, "single"], 0)
    for _ in range(500):
        positive, scores = draw(groups)
        for influence, value in truth.items():
            (interval,), _ = ranking_intervals(influence, [positive], [scores], "m", membership)
            held[influence] += interval.low <= value <= interval.high
        (single,), _ = ranking_intervals(roc_auc_influence, [positive], [scores], "m")
        held["single"] += single.low <= truth[roc_auc_influence] <= single.high
    assert all(0.925 <= held[influence] / 500 <= 0.975 for influence in truth), held
    assert held["single"] / 500 < 0.92
