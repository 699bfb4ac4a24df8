"""Segmentation: the class of every pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from opsin.data.batches import Batch
from opsin.errors import RecipeError, TrainingError
from opsin.metrics import segmentation as metrics
from opsin.metrics.classification import mean_of_known
from opsin.metrics.segmentation import VOID
from opsin.recipe.recipe import Recipe
from opsin.tasks.class_weights import balanced_class_weights
from opsin.tasks.segmentation.losses import create_loss
from opsin.tasks.segmentation.predictions import SegmentationMasks

AT_ONCE = 2**21  # pixels that go through the network at a time when predicting, so that large images fit


class SegmentationLearner:
    """A sum of losses over pixels, softmax over classes, and the scores of masks.

    Args:
        num_classes: Number of classes, the background among them.
        loss: ``loss(logits, targets, weights)``, float ``(N,)``; see `opsin.tasks.segmentation.losses`.
        class_weights: float32 ``(num_classes,)``, the weight of each class in the loss; None: all equal.
    """

    name = "segmentation"
    main_score = "dice"
    lower_is_better = False
    num_mix_classes = 0

    def __init__(self, num_classes: int, loss: Callable[..., Tensor], class_weights: Tensor | None = None):
        self.num_classes = num_classes
        self.criterion = loss
        self.class_weights = class_weights

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the mean over the images of their loss, and the accuracy of the pixels that are not void."""
        logits = network(batch.images).float()
        targets = batch.targets.long()
        known = targets != VOID
        right = (logits.detach().argmax(1) == targets) & known
        loss = self.criterion(logits, targets, self._weights(logits.device)).mean()
        return {"loss": loss, "pixel_accuracy": right.sum() / known.sum().clamp(min=1)}

    def predict(self, network: nn.Module, images: Tensor) -> SegmentationMasks:
        """Return the masks of normalized images ``(N, C, H, W)``, a few at a time.

        Raises:
            TrainingError: The network's weights have diverged so far that its outputs are not numbers.
        """
        few = max(1, AT_ONCE // (images.shape[2] * images.shape[3]))
        return self.join([self.decide(network(some).float().detach()) for some in images.split(few)])

    def decide(self, logits: Tensor) -> SegmentationMasks:
        """Return the most probable class of each pixel, and how probable it is, of logits ``(N, C, H, W)``.

        Raises:
            TrainingError: The logits are not numbers.
        """
        if not logits.isfinite().all():
            raise TrainingError(
                "The network's outputs are not numbers any more; the last good weights are kept. Try a lower "
                "--learning-rate, --clip 1, or --precision 32-true."
            )
        confidence, labels = logits.softmax(dim=1).max(dim=1)
        return SegmentationMasks(
            labels.to(torch.uint8).cpu().numpy(),
            (confidence * 255).round().to(torch.uint8).cpu().numpy(),
            self.num_classes,
        )

    def join(self, parts: list[SegmentationMasks]) -> SegmentationMasks:
        """Return the predictions of several batches as one."""
        return SegmentationMasks.join(parts) if parts else SegmentationMasks.nothing(self.num_classes)

    def score(self, predictions: SegmentationMasks, targets: Tensor) -> dict[str, float]:
        """Return loss, Dice and IoU (means over images), mean IoU and pixel accuracy (over all pixels) of a split.

        The loss is that of training; of more than two classes the probability that the predicted one leaves over is
        shared evenly among the others.
        """
        truth = targets.numpy()
        confusion = metrics.confusion_matrices(truth, predictions.labels, self.num_classes)
        return {
            "loss": self._loss_of(predictions, targets),
            "dice": float(mean_of_known(metrics.image_dice(confusion))),
            "iou": float(mean_of_known(metrics.image_iou(confusion))),
            "mean_iou": float(metrics.mean_iou(confusion.sum(axis=0))),
            "pixel_accuracy": float(metrics.pixel_accuracy(confusion.sum(axis=0))),
        }

    def fitted_state(self) -> dict[str, Any]:
        """Return nothing: the classes are all that predicting needs of the targets."""
        return {}

    def sampling_weights(self, targets: Tensor) -> Tensor:
        """Return one over the number of images that show an image's rarest class, float64 ``(N,)``."""
        shown = torch.stack([(targets == name).flatten(1).any(dim=1) for name in range(self.num_classes)], dim=1)
        return (shown / shown.sum(dim=0).clamp(min=1).double()).amax(dim=1)

    def better(self, scores: dict[str, float], best: dict[str, float]) -> bool:
        """Whether Dice is higher, or the same at a lower loss."""
        return (scores["dice"], -scores["loss"]) > (best["dice"], -best["loss"])

    def _weights(self, device: torch.device) -> Tensor | None:
        return None if self.class_weights is None else self.class_weights.to(device)

    def _loss_of(self, predictions: SegmentationMasks, targets: Tensor) -> float:
        few = max(1, AT_ONCE // max(1, predictions.labels[0].size))
        total = 0.0
        for start in range(0, len(predictions), few):
            part = slice(start, start + few)
            logits = torch.from_numpy(predictions.take(part).probabilities()).log()
            total += float(self.criterion(logits, targets[part].long(), self._weights(logits.device)).sum())
        return total / len(predictions)


def create_segmentation(
    recipe: Recipe, classes: int, training: Tensor | None = None, fitted: Mapping[str, Any] = MappingProxyType({})
) -> SegmentationLearner:
    """Make the task of a resolved recipe.

    Args:
        recipe: Decides the loss.
        classes: How many there are.
        training: uint8 ``(N, H, W)``, the masks of the training images; needed for training alone.
        fitted: What the run has learned; not used.

    Raises:
        RecipeError: There is no such loss, or images are to be mixed, which masks cannot be.
    """
    if recipe.augmentation.mixup or recipe.augmentation.cutmix:
        raise RecipeError("augmentation.mixup and augmentation.cutmix mix labels of images, not masks; leave them out.")
    training_recipe = recipe.training
    loss = create_loss(
        training_recipe.loss or "cross-entropy+dice",
        smoothing=training_recipe.label_smoothing,
        gamma=training_recipe.focal_gamma,
        miss=training_recipe.miss_cost,
    )
    weights = None
    if training is not None and training_recipe.balance == "weights":
        counts = torch.bincount(training.flatten(), minlength=VOID + 1)[:classes]
        weights = balanced_class_weights(counts)
    return SegmentationLearner(classes, loss, weights)
