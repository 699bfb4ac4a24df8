"""Ensemble of networks: one network whose prediction is the mean of its members'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from opsin.data.preprocessing import Preprocessing
from opsin.errors import NetworkError, nearest
from opsin.networks.averaging import AVERAGES
from opsin.networks.layer_groups import head_of


class Member(nn.Module):
    """A member of an ensemble, with the transformation of the ensemble's input to its own.

    Args:
        network: Maps images, standardized with its own statistics, to outputs.
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
        """Set the transformation from images standardized as ``given`` to images standardized as ``own``."""
        mean, std, own_mean, own_std = (
            torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)
            for values in (given.mean, given.std, own.mean, own.std)
        )
        self.factor.copy_(std / own_std)
        self.shift.copy_((mean - own_mean) / own_std)

    def forward(self, images: Tensor) -> Tensor:
        """Return the network's outputs of images ``(N, C, H, W)``."""
        outputs: Tensor = self.network(torch.addcmul(self.shift, images, self.factor))
        return outputs


class Ensemble(nn.Module):
    """Ensemble of networks, whose predictions are averaged (Lakshminarayanan et al. 2017).

    `opsin ensemble` creates it from runs; it can also be trained as a whole. For classification its outputs are the
    logarithms of the mean probabilities.

    Args:
        networks: The members, at least one.
        in_channels: Channels of the image.
        average: Kind of output, a key of `opsin.networks.averaging.AVERAGES`.
    """

    def __init__(self, networks: Sequence[nn.Module], in_channels: int, average: str):
        super().__init__()
        if average not in AVERAGES:
            raise NetworkError(f"network.options.average is one of {', '.join(AVERAGES)}{nearest(average, AVERAGES)}.")
        self.members = nn.ModuleList(Member(network, in_channels) for network in networks)
        self.average = AVERAGES[average]

    def get_classifier(self) -> tuple[nn.Module, ...]:
        """Return the heads of all members."""
        heads = [head_of(member.get_submodule("network")) for member in self.members]
        return tuple(part for head in heads for part in (head if isinstance(head, nn.ModuleList) else [head]))

    def forward(self, images: Tensor) -> Tensor:
        """Return outputs ``(N, num_classes, ...)`` of images ``(N, C, H, W)``."""
        return self.average(torch.stack([member(images) for member in self.members]))


def create_members(
    create: Callable[..., nn.Module],
    members: Sequence[Mapping[str, Any]],
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
) -> list[nn.Module]:
    """Create the members of an ensemble, each with its own random weights.

    Args:
        create: `create_network` or `create_segmentation_network`.
        members: ``name`` and optionally ``dropout`` and ``options`` of each network.
        num_classes: Number of outputs.
        in_channels: 1 or 3.
        image_size: (height, width).

    Raises:
        ValueError: There is no member, or one has an unknown key.
        NetworkError: A member cannot be created.
    """
    if not members:
        raise ValueError("an ensemble needs at least one member")
    networks = []
    for member in members:
        seed = int(torch.randint(2**31, ()))
        unknown = set(member) - {"name", "dropout", "options"}
        if unknown or "name" not in member:
            raise ValueError(f"a member has name, dropout and options, not {', '.join(sorted(map(str, member)))}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            networks.append(
                create(
                    member["name"],
                    num_classes,
                    in_channels,
                    image_size,
                    dropout=float(member.get("dropout", 0.0)),
                    options=member.get("options"),
                )
            )
    return networks
