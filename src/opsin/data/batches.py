"""Batches: from decoded pixels to what the loop trains on, the same for the same seed, from any step on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from opsin.data.augment import Augmentation
from opsin.data.preprocessing import Preprocessing
from opsin.data.targets import EncodedTargets


@dataclass(frozen=True)
class Batch:
    """What a network is trained on in one step.

    Attributes:
        images: float32 ``(N, C, H, W)``, normalized, channels-last.
        targets: `EncodedTargets.data`: int64 ``(N,)`` class numbers, or float32 ``(N, classes)`` where images were
            mixed; uint8 ``(N, H, W)`` for masks.
    """

    images: Tensor
    targets: Any

    def __len__(self) -> int:
        return len(self.images)


def seed_step(seed: int, epoch: int, step: int) -> None:
    """Seed torch's generators for one step.

    All randomness of a step (augmentation, dropout, mixing) begins here, so that training goes on from any step with
    the numbers it would have had, and nothing but the step's position has to be remembered.
    """
    mixed = ((seed * 1_000_003 + epoch) * 1_000_003 + step) % (2**63)
    torch.default_generator.manual_seed(mixed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(mixed)
    elif torch.backends.mps.is_available():
        torch.mps.manual_seed(mixed)


class Batches:
    """The training batches of every epoch.

    Args:
        pixels: uint8 ``(M, H, W, C)``, all decoded images.
        targets: Of all M images.
        indices: int64 ``(N,)``; the images to train on.
        batch_size: Images in a batch. The remainder of an epoch is left out, unless there is less than one batch.
        preprocessing: Scales and normalizes.
        augmentation: Varies the images; None: not at all.
        seed: Decides order and variation.
        device: Where the network is. Pixels that fit into a quarter of a GPU's free memory are moved there once.
        weights: float ``(N,)``; chance of each image to be drawn, with replacement; None: each once an epoch.
        mix: Applied to (images, targets) last: mixup or cutmix.
    """

    def __init__(
        self,
        pixels: Tensor,
        targets: EncodedTargets,
        indices: Tensor,
        *,
        batch_size: int,
        preprocessing: Preprocessing,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        device: torch.device | str = "cpu",
        weights: Tensor | None = None,
        mix: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    ):
        self.device = torch.device(device)
        if self.device.type == "cuda" and pixels.nbytes < torch.cuda.mem_get_info(self.device)[0] // 4:
            pixels = pixels.to(self.device)
        self.pixels = pixels
        self.targets = targets.to(self.pixels.device)
        self.indices = indices
        self.batch_size = min(batch_size, len(indices))
        self.preprocessing = preprocessing
        self.augmentation = augmentation if augmentation and augmentation.active else None
        self.seed = seed
        self.weights = weights
        self.mix = mix

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.indices) // self.batch_size

    @property
    def images_per_epoch(self) -> int:
        """How many images an epoch trains on."""
        return len(self) * self.batch_size

    def order(self, epoch: int) -> Tensor:
        """Return which images an epoch visits in which order, int64 ``(images_per_epoch,)``."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % (2**63))
        if self.weights is not None:
            chosen = torch.multinomial(self.weights, len(self.indices), replacement=True, generator=generator)
        else:
            chosen = torch.randperm(len(self.indices), generator=generator)
        return self.indices[chosen[: self.images_per_epoch]].to(self.pixels.device)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of epoch ``number`` from step ``start`` on, seeding torch before each (`seed_step`)."""
        order = self.order(number)
        for step in itertools.count(start):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size]
            if not len(rows):
                return
            seed_step(self.seed, number, step)
            yield self.batch(rows)

    def batch(self, rows: Tensor) -> Batch:
        """Return the augmented and normalized batch of the images at ``rows``."""
        targets = self.targets.take(rows).to(self.device)
        if self.augmentation:
            pixels = gather(self.pixels, rows, self.device)
            images, targets = self.augmentation.together(self.preprocessing.scale(pixels), targets)
            images = self.preprocessing.normalize(images)
        else:
            images = self.plain(rows)
        if self.mix:
            return Batch(*self.mix(images, targets.data))
        return Batch(images, targets.data)

    def plain(self, rows: Tensor) -> Tensor:
        """Return the images at ``rows`` as those that are predicted: normalized, not augmented, not mixed."""
        return self.preprocessing.standardize(gather(self.pixels, rows, self.device))


def gather(pixels: Tensor, rows: Tensor, device: torch.device) -> Tensor:
    """Return rows of uint8 ``(M, H, W, C)`` on the device, without waiting for the copy."""
    chosen = pixels.index_select(0, rows)
    if device.type == "cuda" and chosen.device.type == "cpu":
        return chosen.pin_memory().to(device, non_blocking=True)
    return chosen.to(device)
