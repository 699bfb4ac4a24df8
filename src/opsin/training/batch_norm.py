"""Batch normalization between training and validation: its statistics are taken from images as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from opsin.data.batches import Batches
from opsin.networks.layer_groups import unwrapped

SHARE = 0.1  # part of the batches of an epoch that statistics are taken from
FEWEST, MOST = 2, 512  # but two batches at the least and 512 images at the most


def renew_statistics(
    network: nn.Module, learner: nn.Module, batches: Batches, epoch: int, forward: Callable[[Tensor], Tensor]
) -> None:
    """Set what batch normalization subtracts and divides by to the statistics of training images without augmentation.

    The running statistics that training leaves are those of its last ten or so batches, of augmented images, which
    interpolation has smoothed; the images that are predicted have others, and deep networks add up the difference
    (Touvron et al. 2019). So the means and variances are recomputed with the weights as they are, over whole
    batches (Wu and Johnson 2021). Training itself normalizes by the batch and is unchanged.

    Args:
        network: What is about to be validated: ``learner`` itself or an average of it; its statistics are changed.
        learner: In training mode; its frozen layers, which are not, keep their statistics.
        batches: The training batches; a tenth of an epoch is used, at least two batches and at most 512 images.
        epoch: Which epoch's first images, counted from 0.
        forward: Passes a batch through ``network``.
    """
    modules = dict(unwrapped(network).named_modules())
    chosen = [modules[name] for name in _learning(unwrapped(learner))]
    if not chosen:
        return
    modes, momenta = [module.training for module in modules.values()], [module.momentum for module in chosen]
    unwrapped(network).eval()  # nothing is left out by dropout
    for module in chosen:
        module.reset_running_stats()
        module.momentum = None  # the mean over all batches
        module.training = True
    try:
        with torch.no_grad():
            for images in _plain(batches, epoch):
                forward(images)
    finally:
        for module, mode in zip(modules.values(), modes, strict=True):
            module.training = mode
        for module, momentum in zip(chosen, momenta, strict=True):
            module.momentum = momentum


def _learning(network: nn.Module) -> Iterator[str]:
    """Yield the names of the batch normalizations whose statistics training changes."""
    for name, module in network.named_modules():
        if isinstance(module, _BatchNorm) and module.training and module.track_running_stats:
            yield name


def _plain(batches: Batches, epoch: int) -> Iterator[Tensor]:
    """Yield whole batches of training images that are neither augmented nor mixed."""
    number = min(max(round(SHARE * len(batches)), FEWEST), max(1, MOST // batches.batch_size), len(batches))
    for rows in batches.order(epoch)[: number * batches.batch_size].split(batches.batch_size):
        yield batches.plain(rows)
