import math

import numpy as np
import pytest
from scipy import sparse, stats

from opsin.statistics import bootstrap as intervals
from opsin.statistics.bootstrap import (
    bca,
    bootstrap,
    mean_bounds,
    number_of_resamples,
    reflected,
    wilson,
    without_spread,
)


def mean(sums):
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums[..., 1] / sums[..., 0])[..., None]


def terms_of(values):
    return sparse.csr_array(np.column_stack([np.ones(len(values)), values]))


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (7, 30), (974, 1000)])
def test_wilson_equals_scipy(successes, n):
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    interval = wilson(successes, n)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert (interval.value, interval.method, interval.n) == (successes / n, "Wilson", n)


def test_wilson_of_nothing_says_so():
    interval = wilson(0, 0)
    assert math.isnan(interval.value)
    assert (interval.low, interval.high) == (0, 1)
    assert interval.to_dict() == {"value": None, "low": 0.0, "high": 1.0, "method": "Wilson", "n": 0}


def test_mean_bounds_add_up_like_standard_errors():
    single = wilson(30, 40)
    assert mean_bounds([single]) == pytest.approx((single.low, single.high))
    low, high = mean_bounds([wilson(3000, 4000)] * 4)
    error = 1.96 * math.sqrt(0.75 * 0.25 / 16000)
    assert (low, high) == pytest.approx((0.75 - error, 0.75 + error), abs=2e-4)
    assert mean_bounds([wilson(10, 10), wilson(20, 20)])[1] == 1


def test_bca_equals_scipy_on_a_skewed_mean():
    values = np.random.default_rng(3).exponential(size=150)
    low, high = bca(bootstrap(terms_of(values), mean, resamples=20000))
    expected = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=20000, random_state=0).confidence_interval
    width = expected.high - expected.low
    # Ours is wider by the correction for few values, which is 1 % here; the rest is the noise of resampling.
    assert low[0] == pytest.approx(expected.low, abs=0.03 * width)
    assert high[0] == pytest.approx(expected.high, abs=0.03 * width)


def test_units_that_stand_for_several_images_equal_those_images():
    values, counts = np.array([0.1, 0.5, 2.0, 4.0]), np.array([30, 10, 5, 1])
    together = bootstrap(terms_of(values), mean, counts, resamples=20000)
    apart = bootstrap(terms_of(np.repeat(values, counts)), mean, resamples=20000)
    np.testing.assert_allclose(together.values, apart.values)
    np.testing.assert_allclose(together.acceleration, apart.acceleration)
    np.testing.assert_allclose(bca(together), bca(apart), rtol=0.03)


def test_acceleration_is_that_of_the_jackknife():
    values = np.random.default_rng(0).exponential(size=40)
    left_out = np.array([np.delete(values, index).mean() for index in range(40)])
    deviations = left_out.mean() - left_out
    expected = (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
    assert bootstrap(terms_of(values), mean).acceleration[0] == pytest.approx(expected)


def test_chunks_do_not_change_the_result(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    whole = bootstrap(terms_of(values), mean)
    monkeypatch.setattr(intervals, "CHUNK", 333)
    np.testing.assert_allclose(bootstrap(terms_of(values), mean).resampled, whole.resampled)


def test_number_of_resamples_follows_its_rule():
    assert [number_of_resamples(n) for n in (1, 10_000, 12_500, 10**7)] == [2000, 2000, 1600, 1000]


def test_scores_that_never_vary_have_no_bounds_of_the_bootstrap():
    result = bootstrap(terms_of(np.ones(12)), mean)
    assert np.isnan(bca(result)).all() and np.isnan(reflected(result)).all()
    single = bootstrap(terms_of(np.ones(1)), mean)
    assert np.isnan(bca(single)).all() and np.isnan(reflected(single)).all()


def test_bounds_without_spread_are_those_of_wilson():
    assert without_spread(1.0, 20)[0] == pytest.approx(wilson(20, 20).low)
    assert without_spread(0.0, 20) == pytest.approx((0, wilson(0, 20).high))
    low, high = without_spread(2.0, 1, most=16)
    assert 0 < low < 2 < high < 16
    assert without_spread(0.4, 0) == pytest.approx((0, 1))


def test_two_groups_give_all_that_was_seen():
    low, high = bca(bootstrap(terms_of(np.array([0.2, 0.6])), mean))
    assert (low[0], high[0]) == pytest.approx((0.2, 0.6))
