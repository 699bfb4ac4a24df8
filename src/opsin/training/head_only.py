"""Feature extraction: what enters the head of a frozen network is computed once, and the head alone then trains on it.

The loop stays the same: it is given other batches, of features, and another network, which begins at the head.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from opsin.data.batches import Batches, gather, seed_step
from opsin.data.images import TRAIN, VALIDATION
from opsin.data.pixels import memory_budget
from opsin.data.preprocessing import Preprocessing
from opsin.inference.predict_images import predict_images
from opsin.networks.layer_groups import head_of, unwrapped
from opsin.recipe.schema import TrainingRecipe
from opsin.tasks.base import Learner
from opsin.training.optimizer import set_trainable
from opsin.training.prepare import Prepared

_ANEW = "Only the head learns, and what enters it is computed again in each epoch: "
AT_ONCE = 256  # images whose features are computed in one pass


class HeadAlone(nn.Module):
    """A network that is given what enters its head.

    Args:
        network: The whole network, whose parameters are those of this module too.
        dropout: Chance of a feature to be left out before the head.
    """

    def __init__(self, network: nn.Module, dropout: float = 0.0):
        super().__init__()
        self.module = network
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits ``(N, num_classes)`` of features ``(N, …)``."""
        result: Tensor = head_of(self.module)(self.dropout(features))
        return result


class AsTheyAre(Preprocessing):
    """Stands in for the preprocessing of images where there are features, and leaves them as they are."""

    def standardize(self, pixels: Tensor) -> Tensor:
        """Return ``pixels``, here features ``(N, …)``."""
        return pixels


@dataclass(frozen=True)
class FrozenFeatures:
    """What enters the head of a frozen network, of all images that training needs.

    Attributes:
        network: What learns from it.
        batches: The training batches, in the order in which the images would come.
        validation: float32 ``(M, …)``, of the validation images, in the order of the split; None where several views of
            each are predicted.
    """

    network: HeadAlone
    batches: Batches
    validation: Tensor | None

    def predict(self, task: Learner, network: nn.Module, device: torch.device) -> Any:
        """Predict the validation images with a network, the average of it, or whatever else wraps it."""
        assert self.validation is not None
        whole = unwrapped(network)
        alone = HeadAlone(whole).train(whole.training)
        rows = torch.arange(len(self.validation))
        return predict_images(task, alone, self.batches.preprocessing, self.validation, rows, device=device)


def extract_features(
    network: nn.Module,
    prepared: Prepared,
    batches: Batches,
    fabric: Fabric,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FrozenFeatures | None, str]:
    """Compute what enters the head of a network once for every training and validation image.

    Training features are computed in the precision of training, validation features in full precision, as they would
    be without. Whether the head makes the same of them as the whole network of the images is tried on one batch.

    Args:
        network: On the device; only its head learns.
        prepared: The data.
        batches: The training batches of images.
        fabric: The device and the precision.
        progress: Called with (images done, all).

    Returns:
        The features, None where they cannot be used, and a sentence on which it is and why.
    """
    if batches.augmentation or batches.mix:
        return None, _ANEW + "augmentation is on. With --augment 0 it would be computed once, which is much faster."
    if isinstance(head_of(network), nn.ModuleList):
        return None, _ANEW + "the network has two heads."
    names = (TRAIN, VALIDATION) if prepared.recipe.data.tta == "none" else (TRAIN,)
    splits = {name: torch.from_numpy(prepared.split.indices(name)) for name in names}
    number = sum(map(len, splits.values()))
    images = batches.batch(batches.order(0)[: min(8, batches.batch_size)]).images
    sample = _entering(network, images, fabric)
    if number * sample[0].numel() * 4 > memory_budget(prepared.recipe.data.memory_gb):
        return None, _ANEW + f"the features of {number:,} images need more memory than there is (data.memory_gb)."
    ways = [HeadAlone(network, rate) for rate in dict.fromkeys((0.0, prepared.recipe.network.dropout))]
    learner = next((way for way in ways if _agrees(way, images, sample, fabric, prepared.recipe.training)), None)
    if learner is None:
        return None, _ANEW + "the network does more with it than its head."
    features: dict[str, Tensor] = {}
    for name, rows in splits.items():
        done = len(splits[TRAIN]) if name == VALIDATION else 0
        for start in range(0, len(rows), AT_ONCE):
            pixels = gather(prepared.pixels.images, rows[start : start + AT_ONCE], fabric.device)
            some = _entering(network, prepared.preprocessing.standardize(pixels), fabric, mixed=name == TRAIN).cpu()
            if name not in features:
                features[name] = torch.empty((len(rows), *some.shape[1:]), dtype=some.dtype)
            features[name][start : start + len(some)] = some
            if progress:
                progress(done + start + len(some), number)
    of_features = Batches(
        features[TRAIN],
        prepared.targets.take(splits[TRAIN]),
        torch.arange(len(splits[TRAIN])),
        batch_size=batches.batch_size,
        preprocessing=AsTheyAre(**prepared.preprocessing.to_dict()),
        seed=batches.seed,
        device=fabric.device,
        weights=batches.weights,
    )
    sentence = (
        f"Only the head learns, and what enters it was computed once, for {number:,} images; augmentation, which is "
        "off, could not help what never changes."
    )
    return FrozenFeatures(learner, of_features, features.get(VALIDATION)), sentence


@torch.no_grad()
def _entering(network: nn.Module, images: Tensor, fabric: Fabric, mixed: bool = True) -> Tensor:
    """Return what enters the head, ``(N, …)`` on the device, in evaluation mode."""
    entered: list[Tensor] = []
    hook = head_of(network).register_forward_pre_hook(lambda module, inputs: entered.append(inputs[0].detach()))
    training = network.training
    try:
        with torch.autocast(fabric.device.type, enabled=False) if not mixed else fabric.autocast():
            network.eval()(images)
    finally:
        hook.remove()
        network.train(training)
    return entered[0]


@torch.no_grad()
def _agrees(alone: HeadAlone, images: Tensor, features: Tensor, fabric: Fabric, recipe: TrainingRecipe) -> bool:
    """Whether the head in training makes the same of features as the whole network of the images.

    The last layer may be zero at first, so that a copy with other weights is asked.
    """
    whole = copy.deepcopy(alone.module)
    for parameter in head_of(whole).parameters():
        nn.init.normal_(parameter, std=0.1)
    outputs = []
    set_trainable(whole.train(), recipe, 0)
    for module, given in ((whole, images), (HeadAlone(whole, alone.dropout.p), features)):
        seed_step(0, 0, 0)
        with fabric.autocast():
            outputs.append(module(given).float())
    wanted, found = outputs
    return torch.allclose(found, wanted, rtol=1e-2, atol=1e-2 * float(wanted.std()))
