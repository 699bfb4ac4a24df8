import math

import numpy as np
import pytest
from scipy import stats

from opsin.evaluation.comparison.seeds import Spread, contrast, find_unstable, spread


def resampled(right: np.ndarray, resamples: int = 20_000) -> np.ndarray:
    """Accuracies of runs ``(runs, N)`` on images drawn with replacement, ``(resamples, runs)``."""
    n = right.shape[1]
    draws = np.random.default_rng(0).multinomial(n, np.ones(n) / n, size=resamples)
    return draws @ right.T / n


def cochran(right: np.ndarray) -> tuple[float, float]:
    """Cochran's Q and its p-value, from the formula of 1950."""
    runs, _ = right.shape
    of_run, of_image = right.sum(axis=1), right.sum(axis=0)
    q = runs * (runs - 1) * ((of_run - of_run.mean()) ** 2).sum() / (runs * of_image - of_image**2).sum()
    return float(q), float(stats.chi2.sf(q, runs - 1))


@pytest.mark.parametrize("shift", [0.0, 0.08])
def test_the_spread_of_accuracies_is_tested_as_by_cochran(shift: float) -> None:
    random = np.random.default_rng(2)
    right = (random.random((4, 300)) < np.array([0.8, 0.8, 0.8, 0.8 - shift])[:, None]).astype(float)
    found = spread(right.mean(axis=1), resampled(right), 300)
    q, p_value = cochran(right)
    assert found.variance == pytest.approx(right.mean(axis=1).var(ddof=1))
    # Cochran leaves the differences between runs in the spread within images, which is less than the noise here.
    assert 3 * found.variance / found.by_images == pytest.approx(q, rel=0.04)
    assert found.p_value == pytest.approx(p_value, abs=0.03)


def test_a_single_run_has_no_spread() -> None:
    alone = spread(np.array([0.9]), np.full((10, 1), 0.9), 50)
    assert alone.runs == 1 and math.isnan(alone.variance) and alone.p_value == 1


def test_runs_that_differ_although_all_images_agree_differ_for_sure() -> None:
    assert Spread(3, 0.01, 0.0).p_value == 0 and Spread(3, 0.0, 0.0).p_value == 1


def test_where_runs_differ_but_images_are_many_the_test_is_students() -> None:
    first, second = np.array([0.90, 0.92, 0.91]), np.array([0.85, 0.88, 0.86])
    spreads = [Spread(3, float(scores.var(ddof=1)), 1e-12) for scores in (first, second)]
    found = contrast(float(first.mean() - second.mean()), np.full(50, 0.05), 10**6, spreads)
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-4)
    interval = expected.confidence_interval(0.95)
    assert found.bounds() == pytest.approx((interval.low, interval.high), rel=1e-4)


def test_where_runs_agree_the_images_decide() -> None:
    random = np.random.default_rng(0)
    same = [Spread(3, 0.0, 0.0), Spread(3, 0.0, 0.0)]
    found = contrast(0.03, 0.03 + 0.02 * random.standard_normal(200_000), 400, same)
    assert found.error == pytest.approx(0.02, rel=0.01)
    assert found.p_value == pytest.approx(2 * stats.t.sf(1.5, 399), rel=0.02)
    assert found.by_seeds == 0 and found.by_images == pytest.approx(found.error**2)


def test_a_recipe_run_once_is_taken_to_spread_like_the_other() -> None:
    known = Spread(3, 0.0009, 0.0001)
    found = contrast(0.05, np.full(10, 0.05), 10**6, [known, Spread(1, math.nan, math.nan)])
    assert found.error == pytest.approx(math.sqrt(0.0009 / 3 + 0.0009))
    assert found.freedom == pytest.approx(2, rel=0.01)
    assert found.by_seeds == pytest.approx(0.0008 / 3 + 0.0008)


def test_no_difference_and_no_error_is_no_difference() -> None:
    same = [Spread(2, 0.0, 0.0)] * 2
    assert contrast(0.0, np.zeros(10), 50, same).p_value == 1
    assert contrast(0.5, np.full(10, 0.5), 50, same).p_value == 0


@pytest.mark.parametrize("runs", [2, 3, 5])
@pytest.mark.parametrize(("image", "run", "seed"), [(0, 1, 0), (0, 1, 4), (1, 1, 0), (1, 1, 1), (4, 1, 4)])
def test_differences_over_images_and_seeds_hold_their_level(runs: int, image: int, run: int, seed: int) -> None:
    """Normal scores of recipes that are equally good: variances of images, of images within runs, and of seeds."""
    random, held, trials = np.random.default_rng(1), 0, 1500
    normal = random.standard_normal(400)
    normal = (normal - normal.mean()) / normal.std(ddof=1)  # resamples whose variance is exactly what it should be
    for _ in range(trials):
        scores = random.normal(0, math.sqrt(run + seed), (2, runs))
        value = scores[0].mean() - scores[1].mean() + random.normal(0, math.sqrt(image))
        drawn = normal * math.sqrt(image + 2 * run / runs)
        found = contrast(value, drawn, 10**6, [Spread(runs, own.var(ddof=1), run) for own in scores])
        low, high = found.bounds()
        assert (found.p_value < 0.05) == (not low <= 0 <= high)
        held += low <= 0 <= high
    noise = 3 * math.sqrt(0.05 * 0.95 / trials)
    assert 0.93 - noise <= held / trials <= 0.975 + noise


def test_seeds_that_differ_more_than_images_explain_are_a_finding() -> None:
    scores = np.array([0.95, 0.94, 0.71])
    finding = find_unstable(scores, Spread(3, float(scores.var(ddof=1)), 0.0001), "accuracy", "mlp")
    assert finding is not None and (finding.kind, finding.severity) == ("unstable", "warning")
    assert "accuracy of the 3 runs of mlp lies between 0.710 and 0.950" in finding.sentence
    assert "images explains 0.010" in finding.evidence and "p < 0.001" in finding.evidence and finding.advice
    assert "its 3 runs" in find_unstable(scores, Spread(3, float(scores.var(ddof=1)), 0.0001), "accuracy").sentence


@pytest.mark.parametrize(
    ("scores", "by_images"),
    [
        ([0.95, 0.94, 0.93], 0.0001),  # the images explain it
        ([0.9510, 0.9512, 0.9530], 1e-9),  # they do not, but nobody needs to care
        ([0.95], math.nan),  # there is nothing to compare with
    ],
)
def test_seeds_that_agree_are_no_finding(scores: list[float], by_images: float) -> None:
    values = np.array(scores)
    variance = float(values.var(ddof=1)) if len(values) > 1 else math.nan
    assert find_unstable(values, Spread(len(values), variance, by_images), "accuracy") is None


def test_false_alarms_are_as_rare_as_promised() -> None:
    random, alarms, trials = np.random.default_rng(0), 0, 300
    for _ in range(trials):
        chance = random.random(120)
        right = (random.random((3, 120)) < chance).astype(float)
        found = spread(right.mean(axis=1), resampled(right, 400), 120)
        alarms += find_unstable(right.mean(axis=1), found, "accuracy") is not None
    assert alarms <= stats.binom.ppf(0.999, trials, 0.015)
