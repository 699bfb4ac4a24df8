"""Registry of classification networks, Opsin's and timm's, created by name."""

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
    """Create an ensemble of networks; each member has its own dropout, ``dropout`` is ignored."""
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
    """Return the names of all networks: Opsin's, then timm's without those that Opsin replaces.

    Args:
        pretrained: Only networks with ImageNet weights; timm's names then include the tag of their training data.
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
    """Create a network that maps images ``(N, in_channels, height, width)`` to logits ``(N, num_classes)``.

    Args:
        name: One of `NETWORKS`, or any model of timm.
        num_classes: Number of outputs.
        in_channels: 1 or 3.
        image_size: (height, width).
        pretrained: Load ImageNet weights, except for the last layer.
        dropout: Dropout probability before the last layer.
        options: Additional arguments of the constructor.

    Raises:
        NetworkError: The name is unknown (the nearest are suggested), an option does not exist or is set by another
            key of the recipe, the image size is not supported, or the weights are not available.
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
    """Check that a network of this name exists and, if requested, has pretrained weights.

    Raises:
        NetworkError: It does not; the nearest names are suggested.
    """
    if name not in NETWORKS:
        import timm

        if not timm.is_model(name):
            known = nearest(name, list_networks())
            raise NetworkError(f"There is no network '{name}'{known}. `opsin networks` lists them.")
    if pretrained and backbone_of(name) is None:
        raise NetworkError(
            f"There are no pretrained weights of {name}; remove --pretrained, or choose another network."
        )


def backbone_of(name: str) -> str | None:
    """Return the timm name of the backbone with ImageNet weights, or None.

    Networks built on a timm model name it; a model of timm is its own backbone.
    """
    if name in NETWORKS:
        return getattr(NETWORKS[name], "backbone", None)
    return pretrained_name(name)


def pretrained_name(name: str) -> str | None:
    """Return the name if timm has ImageNet weights for it, else None."""
    import timm

    return name if timm.is_model(name) and timm.is_model_pretrained(name) else None
