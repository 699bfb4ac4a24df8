"""Several labels per image: each is true or false by itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from opsin.data.batches import Batch
from opsin.errors import TrainingError
from opsin.metrics import multilabel as metrics
from opsin.recipe.recipe import Recipe
from opsin.tasks.multilabel.predictions import LabelSets


class MultilabelLearner:
    """Binary cross-entropy and a sigmoid for each label, and the scores of several labels per image.

    Args:
        labels: How many labels there are.
        label_smoothing: Part of each target that is drawn to one half.
        positive_weights: float32 ``(labels,)``, what an image with the label counts in the loss beside one without;
            None: the same.
        thresholds: float32 ``(labels,)``, the probability from which a label is given; see `opsin.workflow.calibrate`.
    """

    name = "multilabel"
    main_score = "map"
    lower_is_better = False

    def __init__(
        self,
        labels: int,
        label_smoothing: float = 0.0,
        positive_weights: Tensor | None = None,
        thresholds: NDArray[np.float32] | None = None,
    ):
        self.num_mix_classes = labels
        self.label_smoothing = label_smoothing
        self.positive_weights = positive_weights
        self.thresholds = np.full(labels, 0.5, np.float32) if thresholds is None else thresholds

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the mean binary cross-entropy over images and labels, and the part of the labels that is right."""
        logits = network(batch.images).float()
        wanted = batch.targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        weights = None if self.positive_weights is None else self.positive_weights.to(logits.device)
        right = ((logits.detach() > 0) == (batch.targets > 0.5)).float().mean()
        loss = binary_cross_entropy_with_logits(logits, wanted, pos_weight=weights)
        return {"loss": loss, "label_accuracy": right}

    def predict(self, network: nn.Module, images: Tensor) -> LabelSets:
        """Return the probabilities of normalized images ``(N, C, H, W)``, and the labels that reach their threshold.

        Raises:
            TrainingError: The network's weights have diverged so far that its outputs are not numbers.
        """
        probabilities = network(images).float().detach().sigmoid().cpu()
        if not probabilities.isfinite().all():
            raise TrainingError(
                "The network's outputs are not numbers any more; the last good weights are kept. Try a lower "
                "--learning-rate, --clip 1, or --precision 32-true."
            )
        chances = probabilities.numpy()
        return LabelSets(chances, chances >= self.thresholds)

    def join(self, parts: list[LabelSets]) -> LabelSets:
        """Return the predictions of several batches as one."""
        empty = np.zeros((0, self.num_mix_classes))
        return LabelSets.join(parts) if parts else LabelSets(empty.astype(np.float32), empty.astype(bool))

    def score(self, predictions: LabelSets, targets: Tensor) -> dict[str, float]:
        """Return loss (natural log, unweighted), mAP, mean ROC AUC and the part of right labels over a whole split."""
        truth = targets.numpy() > 0.5
        return {
            "loss": metrics.binary_log_loss(truth, predictions.probabilities),
            "map": metrics.mean_average_precision(truth, predictions.probabilities),
            "mean_auc": metrics.mean_roc_auc(truth, predictions.probabilities),
            "label_accuracy": float((predictions.labels == truth).mean()),
        }

    def fitted_state(self) -> dict[str, Any]:
        """Return nothing: thresholds are chosen on validation images."""
        return {}

    def sampling_weights(self, targets: Tensor) -> Tensor:
        """Return one over the number of images that have the rarest label of each, or none, float64 ``(N,)``."""
        present = targets > 0.5
        counts = present.sum(dim=0).clamp(min=1).double()
        without = (~present.any(dim=1)).sum().clamp(min=1).double()
        rarest = torch.where(present, 1 / counts, 0.0).amax(dim=1)
        return torch.where(present.any(dim=1), rarest, 1 / without)

    def better(self, scores: dict[str, float], best: dict[str, float]) -> bool:
        """Whether mAP is higher, or the same at a lower loss."""
        return (scores["map"], -scores["loss"]) > (best["map"], -best["loss"])


def create_multilabel(
    recipe: Recipe, classes: int, training: Tensor | None = None, fitted: Mapping[str, Any] = MappingProxyType({})
) -> MultilabelLearner:
    """Make the task of a resolved recipe.

    Args:
        recipe: Decides the loss.
        classes: How many labels there are.
        training: float32 ``(N, labels)``, the labels of the training images; needed for training alone.
        fitted: What the run has learned; ``thresholds`` are used.
    """
    weights = None
    if training is not None and recipe.training.balance == "weights":
        positives = training.sum(dim=0)
        weights = (len(training) - positives).clamp(min=1) / positives.clamp(min=1)
    thresholds = np.array(fitted["thresholds"], np.float32) if "thresholds" in fitted else None
    return MultilabelLearner(classes, recipe.training.label_smoothing, weights, thresholds)
