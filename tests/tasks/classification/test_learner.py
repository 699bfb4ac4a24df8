from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from opsin.data.batches import Batch
from opsin.data.preprocessing import Preprocessing
from opsin.inference.predict_images import predict_images
from opsin.tasks.class_weights import balanced_class_weights
from opsin.tasks.classification.learner import ClassificationLearner
from opsin.tasks.classification.predictions import Classifications


class Given(nn.Module):
    """Returns its first values as logits, whatever the images."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images):
        return self.logits[: len(images)]


LOGITS = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(12) % 4
IMAGES = torch.zeros(12, 1, 2, 2)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_equals_torch(smoothing, weighted):
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0]) if weighted else None
    loss = ClassificationLearner(4, smoothing, weights).loss(Given(LOGITS), Batch(IMAGES, TARGETS))
    expected = nn.CrossEntropyLoss(weight=weights, label_smoothing=smoothing)(LOGITS, TARGETS)
    torch.testing.assert_close(loss["loss"], expected)
    assert loss["accuracy"].item() == pytest.approx((LOGITS.argmax(1) == TARGETS).float().mean().item())


def test_mixed_targets_have_a_loss_but_no_accuracy():
    soft = torch.softmax(LOGITS.flip(0), dim=1)
    logged = ClassificationLearner(4).loss(Given(LOGITS), Batch(IMAGES, soft))
    assert set(logged) == {"loss"}
    expected = -(soft * LOGITS.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(logged["loss"], expected)


def test_scores_equal_scikit_learn():
    task = ClassificationLearner(4)
    predictions = task.predict(Given(LOGITS), IMAGES)
    scores = task.score(predictions, TARGETS)
    labels, predicted = TARGETS.numpy(), LOGITS.argmax(1).numpy()
    assert scores["accuracy"] == pytest.approx(accuracy_score(labels, predicted), abs=1e-6)
    assert scores["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, predicted), abs=1e-6)
    assert scores["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"), abs=1e-6)
    assert scores["loss"] == pytest.approx(log_loss(labels, LOGITS.softmax(1).numpy()), abs=1e-5)
    assert all(type(value) is float for value in scores.values())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_predictions_are_softmax_of_logits_divided_by_the_temperature(temperature):
    made = ClassificationLearner(4, temperature=temperature).predict(Given(LOGITS), IMAGES)
    np.testing.assert_array_equal(made.probabilities, torch.softmax(LOGITS / temperature, dim=1).numpy())


def test_better_is_more_accurate_or_as_accurate_at_less_loss():
    task = ClassificationLearner(2)
    best = {"accuracy": 0.9, "loss": 0.5}
    assert task.better({"accuracy": 0.91, "loss": 0.9}, best)
    assert task.better({"accuracy": 0.9, "loss": 0.4}, best)
    assert not task.better({"accuracy": 0.9, "loss": 0.5}, best)
    assert not task.better({"accuracy": 0.89, "loss": 0.1}, best)


def test_balanced_weights_equal_scikit_learn():
    labels = np.repeat([0, 1, 2], [10, 3, 7])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    weights = balanced_class_weights(torch.bincount(torch.from_numpy(labels)))
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-6)
    assert balanced_class_weights(torch.tensor([4, 0, 4])).tolist() == [1.0, 0.0, 1.0]


def test_predicting_in_parts_is_predicting_at_once_and_keeps_the_mode():
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 5), nn.Dropout(0.5)).train()
    pixels = torch.randint(0, 256, (30, 6, 6, 1), dtype=torch.uint8)
    rows = torch.tensor([4, 29, 0, 7, 7])
    preprocessing = Preprocessing(6, 6, 1, mean=(0.4,), std=(0.2,))
    parts, whole = (
        predict_images(ClassificationLearner(5), network, preprocessing, pixels, rows, batch_size=size)
        for size in (2, 100)
    )
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=1e-6)
    assert network.training
    assert len(predict_images(ClassificationLearner(5), network, preprocessing, pixels, rows[:0])) == 0


def test_predictions_are_validated():
    with pytest.raises(ValueError, match="float32"):
        Classifications(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="sum to 1"):
        Classifications(np.ones((3, 2), np.float32))
