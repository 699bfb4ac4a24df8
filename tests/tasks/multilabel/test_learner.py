from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

from opsin.data.batches import Batch
from opsin.errors import RunError, TrainingError
from opsin.networks.averaging import average_label_probabilities
from opsin.recipe.recipe import Recipe
from opsin.tasks.multilabel.answers import SeveralLabels
from opsin.tasks.multilabel.files import read_predictions, write_predictions
from opsin.tasks.multilabel.learner import create_multilabel
from opsin.tasks.multilabel.predictions import LabelSets

NAMES = ("cat", "dog", "owl")
LOGITS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
TARGETS = (torch.rand(12, 3, generator=torch.Generator().manual_seed(1)) < 0.4).float()
IMAGES = torch.zeros(12, 1, 2, 2)


class Given(nn.Module):
    """Returns its logits, whatever the images."""

    def __init__(self, logits=LOGITS):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images):
        return self.logits[: len(images)]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_equals_torch(smoothing, weighted):
    recipe = Recipe().set("training.label_smoothing", smoothing)
    recipe = recipe.set("training.balance", "weights" if weighted else "none")
    logged = create_multilabel(recipe, 3, TARGETS).loss(Given(), Batch(IMAGES, TARGETS))
    weights = (12 - TARGETS.sum(0)) / TARGETS.sum(0) if weighted else None
    wanted = TARGETS * (1 - smoothing) + smoothing / 2
    torch.testing.assert_close(logged["loss"], nn.BCEWithLogitsLoss(pos_weight=weights)(LOGITS, wanted))
    assert logged["label_accuracy"].item() == pytest.approx(((LOGITS > 0) == (TARGETS > 0.5)).float().mean().item())


def test_predictions_are_sigmoids_that_reach_their_thresholds():
    task = create_multilabel(Recipe(), 3, fitted={"thresholds": [0.5, 0.9, 0.1]})
    made = task.predict(Given(), IMAGES)
    np.testing.assert_allclose(made.probabilities, torch.sigmoid(LOGITS).numpy())
    np.testing.assert_array_equal(made.labels, made.probabilities >= np.array([0.5, 0.9, 0.1], np.float32))
    assert len(task.join([])) == 0 and len(task.join([made, made])) == 24
    with pytest.raises(TrainingError, match="not numbers any more"):
        task.predict(Given(LOGITS * torch.nan), IMAGES)


def test_scores_equal_scikit_learn():
    task = create_multilabel(Recipe(), 3)
    made = task.predict(Given(), IMAGES)
    scores, truth = task.score(made, TARGETS), TARGETS.numpy()
    assert scores["map"] == pytest.approx(average_precision_score(truth, made.probabilities), abs=1e-6)
    assert scores["mean_auc"] == pytest.approx(roc_auc_score(truth, made.probabilities), abs=1e-6)
    assert scores["loss"] == pytest.approx(nn.BCEWithLogitsLoss()(LOGITS, TARGETS).item(), abs=1e-5)
    assert task.better({"map": 0.6, "loss": 9}, {"map": 0.5, "loss": 1})
    assert task.better({"map": 0.5, "loss": 0.9}, {"map": 0.5, "loss": 1})


def test_networks_are_averaged_by_the_probability_of_each_label():
    several = torch.stack([LOGITS, LOGITS.flip(0), LOGITS * 30])
    mean = average_label_probabilities(several).sigmoid()
    torch.testing.assert_close(mean, several.sigmoid().mean(0))


def test_rare_labels_are_drawn_more_often():
    targets = torch.tensor([[1, 0], [1, 0], [1, 1], [0, 0.0]])
    sampling_weights = create_multilabel(Recipe(), 2).sampling_weights(targets)
    assert sampling_weights.tolist() == pytest.approx([1 / 3, 1 / 3, 1, 1])


def test_predictions_are_read_as_they_were_written(tmp_path):
    path, truth = tmp_path / "predictions.csv", np.array([[1, 0, 1], [0, 0, 0]], bool)
    made = LabelSets(np.array([[0.9, 0.1, 0.3], [0.2, 0.7, 0.5]], np.float32), np.array([[1, 0, 0], [0, 1, 1]], bool))
    write_predictions(path, ["a.png", "b, c.png"], NAMES, made, truth)
    assert path.read_text(encoding="utf-8").splitlines()[1].startswith("a.png,cat;owl,cat,0.899999976,")
    names, labels, again = read_predictions(path, NAMES)
    assert names == ["a.png", "b, c.png"]
    np.testing.assert_array_equal(labels, truth)
    np.testing.assert_array_equal(again.labels, made.labels)
    np.testing.assert_array_equal(again.probabilities, made.probabilities)
    path.write_text("image,true,predicted,p(cat)\na,bird,,0.1\n", encoding="utf-8")
    with pytest.raises(RunError, match="no label 'bird'"):
        read_predictions(path, NAMES)


def test_answers_in_words_and_columns():
    made = LabelSets(np.array([[0.9, 0.1, 0.6], [0.2, 0.3, 0.1]], np.float32), np.array([[1, 0, 1], [0, 0, 0]], bool))
    answers = SeveralLabels(made, NAMES)
    assert answers.cells(0, True) == (["cat;owl"], ["0.899999976", "0.100000001", "0.600000024"])
    assert answers.cells(0, False)[0] == [""] and answers.show(1, True) == ["(none)"]
    assert answers.entry(0, True)[0] == {"labels": ["cat", "owl"]} and answers.entry(0, False)[0] == {"labels": None}
    assert answers.summary(np.array([True, True])) == "cat 1, owl 1"
    assert answers.summary(np.array([False, True])) == "no label was given"
    said = answers.prediction(0, "x.png", None)
    assert said.labels == ("cat", "owl") and said.probabilities["dog"] == pytest.approx(0.1)


def test_groups_get_the_labels_that_half_of_their_images_have():
    made = LabelSets(np.array([[0.9], [0.4], [0.2]], np.float32), np.array([[1], [0], [0]], bool))
    pooled = made.mean(np.array([0, 0, 1]), 2)
    assert pooled.probabilities[:, 0].tolist() == pytest.approx([0.65, 0.2])
    assert pooled.labels[:, 0].tolist() == [True, False]


def test_predictions_are_validated():
    with pytest.raises(ValueError, match="float32"):
        LabelSets(np.zeros((2, 2)), np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match="bool"):
        LabelSets(np.zeros((2, 2), np.float32), np.zeros((2, 1), bool))
    with pytest.raises(ValueError, match="between 0 and 1"):
        LabelSets(np.full((2, 2), 2, np.float32), np.zeros((2, 2), bool))
