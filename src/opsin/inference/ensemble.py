"""Several networks as one, whose prediction is the mean of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from opsin.data.preprocessing import Preprocessing
from opsin.networks.layer_groups import head_of
from opsin.recipe.recipe import Recipe
from opsin.tasks.registry import part_of


class Member(nn.Module):
    """A network, and how the ensemble's input becomes its own.

    Args:
        network: Maps images that are standardized in its own way to outputs.
        channels: Channels of the images.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, channels: int):
        super().__init__()
        self.network = network
        self.register_buffer("factor", torch.ones(channels, 1, 1))
        self.register_buffer("shift", torch.zeros(channels, 1, 1))

    def translate(self, given: Preprocessing, own: Preprocessing) -> None:
        """Let images that are standardized as ``given`` enter the network as ``own`` has them."""
        mean, std, own_mean, own_std = (
            torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)
            for values in (given.mean, given.std, own.mean, own.std)
        )
        self.factor.copy_(std / own_std)
        self.shift.copy_((mean - own_mean) / own_std)

    def forward(self, images: Tensor) -> Tensor:
        """Return the network's outputs of images ``(N, C, H, W)``."""
        return self.network(torch.addcmul(self.shift, images, self.factor))


class Ensemble(nn.Module):
    """Networks that each see every image; what they predict is averaged (Lakshminarayanan et al. 2017).

    `opsin ensemble` makes it from runs; it can also be trained as a whole. Its outputs are logarithms of mean
    probabilities, where the task has such.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image.
        image_size: (height, width) of the image.
        dropout: Of no meaning; each member has its own.
        members: Of each network its ``name``, and its ``dropout`` and ``options`` where it has any.
        task: Says how members are made and outputs averaged; as in ``recipe.task``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        members: Sequence[Mapping[str, Any]] = ({"name": "small_resnet"},) * 3,
        task: str = "classification",
    ):
        super().__init__()
        if not members:
            raise ValueError("it needs members")
        build, data = part_of(task, "network"), {"image_size": list(image_size), "channels": in_channels}
        self.members = nn.ModuleList()
        for member in members:
            seed = int(torch.randint(2**31, ()))  # each begins with weights of its own
            recipe = Recipe.from_dict({"task": task, "seed": seed, "data": data, "network": dict(member)})
            self.members.append(Member(build(recipe, num_classes), in_channels))
        self.average = part_of(task, "average")

    def get_classifier(self) -> tuple[nn.Module, ...]:
        """Return the heads of all members."""
        heads = [head_of(member.get_submodule("network")) for member in self.members]
        return tuple(part for head in heads for part in (head if isinstance(head, nn.ModuleList) else [head]))

    def forward(self, images: Tensor) -> Tensor:
        """Return outputs ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        return self.average(torch.stack([member(images) for member in self.members]))
