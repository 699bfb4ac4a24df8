import numpy as np
import pytest

from opsin.tasks.classification.gallery import select
from opsin.tasks.classification.predictions import Classifications


def example(number=400, classes=5, seed=0, strength=2.0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, number)
    weights = np.exp(generator.normal(size=(number, classes)) + strength * np.eye(classes)[labels])
    return labels, Classifications((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def true_probability(labels, predictions, rows):
    return predictions.probabilities[rows, labels[rows]]


def test_rows_go_from_worst_to_best_without_repeats():
    labels, predictions = example()
    rows = select(labels, predictions)
    assert rows.dtype == np.int64 and len(rows) == 48 == len(set(rows))
    assert (np.diff(true_probability(labels, predictions, rows)) >= 0).all()
    np.testing.assert_array_equal(rows, select(labels, predictions))


def test_the_worst_the_most_hesitant_and_the_surest_are_shown():
    labels, predictions = example()
    rows = select(labels, predictions)
    probability = true_probability(labels, predictions, np.arange(len(labels)))
    right = np.flatnonzero(predictions.labels == labels)
    ordered = np.sort(predictions.probabilities, axis=1)
    lead = (ordered[:, -1] - ordered[:, -2])[right]
    assert rows[0] == probability.argmin()
    assert right[lead.argmin()] in rows
    assert right[probability[right].argmax()] in rows
    assert (predictions.labels[rows] != labels[rows]).sum() == 36


def test_no_confusion_fills_the_gallery():
    # 60 images of 0 taken for 1, worse than the two other errors.
    labels = np.array([0] * 60 + [1, 2] + [2] * 100)
    probabilities = np.tile([0.05, 0.05, 0.9], (162, 1))
    probabilities[:60] = [0.01, 0.98, 0.01]
    probabilities[60] = [0.6, 0.3, 0.1]
    probabilities[61] = [0.5, 0.1, 0.4]
    rows = select(labels, Classifications(probabilities.astype(np.float32)), limit=12)
    assert {60, 61} <= set(rows)
    assert (rows < 60).sum() == 7
    assert (rows >= 62).sum() == 3


@pytest.mark.parametrize(("number", "limit"), [(0, 48), (1, 48), (5, 48), (48, 48), (100, 0), (100, 1), (100, 3)])
def test_few_images_or_places(number, limit):
    labels, predictions = example(number)
    assert len(select(labels, predictions, limit)) == min(number, limit)


@pytest.mark.parametrize("strength", [-20.0, 20.0])
def test_all_wrong_or_all_right_still_fill_the_places(strength):
    labels, predictions = example(strength=strength)
    assert len(set(select(labels, predictions))) == 48
