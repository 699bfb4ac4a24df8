import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, stats

from opsin.statistics import paired_tests
from opsin.statistics.paired_tests import holm, mcnemar, paired_proportions, sign_flip, wald_bounds


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 1), (3, 9), (9, 3), (40, 61), (5, 5), (0, 12)])
def test_mcnemar_is_the_exact_test_without_half_of_what_was_seen(only_first: int, only_second: int) -> None:
    exact = stats.binomtest(only_first, only_first + only_second).pvalue
    seen = stats.binom.pmf(only_first, only_first + only_second, 0.5)
    assert mcnemar(only_first, only_second) == pytest.approx(exact - seen if only_first != only_second else 1)


def test_networks_that_agree_everywhere_are_not_told_apart() -> None:
    assert mcnemar(0, 0) == 1


def chances_of_disagreement(n: int, first: float, second: float) -> np.ndarray:
    """Probability of b images that only the first and c that only the second gets right, ``(n + 1, n + 1)``."""
    b, c = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    possible = b + c <= n
    chances = stats.multinomial.pmf(
        np.stack([b, c, np.maximum(n - b - c, 0)], axis=-1)[possible], n, [first, second, 1 - first - second]
    )
    table = np.zeros(b.shape)
    table[possible] = chances
    return table


@pytest.mark.parametrize("n", [50, 150])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.4])
def test_mcnemar_rejects_no_more_than_promised(n: int, share: float) -> None:
    chances = chances_of_disagreement(n, share / 2, share / 2)
    rejects = np.array([[mcnemar(b, c) < 0.05 for c in range(n + 1)] for b in range(n + 1)])
    assert 0.02 < chances[rejects].sum() < 0.052


@pytest.mark.parametrize(("first", "second"), [(0.1, 0.1), (0.15, 0.05), (0.3, 0.1), (0.06, 0.04)])
def test_intervals_of_a_difference_in_accuracy_hold_their_level(first: float, second: float) -> None:
    n = 150
    chances = chances_of_disagreement(n, first, second)
    bounds = np.array([[paired_proportions(b, c, n) for c in range(n + 1)] for b in range(n + 1)])
    held = (bounds[..., 0] <= first - second) & (first - second <= bounds[..., 1])
    assert 0.93 <= chances[held].sum() <= 0.97


def test_bonett_and_price_by_hand() -> None:
    """20 and 10 of 100: (21 - 11) / 102, plus or minus 1.96 times the root of (32/102 - (10/102)^2) / 102."""
    half = 1.959964 * np.sqrt((32 / 102 - (10 / 102) ** 2) / 102)
    assert paired_proportions(20, 10, 100) == pytest.approx((10 / 102 - half, 10 / 102 + half))
    assert paired_proportions(0, 1, 1)[0] == -1 and paired_proportions(1, 0, 1)[1] == 1


def test_wald_bounds_are_students() -> None:
    expected = stats.t.interval(0.95, 19, loc=0.3, scale=0.1)
    assert wald_bounds(0.3, 0.01, 20) == pytest.approx(expected)


def mean(sums: np.ndarray) -> np.ndarray:
    return sums[..., :1] / 10


def test_sign_flips_equal_scipys_permutations_of_pairs() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(0.5, 1, 10), random.normal(0, 1, 10)
    expected = stats.permutation_test((first - second,), np.sum, permutation_type="samples", n_resamples=np.inf)
    found = sign_flip(sparse.csr_array(first[:, None]), sparse.csr_array(second[:, None]), mean)
    assert found[0] == pytest.approx(expected.pvalue, abs=0.015)


def test_sign_flips_in_small_steps_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    terms = [sparse.csr_array(random.normal(size=(10, 1))) for _ in range(2)]
    whole = sign_flip(*terms, mean)
    assert sign_flip(*terms, mean) == whole
    monkeypatch.setattr(paired_tests, "CHUNK", 5_000)
    assert sign_flip(*terms, mean) == pytest.approx(whole, abs=0.02)


def test_networks_alike_are_rejected_as_often_as_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired_tests, "PERMUTATIONS", 1_999)
    random, rejected = np.random.default_rng(0), 0
    for _ in range(600):
        first, second = random.gamma(1, size=(2, 40, 1))
        rejected += sign_flip(sparse.csr_array(first), sparse.csr_array(second), mean)[0] < 0.05
    low, high = stats.binom.interval(0.999, 600, 0.05)
    assert low <= rejected <= high


def test_equal_predictions_are_never_told_apart() -> None:
    terms = sparse.csr_array(np.random.default_rng(0).normal(size=(20, 1)))
    assert sign_flip(terms, terms, mean) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_the_stepwise_procedure(values: list[float]) -> None:
    """Rejecting corrected values below a level is the same as stepping through the sorted ones (Holm 1979)."""
    p_values = np.array(values)
    corrected = holm(p_values)
    for level in (0.01, 0.05, 0.3):
        rejected = np.zeros(len(p_values), bool)
        for step, place in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[place] * (len(p_values) - step) >= level:
                break
            rejected[place] = True
        np.testing.assert_array_equal(corrected < level, rejected)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
