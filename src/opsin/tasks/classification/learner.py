"""Classification: one label per image."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from opsin.data.batches import Batch
from opsin.errors import TrainingError
from opsin.metrics import classification as metrics
from opsin.recipe.recipe import Recipe
from opsin.tasks.class_weights import balanced_class_weights
from opsin.tasks.classification.predictions import Classifications


class ClassificationLearner:
    """Cross-entropy, softmax, and the scores of one label per image.

    Args:
        num_classes: Number of classes.
        label_smoothing: Part of the target shared among all classes.
        class_weights: float32 ``(num_classes,)``, the weight of each class in the loss; None: all equal.
        temperature: What logits are divided by in `predict`, above 0; see `opsin.evaluation.calibration`.
    """

    name = "classification"
    main_score = "accuracy"
    lower_is_better = False

    def __init__(
        self,
        num_classes: int,
        label_smoothing: float = 0.0,
        class_weights: Tensor | None = None,
        temperature: float = 1.0,
    ):
        self.num_classes = self.num_mix_classes = num_classes
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights
        self.temperature = temperature

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the mean cross-entropy and, unless images were mixed, the accuracy, both scalars."""
        logits = network(batch.images).float()
        weight = None if self.class_weights is None else self.class_weights.to(logits.device)
        loss = cross_entropy(logits, batch.targets, weight=weight, label_smoothing=self.label_smoothing)
        if batch.targets.ndim > 1:
            return {"loss": loss}
        return {"loss": loss, "accuracy": (logits.detach().argmax(1) == batch.targets).float().mean()}

    def predict(self, network: nn.Module, images: Tensor) -> Classifications:
        """Return the probabilities of normalized images ``(N, C, H, W)``.

        Raises:
            TrainingError: The network's weights have diverged so far that its outputs are not numbers.
        """
        probabilities = (network(images).float().detach() / self.temperature).softmax(dim=1).cpu()
        if not probabilities.isfinite().all():
            raise TrainingError(
                "The network's outputs are not numbers any more; the last good weights are kept. Try a lower "
                "--learning-rate, --clip 1, or --precision 32-true."
            )
        return Classifications(probabilities.numpy())

    def join(self, parts: list[Classifications]) -> Classifications:
        """Return the predictions of several batches as one."""
        rows = [part.probabilities for part in parts]
        return Classifications(np.concatenate(rows) if rows else np.zeros((0, self.num_classes), np.float32))

    def score(self, predictions: Classifications, targets: Tensor) -> dict[str, float]:
        """Return loss (natural log), accuracy, balanced accuracy and macro F1 over a whole split."""
        labels = targets.numpy()
        confusion = metrics.confusion_matrix(labels, predictions.labels, self.num_classes)
        return {
            "loss": float(metrics.log_loss(labels, predictions.probabilities)),
            "accuracy": float(metrics.accuracy(confusion)),
            "balanced_accuracy": float(metrics.balanced_accuracy(confusion)),
            "macro_f1": float(metrics.macro_f1(confusion)),
        }

    def fitted_state(self) -> dict[str, Any]:
        """Return nothing: the classes are all that predicting needs of the targets."""
        return {}

    def sampling_weights(self, targets: Tensor) -> Tensor:
        """Return one over the number of images of the same class, float64 ``(N,)``."""
        return (1 / torch.bincount(targets, minlength=self.num_classes).clamp(min=1).double())[targets]

    def better(self, scores: dict[str, float], best: dict[str, float]) -> bool:
        """Whether accuracy is higher, or the same at a lower loss."""
        return (scores["accuracy"], -scores["loss"]) > (best["accuracy"], -best["loss"])


def create_classification(
    recipe: Recipe, classes: int, training: Tensor | None = None, fitted: Mapping[str, Any] = MappingProxyType({})
) -> ClassificationLearner:
    """Make the task of a resolved recipe.

    Args:
        recipe: Decides the loss.
        classes: How many there are.
        training: int64 ``(N,)``, the classes of the training images; needed for training alone.
        fitted: What the run has learned; ``temperature`` is used.
    """
    weights = None
    if training is not None and recipe.training.balance == "weights":
        weights = balanced_class_weights(torch.bincount(training, minlength=classes))
    temperature = float(fitted.get("temperature", 1))
    return ClassificationLearner(classes, recipe.training.label_smoothing, weights, temperature)
