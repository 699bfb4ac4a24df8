from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from opsin.metrics.multilabel import (
    average_precisions,
    binary_log_loss,
    mean_average_precision,
    mean_roc_auc,
)


@given(st.integers(4, 60), st.integers(1, 5), st.integers(0, 10_000), st.booleans())
def test_scores_equal_scikit_learn(images, labels, seed, tied):
    generator = np.random.default_rng(seed)
    truth = generator.random((images, labels)) < 0.4
    truth[0], truth[1] = True, False
    probabilities = generator.random((images, labels))
    probabilities = np.round(probabilities, 1) if tied else probabilities
    for own, each in zip(range(labels), average_precisions(truth, probabilities), strict=True):
        assert each == pytest.approx(sklearn.average_precision_score(truth[:, own], probabilities[:, own]), abs=1e-9)
    expected = sklearn.average_precision_score(truth, probabilities, average="macro")
    assert mean_average_precision(truth, probabilities) == pytest.approx(expected, abs=1e-9)
    assert mean_roc_auc(truth, probabilities) == pytest.approx(sklearn.roc_auc_score(truth, probabilities), abs=1e-9)
    losses = [
        sklearn.log_loss(truth[:, own], np.clip(probabilities[:, own], 1e-15, 1 - 1e-15), labels=[False, True])
        for own in range(labels)
    ]
    assert tied or binary_log_loss(truth, probabilities) == pytest.approx(np.mean(losses), abs=1e-6)


def test_labels_without_positives_do_not_enter_the_means():
    truth = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1]], bool)
    probabilities = np.array([[0.9, 0.5, 0.2], [0.1, 0.4, 0.3], [0.8, 0.1, 0.9]])
    precisions = average_precisions(truth, probabilities)
    assert precisions[0] == 1 and math.isnan(precisions[1]) and precisions[2] == 1
    assert mean_average_precision(truth, probabilities) == 1 and mean_roc_auc(truth, probabilities) == 1
    nothing = np.zeros((2, 2), bool)
    assert math.isnan(mean_average_precision(nothing, probabilities[:2, :2]))
    assert math.isnan(mean_roc_auc(nothing, probabilities[:2, :2]))
    assert math.isnan(binary_log_loss(nothing[:0], probabilities[:0, :2]))
