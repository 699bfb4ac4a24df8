import json
import math
import time

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from opsin.metrics import classification as metrics
from opsin.metrics.thresholds import average_precision, roc_auc
from opsin.statistics import bootstrap as intervals
from opsin.statistics.bootstrap import wilson
from opsin.statistics.clusters import group_method, groups_behind
from opsin.statistics.serialize import to_json
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.scorecard import OVERALL, PER_CLASS, score


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Classifications((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def simulate(generator, number, shares, strength, groups=0, alike=0.0, scale=1.0):
    """Predictions of a classifier whose errors are as alike within groups as the part ``alike`` of their noise."""
    labels = generator.choice(len(shares), number, p=shares)
    group_of = generator.integers(0, groups, number) if groups else None
    logits = generator.normal(size=(number, len(shares)))
    if groups:
        common = generator.normal(size=(groups, len(shares)))[group_of]
        logits = math.sqrt(1 - alike) * logits + math.sqrt(alike) * common
    logits[np.arange(number), labels] += strength
    return softmax(scale * logits), labels, group_of


def names(classes):
    return [f"class {index}" for index in range(classes)]


def certain(labels, classes):
    return Classifications(np.eye(classes, dtype=np.float32)[labels])


@pytest.mark.parametrize("groups", [0, 40])
def test_values_equal_independent_references(groups):
    predictions, labels, group_of = simulate(np.random.default_rng(0), 500, [0.5, 0.3, 0.15, 0.05], 1.5, groups, 0.2)
    scores = score(predictions, labels, names(4), group_of)
    predicted = predictions.labels
    assert list(scores)[:7] == list(OVERALL)
    assert list(scores)[7:12] == [f"{kind}/class 0" for kind in PER_CLASS]
    exact = predictions.probabilities.astype(float)
    exact /= exact.sum(axis=1, keepdims=True)
    one_hot = np.eye(4)[labels]
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": sklearn.metrics.f1_score(labels, predicted, average="macro"),
        "roc_auc": sklearn.metrics.roc_auc_score(labels, exact, multi_class="ovr", average="macro"),
        "average_precision": sklearn.metrics.average_precision_score(one_hot, predictions.probabilities),
        "log_loss": sklearn.metrics.log_loss(labels, predictions.probabilities),
        "calibration_error": metrics.calibration_error(labels, predictions.probabilities),
    }
    areas = sklearn.metrics.roc_auc_score(one_hot, predictions.probabilities, average=None)
    precisions = sklearn.metrics.average_precision_score(one_hot, predictions.probabilities, average=None)
    for index in range(4):
        expected |= {f"auc/class {index}": areas[index], f"average_precision/class {index}": precisions[index]}
    per_class = sklearn.metrics.precision_recall_fscore_support(labels, predicted)
    for kind, values in zip(("precision", "recall", "f1"), per_class, strict=False):
        expected |= {f"{kind}/class {index}": value for index, value in enumerate(values)}
    assert {name: interval.value for name, interval in scores.items()} == pytest.approx(expected, abs=1e-6)
    for interval in scores.values():
        assert interval.low < interval.value < interval.high


def test_of_two_classes_the_positive_one_is_ranked():
    predictions, labels, _ = simulate(np.random.default_rng(0), 200, [0.8, 0.2], 1.0)
    for positive in (0, 1, None):
        scores = score(predictions, labels, names(2), positive=None if positive is None else f"class {positive}")
        index = 1 if positive is None else positive
        true, given = labels == index, predictions.probabilities[:, index]
        assert scores["roc_auc"].value == pytest.approx(sklearn.metrics.roc_auc_score(true, given))
        expected = sklearn.metrics.average_precision_score(true, given)
        assert scores["average_precision"].value == pytest.approx(expected)
        assert scores["average_precision"] == scores[f"average_precision/class {index}"]


def test_a_perfect_ranking_is_as_sure_as_its_rarer_class():
    labels = np.repeat([0, 1], [50, 10])
    area = score(certain(labels, 2), labels, names(2))["roc_auc"]
    assert (area.value, area.high, area.method) == (1, 1, "Wilson bound")
    assert area.low == pytest.approx(wilson(10, 10).low)


def test_methods_and_numbers_are_stated():
    predictions, labels, group_of = simulate(np.random.default_rng(0), 300, [0.5, 0.5], 1.0, 16, 0.3)
    single = score(predictions, labels, ["a", "b/c"])
    assert single["accuracy"] == wilson((predictions.labels == labels).sum(), 300)
    methods = {
        "balanced_accuracy": "BCa and Wilson",
        "macro_f1": "BCa",
        "log_loss": "BCa",
        "f1/a": "BCa",
        "recall/b/c": "Wilson",
    }
    assert {name: single[name].method for name in methods} == methods
    assert single["calibration_error"].method == "reflected bootstrap"
    assert single["recall/a"].n == (labels == 0).sum() and single["precision/a"].n == (predictions.labels == 0).sum()
    grouped = score(predictions, labels, ["a", "b/c"], np.array([f"patient {group}" for group in group_of]))
    methods = ("cluster bootstrap", "clustered DeLong", "clustered jackknife")
    assert {interval.method for interval in grouped.values()} == {f"{name}, 16 groups: indicative" for name in methods}
    assert grouped["accuracy"].n == 300


def test_groups_are_told_from_a_method():
    assert groups_behind(group_method(16)) == 16
    assert groups_behind(group_method(1)) == 1
    assert groups_behind("Wilson") is None
    assert "indicative" not in group_method(30)


def test_images_each_in_a_group_of_its_own_are_ungrouped():
    predictions, labels, _ = simulate(np.random.default_rng(0), 60, [0.5, 0.5], 1.0)
    assert score(predictions, labels, names(2), np.arange(60)) == score(predictions, labels, names(2))


def test_intervals_are_the_same_every_time():
    predictions, labels, group_of = simulate(np.random.default_rng(0), 60, [0.5, 0.5], 1.0, 9, 0.3)
    assert score(predictions, labels, names(2), group_of) == score(predictions, labels, names(2), group_of)


def test_images_of_a_group_do_not_count_as_so_many():
    predictions, labels, group_of = simulate(np.random.default_rng(0), 50, [0.5, 0.5], 1.0)
    copies = Classifications(np.repeat(predictions.probabilities, 20, axis=0))
    once = score(predictions, labels, names(2))
    copied = score(copies, np.repeat(labels, 20), names(2), np.repeat(np.arange(50), 20))
    for name in OVERALL:
        width = once[name].high - once[name].low
        assert copied[name].high - copied[name].low == pytest.approx(width, rel=0.1)


def test_all_right_is_as_sure_as_wilson_says():
    labels = np.repeat([0, 1, 2], [50, 30, 10])
    scores = score(certain(labels, 3), labels, names(3))
    assert scores["accuracy"] == wilson(90, 90)
    assert scores["f1/class 2"].low == pytest.approx(wilson(10, 10).low)
    assert scores["f1/class 2"].method == "Wilson bound"
    assert scores["balanced_accuracy"].low < scores["accuracy"].low
    assert scores["balanced_accuracy"].high == 1
    assert scores["log_loss"].low < 1e-6 < 0.1 < scores["log_loss"].high


def test_a_single_group_says_little():
    labels = np.repeat([0, 1], 50)
    predictions, labels, _ = simulate(np.random.default_rng(0), 100, [0.5, 0.5], 2.0)
    scores = score(predictions, labels, names(2), np.zeros(100))
    assert scores["accuracy"].method == "Wilson bound, 1 group: indicative"
    assert scores["accuracy"].low < 0.3 and scores["accuracy"].high > 0.9


def test_a_class_in_few_groups_is_as_unsure_as_they_are():
    predictions, labels, _ = simulate(np.random.default_rng(0), 400, [0.5, 0.5], 1.0)
    group_of = np.where(labels == 0, np.arange(400) % 40, 40 + np.arange(400) % 3)
    scores = score(predictions, labels, names(2), group_of)
    assert scores["recall/class 0"].method == "cluster bootstrap, 40 groups"
    assert scores["recall/class 1"].method == "cluster bootstrap, 3 groups: indicative"


@pytest.mark.parametrize("grouped", [False, True])
def test_classes_without_images_or_predictions(grouped):
    labels = np.array([0] * 30 + [1] * 10)
    predicted = np.array([0] * 36 + [3] * 4)
    scores = score(certain(predicted, 5), labels, names(5), np.arange(40) // 2 if grouped else None)
    assert scores["recall/class 1"].value == 0
    assert scores["precision/class 1"].value == 0
    assert (scores["precision/class 1"].low, scores["precision/class 1"].high, scores["precision/class 1"].n) == (
        0,
        1,
        0,
    )
    for name in ("recall/class 3", "recall/class 4", "f1/class 4"):
        assert math.isnan(scores[name].value) and (scores[name].low, scores[name].high) == (0, 1)
    assert scores["f1/class 3"].value == 0
    rows = json.loads(json.dumps(to_json(scores), allow_nan=False))
    assert rows["recall/class 4"]["value"] is None


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 5), st.integers(0, 10**6))
def test_every_interval_is_finite_and_holds_its_value(number, classes, groups, seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, number)
    predictions = softmax(generator.choice([1.0, 30.0]) * generator.normal(size=(number, classes)))
    scores = score(predictions, labels, names(classes), generator.integers(0, groups, number) if groups else None)
    for name, interval in scores.items():
        assert 0 <= interval.low <= interval.high <= (16 if name == "log_loss" else 1)
        assert (
            math.isnan(interval.value)
            or interval.low <= interval.value + 1e-9
            and interval.value <= interval.high + 1e-9
        )
        assert interval.n <= number and isinstance(interval.n, int) and type(interval.low) is float


def test_what_does_not_fit_is_refused():
    predictions = certain(np.array([0, 1]), 2)
    for labels, groups in ((np.array([0]), None), (np.array([0, 1]), np.array(["a"]))):
        with pytest.raises(ValueError, match="cannot be scored"):
            score(predictions, labels, names(2), groups)
    with pytest.raises(ValueError, match="cannot be scored"):
        score(Classifications(np.zeros((0, 2), np.float32)), np.zeros(0, np.int64), names(2))


def test_ten_thousand_images_of_a_hundred_classes_take_seconds():
    predictions, labels, _ = simulate(np.random.default_rng(0), 10_000, np.full(100, 0.01), 3.0)
    start = time.process_time()
    score(predictions, labels, names(100))
    assert time.process_time() - start < 8


def test_wilson_holds_its_level():
    for n in (20, 100, 1000):
        bounds = np.array([(interval.low, interval.high) for interval in (wilson(k, n) for k in range(n + 1))])
        rates = np.linspace(0.05, 0.99, 95)
        holds = (bounds[:, 0] <= rates[:, None]) & (rates[:, None] <= bounds[:, 1])
        coverage = (holds * stats.binom.pmf(np.arange(n + 1), n, rates[:, None])).sum(axis=1)
        assert 0.94 < coverage.mean() < 0.965


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "shares", "strength", "groups", "scale"),
    [(60, [0.5, 0.5], 1.0, 0, 1.0), (200, [0.6, 0.3, 0.1], 1.5, 0, 1.0), (300, [0.5, 0.5], 1.0, 30, 2.0)],
)
def test_intervals_hold_their_level(number, shares, strength, groups, scale, monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 1000)
    generator = np.random.default_rng(1)
    predictions, labels, _ = simulate(generator, 200_000, shares, strength, groups and 50_000, 0.3, scale)
    confusion = metrics.confusion_matrix(labels, predictions.labels, len(shares))
    truth = {
        "accuracy": metrics.accuracy(confusion),
        "balanced_accuracy": metrics.balanced_accuracy(confusion),
        "macro_f1": metrics.macro_f1(confusion),
        "log_loss": metrics.log_loss(labels, predictions.probabilities),
        "calibration_error": metrics.calibration_error(labels, predictions.probabilities),
        "recall/class 0": metrics.recall(confusion)[0],
        "f1/class 1": metrics.f1(confusion)[1],
    }
    for name, area in (("roc_auc", roc_auc), ("average_precision", average_precision)):
        areas = [area(labels == index, predictions.probabilities[:, index]) for index in range(len(shares))]
        truth[name] = areas[-1] if len(shares) == 2 else np.mean(areas)
    held = dict.fromkeys(truth, 0)
    for _ in range(300):
        predictions, labels, group_of = simulate(generator, number, shares, strength, groups, 0.3, scale)
        scores = score(predictions, labels, names(len(shares)), group_of)
        for name, value in truth.items():
            held[name] += scores[name].low <= value <= scores[name].high
    coverage = {name: count / 300 for name, count in held.items()}
    # 300 data sets tell a coverage to 1.3 points; the calibration error's interval is wide by design.
    assert all(0.92 <= value <= (1 if name == "calibration_error" else 0.98) for name, value in coverage.items()), (
        coverage
    )
    assert 0.93 <= np.mean(list(coverage.values())) <= 0.97


@pytest.mark.slow
def test_a_rare_class_that_is_all_right_does_not_feign_certainty(monkeypatch):
    """Bootstraps alone miss the balanced accuracy here in one data set of eight."""
    monkeypatch.setattr(intervals, "RESAMPLES", 1000)
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        labels = generator.choice(3, 1000, p=[0.7, 0.2, 0.1])
        predicted = np.where(generator.random(1000) < 0.995, labels, (labels + 1) % 3)
        balanced = score(certain(predicted, 3), labels, names(3))["balanced_accuracy"]
        held += balanced.low <= 0.995 <= balanced.high
    assert held / 100 >= 0.93


def test_groups_of_one_class_are_scored_by_the_mean_of_their_images():
    labels = np.repeat([0, 1, 0, 1], 3)
    groups = np.repeat(["d", "a", "c", "b"], 3)
    zeros = [0.9, 0.9, 0.1, 0.4, 0.1, 0.2, 0.3, 0.4, 0.6, 0.2, 0.9, 0.3]  # group c is wrong, two of its images are
    predictions = Classifications(np.array([[zero, 1 - zero] for zero in zeros], np.float32))
    scores = score(predictions, labels, ("x", "y"), groups)
    found = scores["group_accuracy"]
    assert (found.value, found.n, found.method) == (0.75, 4, "Wilson over 4 groups")
    assert (found.low, found.high) == (wilson(3, 4).low, wilson(3, 4).high)
    labels[0] = 1
    assert "group_accuracy" not in score(predictions, labels, ("x", "y"), groups)
    assert "group_accuracy" not in score(predictions, labels, ("x", "y"))
    assert "group_accuracy" not in score(predictions, labels, ("x", "y"), np.arange(12))
