"""Regression: a number for each image."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from opsin.data.batches import Batch
from opsin.errors import RecipeError, TrainingError
from opsin.recipe.recipe import Recipe
from opsin.tasks.regression.losses import LOSSES
from opsin.tasks.regression.predictions import Values
from opsin.tasks.regression.scorecard import METRICS


class RegressionLearner:
    """A loss of standardized values, and the errors of values in their own unit.

    Targets are standardized by the training images' mean and standard deviation, so that losses and learning rates do
    not depend on the unit; predictions are scaled back.

    Args:
        mean: Of the training targets.
        deviation: Their standard deviation, above 0.
        absolute_deviation: Their mean absolute distance from the mean, which is what always naming it is off by.
        loss: A key of `LOSSES`.
    """

    name = "regression"
    main_score = "mae"
    lower_is_better = True
    num_mix_classes = 0

    def __init__(self, mean: float, deviation: float, absolute_deviation: float, loss: str = "huber"):
        self.mean, self.deviation, self.absolute_deviation = mean, deviation, absolute_deviation
        self.criterion = LOSSES[loss]

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of standardized values, and the mean absolute error in the unit of the data, both scalars."""
        outputs = network(batch.images).float()[:, 0]
        wanted = (batch.targets - self.mean) / self.deviation
        error = (outputs.detach() - wanted).abs().mean() * self.deviation
        return {"loss": self.criterion(outputs, wanted), "mae": error}

    def predict(self, network: nn.Module, images: Tensor) -> Values:
        """Return the values of normalized images ``(N, C, H, W)``.

        Raises:
            TrainingError: The network's weights have diverged so far that its outputs are not numbers.
        """
        values = network(images).float().detach()[:, 0].cpu() * self.deviation + self.mean
        if not values.isfinite().all():
            raise TrainingError(
                "The network's outputs are not numbers any more; the last good weights are kept. Try a lower "
                "--learning-rate, --clip 1, or --precision 32-true."
            )
        return Values(values.numpy())

    def join(self, parts: list[Values]) -> Values:
        """Return the predictions of several batches as one."""
        return Values.join(parts) if parts else Values(np.zeros(0, np.float32))

    def score(self, predictions: Values, targets: Tensor) -> dict[str, float]:
        """Return loss (of standardized values), MAE, RMSE and R² over a whole split."""
        wanted = (targets.double() - self.mean) / self.deviation
        outputs = (torch.from_numpy(predictions.values).double() - self.mean) / self.deviation
        truth, values = targets.double().numpy(), predictions.values
        return {
            "loss": float(self.criterion(outputs, wanted)),
            **{name: metric.value(truth, values) for name, metric in METRICS.items()},
        }

    def fitted_state(self) -> dict[str, Any]:
        """Return mean and deviations of the training targets."""
        return {"mean": self.mean, "deviation": self.deviation, "absolute_deviation": self.absolute_deviation}

    def sampling_weights(self, targets: Tensor) -> Tensor:
        """Return one everywhere: numbers have no classes to be rare."""
        return torch.ones(len(targets), dtype=torch.float64)

    def better(self, scores: dict[str, float], best: dict[str, float]) -> bool:
        """Whether the mean absolute error is lower, or the same at a lower loss."""
        return (scores["mae"], scores["loss"]) < (best["mae"], best["loss"])


def create_regression(
    recipe: Recipe, classes: int, training: Tensor | None = None, fitted: Mapping[str, Any] = MappingProxyType({})
) -> RegressionLearner:
    """Make the task of a resolved recipe.

    Args:
        recipe: Decides the loss.
        classes: 1, the number of outputs.
        training: float32 ``(N,)``, the values of the training images; needed for training alone.
        fitted: What the run has learned: ``mean``, ``deviation`` and ``absolute_deviation``.

    Raises:
        RecipeError: The recipe asks for what only classes have.
    """
    augmentation, choices = recipe.augmentation, recipe.training
    for_classes = {
        "training.balance": choices.balance != "none",
        "training.label_smoothing": choices.label_smoothing > 0,
        "augmentation.mixup": augmentation.mixup > 0,
        "augmentation.cutmix": augmentation.cutmix > 0,
    }
    wrong = [key for key, asked in for_classes.items() if asked]
    if wrong:
        raise RecipeError(f"{wrong[0]} is for classes, but a number is learned for each image; leave it out.")
    if training is not None:
        values = training.double()
        mean = float(values.mean())
        fitted = {
            "mean": mean,
            "deviation": float(values.std(correction=0)) or 1.0,
            "absolute_deviation": float((values - mean).abs().mean()),
        }
    loss = recipe.training.loss or "huber"
    return RegressionLearner(fitted["mean"], fitted["deviation"], fitted["absolute_deviation"], loss)
