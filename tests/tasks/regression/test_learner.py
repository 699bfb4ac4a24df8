from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch import nn

from opsin.data.batches import Batch
from opsin.errors import RecipeError, RunError, TrainingError
from opsin.recipe.recipe import Recipe
from opsin.tasks.regression.answers import ValueAnswers
from opsin.tasks.regression.files import read_predictions, write_predictions
from opsin.tasks.regression.learner import create_regression
from opsin.tasks.regression.losses import LOSSES
from opsin.tasks.regression.predictions import Values

TARGETS = torch.tensor([3.0, 5.0, 11.0, 4.0])
OUTPUTS = torch.tensor([[-0.5], [0.1], [1.2], [-2.5]])
IMAGES = torch.zeros(4, 1, 2, 2)


class Given(nn.Module):
    """Returns its outputs, whatever the images."""

    def __init__(self, outputs=OUTPUTS):
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self, images):
        return self.outputs[: len(images)]


def task(loss="huber"):
    return create_regression(Recipe().set("training.loss", loss), 1, TARGETS)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_that_of_standardized_values(loss):
    wanted = (TARGETS - TARGETS.mean()) / TARGETS.std(correction=0)
    logged = task(loss).loss(Given(), Batch(IMAGES, TARGETS))
    expected = {"huber": nn.HuberLoss(), "mse": nn.MSELoss(), "l1": nn.L1Loss()}[loss](OUTPUTS[:, 0], wanted)
    torch.testing.assert_close(logged["loss"], expected)
    values = OUTPUTS[:, 0] * TARGETS.std(correction=0) + TARGETS.mean()
    torch.testing.assert_close(logged["mae"], (values - TARGETS).abs().mean())


def test_predictions_have_the_unit_of_the_data_and_scores_equal_scikit_learn():
    made = task()
    predictions = made.predict(Given(), IMAGES)
    expected = OUTPUTS[:, 0] * TARGETS.std(correction=0) + TARGETS.mean()
    np.testing.assert_allclose(predictions.values, expected.numpy(), rtol=1e-6)
    scores = made.score(predictions, TARGETS)
    truth = TARGETS.numpy()
    assert scores["mae"] == pytest.approx(mean_absolute_error(truth, predictions.values), abs=1e-6)
    assert scores["rmse"] == pytest.approx(root_mean_squared_error(truth, predictions.values), abs=1e-6)
    assert scores["r2"] == pytest.approx(r2_score(truth, predictions.values), abs=1e-6)
    assert scores["loss"] == pytest.approx(made.loss(Given(), Batch(IMAGES, TARGETS))["loss"].item(), abs=1e-6)


def test_a_run_keeps_what_turns_outputs_into_values():
    first = task()
    again = create_regression(Recipe(), 1, fitted=first.fitted_state())
    np.testing.assert_array_equal(again.predict(Given(), IMAGES).values, first.predict(Given(), IMAGES).values)
    assert first.fitted_state()["absolute_deviation"] == pytest.approx((TARGETS - TARGETS.mean()).abs().mean().item())


def test_better_is_a_lower_error():
    made, best = task(), {"mae": 2.0, "loss": 0.5}
    assert made.better({"mae": 1.9, "loss": 0.9}, best) and made.better({"mae": 2.0, "loss": 0.4}, best)
    assert not made.better({"mae": 2.1, "loss": 0.1}, best)


@pytest.mark.parametrize(
    "key, value", [("training.balance", "weights"), ("training.label_smoothing", 0.1), ("augmentation.mixup", 0.2)]
)
def test_what_only_classes_have_is_refused(key, value):
    with pytest.raises(RecipeError, match=f"{key} is for classes"):
        create_regression(Recipe().set(key, value), 1, TARGETS)


def test_outputs_that_are_no_numbers_stop_training():
    with pytest.raises(TrainingError, match="not numbers any more"):
        task().predict(Given(OUTPUTS * torch.nan), IMAGES)
    with pytest.raises(ValueError, match="float32"):
        Values(np.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        Values(np.array([np.inf], np.float32))


def test_predictions_are_read_as_they_were_written(tmp_path):
    path, values = tmp_path / "predictions.csv", np.array([0.1, -2.5e9, 3.0])
    made = Values(np.array([1.5, 0.3, -7], np.float32))
    write_predictions(path, ["a.png", "b, c.png", "d"], ("age",), made, values)
    names, truth, again = read_predictions(path, ("age",))
    assert names == ["a.png", "b, c.png", "d"] and truth.tolist() == values.tolist()
    np.testing.assert_array_equal(again.values, made.values)
    path.write_text("image,true,predicted\na,1\n", encoding="utf-8")
    with pytest.raises(RunError):
        read_predictions(path, ("age",))


def test_answers_in_words_and_columns():
    answers = ValueAnswers(Values(np.array([1.5, 30.0], np.float32)), ("age",))
    assert answers.cells(0, True) == (["1.5"], []) and answers.cells(0, False) == ([""], [])
    assert answers.entry(1, True) == ({"value": 30.0}, {}) and answers.entry(1, False) == ({"value": None}, {})
    assert answers.summary(np.array([True, True])) == "age from 1.5 to 30, mean 15.75"
    assert answers.summary(np.array([False, False])) == "none answered"
    assert answers.prediction(1, "x.png", 0.4).value == 30.0


def test_groups_get_the_mean_of_their_images():
    made = Values(np.array([1, 3, 10], np.float32)).mean(np.array([0, 0, 1]), 2)
    assert made.values.tolist() == [2, 10]
