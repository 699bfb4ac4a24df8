"""The table of networks, and making one of them, or any of timm's, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from opsin.errors import NetworkError, nearest
from opsin.networks.construction import check_forward, create_own, create_timm, refuse_reserved
from opsin.networks.course_cnn import CourseCNN
from opsin.networks.ensemble import Ensemble, create_members
from opsin.networks.fully_convolutional import FullyConvolutional
from opsin.networks.mlp import MLP
from opsin.networks.mobilenetv3_se import MobileNetV3SE
from opsin.networks.pretrained import (
    require_weights,
)
from opsin.networks.small_resnet import SmallResNet, separable_resnet
from opsin.networks.vgg16 import VGG16


def create_ensemble(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    dropout: float = 0.0,
    members: Sequence[Mapping[str, Any]] = ({"name": "small_resnet"},) * 3,
    average: str = "probabilities",
) -> Ensemble:
    """Make an ensemble of networks that are trained or filled together; ``dropout`` is each member's own."""
    networks = create_members(create_network, members, num_classes, in_channels, image_size)
    return Ensemble(networks, in_channels, average)


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "course_cnn": CourseCNN,
    "ensemble": create_ensemble,
    "fully_convolutional": FullyConvolutional,
    "mlp": MLP,
    "mobilenetv3_se": MobileNetV3SE,
    "separable_resnet": separable_resnet,
    "small_resnet": SmallResNet,
    "vgg16": VGG16,
}


def list_networks(pretrained: bool = False) -> list[str]:
    """Return the names of all networks: ours first, then timm's, but for those that ours take the place of.

    Args:
        pretrained: Only those with ImageNet weights; to timm's names a tag is added for the data they come from.
    """
    import timm

    ours = [name for name in sorted(NETWORKS) if not pretrained or backbone_of(name)]
    return ours + [name for name in timm.list_models(pretrained=pretrained) if name.partition(".")[0] not in NETWORKS]


def create_network(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    pretrained: bool = False,
    dropout: float = 0.0,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Make a network that maps images ``(N, in_channels, height, width)`` to logits ``(N, num_classes)``.

    Args:
        name: One of ours, or any of timm's.
        num_classes: Number of outputs.
        in_channels: 1 or 3.
        image_size: (height, width).
        pretrained: Begin from ImageNet weights, all but the last layer.
        dropout: Before the last layer.
        options: Further arguments of the constructor.

    Raises:
        NetworkError: The name is unknown (the nearest are shown), an option does not exist or is not the network's to
            decide, the network cannot take this image size, or its weights cannot be had.
    """
    options = dict(options or {})
    check_network(name, pretrained)
    refuse_reserved(name, options)
    if pretrained:
        require_weights(name, backbone_of(name) or name)
    arguments = num_classes, in_channels, image_size, pretrained, dropout, options
    network = create_own(NETWORKS[name], name, *arguments) if name in NETWORKS else create_timm(name, *arguments)
    check_forward(network, name, (num_classes,), in_channels, image_size)
    return network


def check_network(name: str, pretrained: bool = False) -> None:
    """Raise unless there is a network of this name, and pretrained weights of it where they are asked for.

    Raises:
        NetworkError: There is not; the nearest names are shown.
    """
    if name not in NETWORKS:
        import timm

        if not timm.is_model(name):
            known = nearest(name, list_networks())
            raise NetworkError(f"There is no network '{name}'{known}. `opsin networks` lists all.")
    if pretrained and backbone_of(name) is None:
        raise NetworkError(f"There are no pretrained weights of {name}: leave out --pretrained, or take another one.")


def backbone_of(name: str) -> str | None:
    """Return timm's name of the network whose ImageNet weights a network can start from, or None.

    Ours that are built on one of timm's name it; timm's stand for themselves.
    """
    if name in NETWORKS:
        return getattr(NETWORKS[name], "backbone", None)
    return pretrained_name(name)


def pretrained_name(name: str) -> str | None:
    """Return the name where timm has a network of it with ImageNet weights, or None."""
    import timm

    return name if timm.is_model(name) and timm.is_model_pretrained(name) else None
