import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from opsin.metrics import thresholds


@st.composite
def ranked(draw, both=True):
    """Positive or not, and scores with many ties or none."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    number = draw(st.integers(2, 60))
    positive = generator.random(number) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    if both:
        positive[:2] = [True, False]
    scores = generator.integers(0, draw(st.sampled_from([1, 2, 5, 100_000])), number, endpoint=True) / 100_000
    return positive, scores.astype(draw(st.sampled_from([np.float32, np.float64])))


@given(ranked())
def test_curves_equal_scikit_learn(example):
    positive, scores = example
    calls = thresholds.all_calls(positive, scores)
    false_alarms, found, cuts = sklearn.metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(1 - calls.specificity, false_alarms, atol=1e-12)
    np.testing.assert_allclose(calls.sensitivity, found, atol=1e-12)
    np.testing.assert_array_equal(calls.thresholds, cuts)
    precision, recall, cuts = sklearn.metrics.precision_recall_curve(positive, scores)
    np.testing.assert_allclose(calls.precision, precision[::-1], atol=1e-12)
    np.testing.assert_allclose(calls.sensitivity, recall[::-1], atol=1e-12)
    np.testing.assert_array_equal(calls.thresholds[1:], cuts[::-1])


@given(ranked())
def test_areas_equal_scikit_learn(example):
    positive, scores = example
    assert thresholds.roc_auc(positive, scores) == pytest.approx(sklearn.metrics.roc_auc_score(positive, scores))
    expected = sklearn.metrics.average_precision_score(positive, scores)
    assert thresholds.average_precision(positive, scores) == pytest.approx(expected)


@given(ranked(both=False), st.lists(st.floats(-0.5, 1.5), max_size=5))
def test_counts_at_thresholds_are_those_of_a_confusion_matrix(example, cuts):
    positive, scores = example
    calls = thresholds.calls_at(positive, scores, [*cuts, float(scores[0])])
    for index, cut in enumerate(calls.thresholds):
        expected = sklearn.metrics.confusion_matrix(positive, scores >= cut, labels=[False, True])
        false, true = calls.false_positives[index], calls.true_positives[index]
        assert expected.tolist() == [[calls.negatives - false, false], [calls.positives - true, true]]


def test_without_images_of_one_kind_there_is_no_area():
    scores = np.array([0.1, 0.2, 0.2])
    for kind in (True, False):
        assert np.isnan(thresholds.roc_auc(np.full(3, kind), scores))
        calls = thresholds.all_calls(np.full(3, kind), scores)
        assert np.isnan(calls.specificity if kind else calls.sensitivity).all()
    assert np.isnan(thresholds.average_precision(np.zeros(3, bool), scores))
    assert thresholds.average_precision(np.ones(3, bool), scores) == 1


@given(ranked())
def test_influence_on_the_average_precision_is_its_derivative(example):
    positive, scores = example
    value, moved = thresholds.average_precision_influence(positive, scores)
    step = 1e-6
    for image in range(min(len(scores), 5)):
        weights = np.ones(len(scores))
        weights[image] += step
        changed = sklearn.metrics.average_precision_score(positive, scores, sample_weight=weights)
        assert moved[image] == pytest.approx((changed - value) / step, abs=1e-4)
    assert moved.sum() == pytest.approx(0, abs=1e-12)


@given(ranked())
def test_influences_on_the_area_sum_to_the_variance_of_delong(example):
    positive, scores = example
    true, false = scores[positive], scores[~positive]
    if min(len(true), len(false)) < 2:
        return
    beats = (true[:, None] > false) + 0.5 * (true[:, None] == false)
    variance = beats.mean(axis=1).var(ddof=1) / len(true) + beats.mean(axis=0).var(ddof=1) / len(false)
    value, moved = thresholds.roc_auc_influence(positive, scores)
    assert value == pytest.approx(beats.mean())
    assert (moved**2).sum() == pytest.approx(variance, abs=1e-12)
    assert moved.sum() == pytest.approx(0, abs=1e-12)
