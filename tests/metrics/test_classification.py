import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from opsin.metrics import classification as metrics


@st.composite
def labelled(draw):
    """Labels, probabilities with ties, number of classes; some classes may have no image or no prediction."""
    classes = draw(st.integers(2, 6))
    number = draw(st.integers(1, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    present = generator.choice(classes, draw(st.integers(1, classes)), replace=False)
    weights = generator.integers(0, draw(st.sampled_from([3, 1000])), (number, classes)) + 1e-3
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    return generator.choice(present, number), probabilities, classes


@given(labelled())
def test_confusion_matrix_and_its_scores_equal_scikit_learn(example):
    labels, probabilities, classes = example
    predicted = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(labels, predicted, classes)
    assert confusion.dtype == np.int64
    np.testing.assert_array_equal(
        confusion, sklearn.metrics.confusion_matrix(labels, predicted, labels=np.arange(classes))
    )
    assert metrics.accuracy(confusion) == pytest.approx((labels == predicted).mean())
    present = np.unique(labels)
    recalls = sklearn.metrics.recall_score(labels, predicted, labels=present, average=None)
    assert metrics.balanced_accuracy(confusion) == pytest.approx(recalls.mean())
    np.testing.assert_allclose(metrics.recall(confusion)[present], recalls)
    assert np.isnan(np.delete(metrics.recall(confusion), present)).all()
    everything = {"labels": np.arange(classes), "zero_division": 0}
    np.testing.assert_allclose(
        metrics.precision(confusion),
        sklearn.metrics.precision_score(labels, predicted, average=None, **everything),
    )
    occurring = np.union1d(labels, predicted)
    np.testing.assert_allclose(
        metrics.f1(confusion)[occurring],
        sklearn.metrics.f1_score(labels, predicted, labels=occurring, average=None, zero_division=0),
    )
    assert np.isnan(np.delete(metrics.f1(confusion), occurring)).all()
    expected = sklearn.metrics.f1_score(labels, predicted, labels=occurring, average="macro", zero_division=0)
    assert metrics.macro_f1(confusion) == pytest.approx(expected)


def test_balanced_accuracy_equals_scikit_learn():
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 4, (2, 200))
    expected = sklearn.metrics.balanced_accuracy_score(labels, predicted)
    assert metrics.balanced_accuracy(metrics.confusion_matrix(labels, predicted, 4)) == pytest.approx(expected)


def test_many_confusion_matrices_are_scored_at_once():
    confusions = np.random.default_rng(0).integers(0, 5, (3, 2, 4, 4))
    for score in (metrics.accuracy, metrics.balanced_accuracy, metrics.macro_f1, metrics.recall, metrics.precision):
        np.testing.assert_array_equal(score(confusions)[1, 1], score(confusions[1, 1]))


def test_confusion_matrix_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="between 0 and 1"):
        metrics.confusion_matrix([0, 2], [0, 1], 2)
    with pytest.raises(ValueError, match="must both be"):
        metrics.confusion_matrix([0, 1], [0], 2)


def test_no_images_have_no_scores():
    confusion = metrics.confusion_matrix([], [], 3)
    assert np.isnan(
        [metrics.accuracy(confusion), metrics.balanced_accuracy(confusion), metrics.macro_f1(confusion)]
    ).all()
    assert np.isnan(metrics.calibration_error(np.zeros(0, np.int64), np.zeros((0, 3))))


@given(labelled(), st.sampled_from([np.float32, np.float64]))
def test_log_loss_equals_scikit_learn(example, dtype):
    labels, probabilities, classes = example
    probabilities = probabilities.astype(dtype)
    expected = sklearn.metrics.log_loss(labels, probabilities, labels=np.arange(classes))
    assert metrics.log_loss(labels, probabilities) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_log_loss_of_impossible_truth_is_the_largest():
    probabilities = np.array([[1.0, 0.0]], np.float32)
    loss = metrics.log_loss(np.array([1]), probabilities)
    assert loss == pytest.approx(metrics.largest_log_loss(np.float32)) == pytest.approx(15.942385)
    assert loss == pytest.approx(sklearn.metrics.log_loss([1], probabilities, labels=[0, 1]), rel=1e-6)


def test_calibration_error_equals_torchmetrics():
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    generator = np.random.default_rng(0)
    for number in (1, 3, 60, 500):
        probabilities = generator.dirichlet([0.3, 0.3, 0.3], number).astype(np.float32)
        labels = generator.integers(0, 3, number)
        expected = functional.multiclass_calibration_error(
            torch.from_numpy(probabilities), torch.from_numpy(labels), num_classes=3, n_bins=15, norm="l1"
        )
        assert metrics.calibration_error(labels, probabilities) == pytest.approx(float(expected), abs=1e-6)


@given(labelled())
def test_calibration_error_is_its_formula(example):
    labels, probabilities, _ = example
    expected = 0.0
    for low in np.arange(8) / 8:
        rows = [row for row in range(len(labels)) if low <= probabilities[row].max() < low + 1 / 8 + (low == 7 / 8)]
        right = sum(probabilities[row].argmax() == labels[row] for row in rows)
        expected += abs(right - sum(probabilities[row].max() for row in rows)) / len(labels)
    assert metrics.calibration_error(labels, probabilities, bins=8) == pytest.approx(expected)


def test_reliability_describes_each_bin():
    probabilities = np.array([[0.55, 0.45], [0.45, 0.55], [0.95, 0.05], [0.0, 1.0]])
    table = metrics.reliability(np.array([0, 0, 0, 1]), probabilities, bins=10)
    np.testing.assert_allclose(table.edges, np.arange(11) / 10)
    np.testing.assert_array_equal(table.counts, [0, 0, 0, 0, 0, 2, 0, 0, 0, 2])
    assert table.accuracy[[5, 9]] == pytest.approx([0.5, 1])
    assert table.confidence[[5, 9]] == pytest.approx([0.55, 0.975])
    assert np.isnan(np.delete(table.accuracy, [5, 9])).all()
    assert metrics.calibration_error(np.array([0, 0, 0, 1]), probabilities, bins=10) == pytest.approx(
        0.5 * 0.05 + 0.5 * 0.025
    )


def test_overconfidence_has_a_sign():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1]])
    assert metrics.overconfidence(np.array([0, 1]), probabilities) == pytest.approx(0.4)
    assert metrics.overconfidence(np.array([0, 0]), probabilities) == pytest.approx(-0.1)
