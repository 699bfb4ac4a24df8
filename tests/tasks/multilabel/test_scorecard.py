from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn

from opsin.data.targets import LabelTargets
from opsin.evaluation.comparison.differences import measure
from opsin.evaluation.comparison.pairing import Paired
from opsin.evaluation.task import evaluation_of
from opsin.statistics.bootstrap import wilson
from opsin.tasks.multilabel.predictions import LabelSets
from opsin.tasks.multilabel.scorecard import OVERALL, PER_LABEL, score
from opsin.tasks.multilabel.thresholds import choose_label_thresholds

NAMES = ("cat", "dog", "owl")


def made(images=150, noise=1.0, seed=0, tied=False):
    generator = np.random.default_rng(seed)
    truth = generator.random((images, 3)) < (0.5, 0.3, 0.1)
    logits = 2 * truth - 1 + generator.normal(0, noise, truth.shape)
    chances = (1 / (1 + np.exp(-logits))).astype(np.float32)
    chances = np.round(chances, 1) if tied else chances
    return truth, LabelSets(chances, chances >= 0.5)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_scores_equal_scikit_learn_and_lie_in_their_intervals(grouped, tied):
    truth, predictions = made(tied=tied)
    chances, given = predictions.probabilities, predictions.labels
    scores = score(predictions, truth, NAMES, np.arange(150) // 3 if grouped else None)
    assert list(scores)[:4] == list(OVERALL) and len(scores) == 4 + 3 * len(PER_LABEL)
    expected = {
        "map": sklearn.average_precision_score(truth, chances),
        "mean_auc": sklearn.roc_auc_score(truth, chances),
        "macro_f1": sklearn.f1_score(truth, given, average="macro"),
        "exact_match": sklearn.accuracy_score(truth, given),
    }
    for at, name in enumerate(NAMES):
        own, said = truth[:, at], given[:, at]
        expected[f"average_precision/{name}"] = sklearn.average_precision_score(own, chances[:, at])
        expected[f"auc/{name}"] = sklearn.roc_auc_score(own, chances[:, at])
        expected[f"f1/{name}"] = sklearn.f1_score(own, said)
        expected[f"recall/{name}"] = sklearn.recall_score(own, said)
        expected[f"precision/{name}"] = sklearn.precision_score(own, said)
    for name, value in expected.items():
        assert scores[name].value == pytest.approx(value, abs=1e-6), name
        assert scores[name].low <= scores[name].value <= scores[name].high and scores[name].low < scores[name].high
        assert ("50 groups" in scores[name].method or "groups" in scores[name].method) == grouped
    if not grouped:
        assert scores["exact_match"] == wilson(int((truth == given).all(1).sum()), 150)


def test_labels_without_positives_or_calls():
    truth, predictions = made()
    truth[:, 2] = False
    given = predictions.labels.copy()
    given[:, 2] = False
    scores = score(LabelSets(predictions.probabilities, given), truth, NAMES)
    for name in ("average_precision/owl", "auc/owl", "f1/owl", "recall/owl"):
        assert math.isnan(scores[name].value) and (scores[name].low, scores[name].high) == (0, 1)
    assert scores["precision/owl"].value == 0
    two = score(LabelSets(predictions.probabilities[:, :2], given[:, :2]), truth[:, :2], NAMES[:2])
    for name in ("map", "mean_auc", "macro_f1"):
        assert scores[name].value == pytest.approx(two[name].value)
    with pytest.raises(ValueError, match="cannot be scored"):
        score(predictions, truth[:5], NAMES)


def test_thresholds_have_the_highest_f1_there_is():
    truth, predictions = made(300, noise=2)
    thresholds, chosen = choose_label_thresholds(truth, predictions.probabilities)
    assert chosen.all() and thresholds.dtype == np.float32
    for at in range(3):
        chances = predictions.probabilities[:, at]
        best = max(sklearn.f1_score(truth[:, at], chances >= each) for each in np.unique(chances))
        assert sklearn.f1_score(truth[:, at], chances >= thresholds[at]) == pytest.approx(best)
        assert thresholds[at] not in chances


def test_too_few_images_choose_no_threshold():
    truth = np.zeros((40, 2), bool)
    truth[:4, 0], truth[:5, 1] = True, True
    chances = np.linspace(0.9, 0.1, 40, dtype=np.float32)[:, None].repeat(2, axis=1)
    thresholds, chosen = choose_label_thresholds(truth, chances)
    assert chosen.tolist() == [False, True] and thresholds[0] == 0.5 and chances[5, 1] < thresholds[1] < chances[4, 1]


def paired(*noises, images=160):
    truth, _ = made(images)
    results = []
    for number, noise in enumerate(noises):
        logits = 2 * truth - 1 + np.random.default_rng(10 + number).normal(0, noise, truth.shape)
        chances = (1 / (1 + np.exp(-logits))).astype(np.float32)
        results.append(LabelSets(chances, chances >= 0.5))
    rows = np.zeros((len(noises), images), np.int64)
    return Paired([], "multilabel", LabelTargets(truth), NAMES, results, rows, None, [images] * len(noises))


def test_differences_of_runs_are_those_of_their_scores():
    data = paired(0.7, 2.5)
    measured = measure(evaluation_of("multilabel").compare(data), [[0], [1]])
    cards = [score(result, data.targets.values, NAMES) for result in data.predictions]
    assert measured.names == OVERALL
    for difference in measured.differences:
        values = [card[difference.score].value for card in cards]
        assert difference.value == pytest.approx(values[0] - values[1], abs=1e-9)
        assert difference.low < difference.value < difference.high and difference.better == 0
    assert next(each for each in measured.differences if each.score == "exact_match").test == "McNemar's test (mid-p)"


def test_equal_runs_cannot_be_told_apart():
    data = paired(1.5, 1.5)
    measured = measure(evaluation_of("multilabel").compare(data), [[0], [1]])
    assert all(each.better is None for each in measured.differences)
