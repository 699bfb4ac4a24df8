import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from opsin.evaluation.operating_points import SCORES, Aims, choose_thresholds, expected_cost, measure
from opsin.metrics.thresholds import calls_at
from opsin.statistics.bootstrap import wilson


@st.composite
def ranked(draw):
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = draw(st.integers(2, 50))
    positive = generator.random(number) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    positive[:2] = [True, False]
    scores = generator.integers(0, draw(st.sampled_from([1, 3, 10_000])), number, endpoint=True) / 10_000
    return positive, (scores / scores.max() if draw(st.booleans()) and scores.max() else scores).astype(np.float32)


@given(ranked(), st.floats(0.05, 1), st.floats(0, 20), st.floats(0, 20))
def test_chosen_thresholds_are_the_best_there_are(example, sensitivity, miss, alarm):
    positive, scores = example
    aims = Aims(sensitivity, miss, alarm)
    chosen = choose_thresholds(positive, scores, aims)
    every = calls_at(positive, scores, [-1.0, *scores, 2.0])
    best = {rule: calls_at(positive, scores, [threshold]) for rule, threshold in chosen.items()}
    youden = every.sensitivity + every.specificity
    assert (best["youden"].sensitivity + best["youden"].specificity)[0] == pytest.approx(youden.max())
    enough = every.sensitivity >= sensitivity - 1e-12
    assert best["sensitive"].sensitivity[0] >= sensitivity - 1e-12
    assert best["sensitive"].specificity[0] == pytest.approx(every.specificity[enough].max())
    assert expected_cost(best["cheapest"], aims)[0] == pytest.approx(expected_cost(every, aims).min())
    assert all(0 <= threshold <= np.nextafter(1, 2) for threshold in chosen.values())


def test_thresholds_lie_midway_between_the_images_they_part():
    positive, scores = np.array([True, True, False, False]), np.array([0.9, 0.8, 0.2, 0.1])
    assert set(choose_thresholds(positive, scores, Aims()).values()) == {0.5}


def test_without_images_of_both_kinds_nothing_can_be_chosen():
    assert choose_thresholds(np.ones(3, bool), np.array([0.1, 0.2, 0.3]), Aims()) == {}


def test_cost_is_that_of_the_mistakes_at_the_prevalence_to_come():
    positive = np.repeat([True, False], [10, 30])
    scores = np.concatenate([np.repeat([0.9, 0.1], [8, 2]), np.repeat([0.9, 0.1], [3, 27])])
    calls, aims = calls_at(positive, scores, [0.5]), Aims(cost_of_miss=5, cost_of_false_alarm=2)
    assert expected_cost(calls, aims)[0] == pytest.approx((5 * 2 + 2 * 3) / 40)
    assert expected_cost(calls, aims, prevalence=0.01)[0] == pytest.approx(5 * 0.01 * 0.2 + 2 * 0.99 * 0.1)


@settings(max_examples=30)
@given(ranked(), st.booleans())
def test_measured_scores_equal_scikit_learn(example, grouped):
    positive, scores = example
    thresholds = [0.5, float(scores[0]), -1.0, 2.0]
    points = measure(thresholds, positive, scores, np.arange(len(scores)) // 2 if grouped else None)
    for threshold, point in zip(thresholds, points, strict=True):
        called = scores >= threshold
        (rejected, alarms), (_, hits) = sklearn.metrics.confusion_matrix(positive, called, labels=[False, True])
        assert (point.threshold, point.true_positives, point.false_positives) == (threshold, hits, alarms)
        expected = {
            "sensitivity": sklearn.metrics.recall_score(positive, called),
            "specificity": sklearn.metrics.recall_score(~positive, ~called),
            "precision": sklearn.metrics.precision_score(positive, called, zero_division=np.nan),
            "f1": sklearn.metrics.f1_score(positive, called),
        }
        assert tuple(point.scores) == SCORES
        for name, value in expected.items():
            interval = point.scores[name]
            assert interval.value == pytest.approx(value, nan_ok=True)
            assert 0 <= interval.low <= interval.high <= 1
            assert np.isnan(value) or interval.low - 1e-9 <= value <= interval.high + 1e-9
    if not grouped:
        hits = points[0].true_positives
        assert points[0].scores["sensitivity"] == wilson(hits, positive.sum())
        assert points[0].scores["precision"].n == (scores >= 0.5).sum()


@pytest.mark.parametrize("groups", [0, 40])
def test_intervals_at_a_threshold_hold_their_level(groups, monkeypatch):
    from opsin.statistics import bootstrap as intervals

    monkeypatch.setattr(intervals, "RESAMPLES", 1000)
    random = np.random.default_rng(0)

    def draw(number):
        group_of = np.arange(number * 5) // 5
        positive = random.random(len(group_of)) < 0.4
        shared = np.repeat(random.normal(size=number), 5) if groups else random.normal(size=number * 5)
        logits = 0.7 * shared + 0.7 * random.normal(size=len(group_of)) + 2 * positive - 1
        return positive, 1 / (1 + np.exp(-logits)), group_of if groups else None

    positive, scores, _ = draw(100_000)
    truth = {name: interval.value for name, interval in measure([0.5], positive, scores)[0].scores.items()}
    held = dict.fromkeys(truth, 0)
    for _ in range(300):
        (point,) = measure([0.5], *draw(40))
        for name, interval in point.scores.items():
            held[name] += interval.low <= truth[name] <= interval.high
    # 300 data sets tell a coverage to 1.3 points.
    assert all(0.92 <= count / 300 <= 0.98 for count in held.values()), held
    assert 0.93 <= sum(held.values()) / 1200 <= 0.97, held
