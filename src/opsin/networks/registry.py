"""The table of networks, and making one of them, or any of timm's, by name."""

from __future__ import annotations

import contextlib
import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from opsin.errors import NetworkError, nearest
from opsin.inference.ensemble import Ensemble
from opsin.networks.course_cnn import CourseCNN
from opsin.networks.fully_convolutional import FullyConvolutional
from opsin.networks.layer_groups import begin_at_even_odds
from opsin.networks.mlp import MLP
from opsin.networks.mobilenetv3_se import MobileNetV3SE
from opsin.networks.pretrained import (
    OFFLINE,
    find_weights_of,
    has_offline_weights,
    load_offline_weights,
    require_weights,
)
from opsin.networks.small_resnet import SmallResNet, separable_resnet
from opsin.networks.vgg16 import VGG16

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "course_cnn": CourseCNN,
    "ensemble": Ensemble,
    "fully_convolutional": FullyConvolutional,
    "mlp": MLP,
    "mobilenetv3_se": MobileNetV3SE,
    "separable_resnet": separable_resnet,
    "small_resnet": SmallResNet,
    "vgg16": VGG16,
}

# Arguments of constructors that the rest of the recipe decides, each with the key that does.
RESERVED = {
    "num_classes": "the classes of the data decide it",
    "in_chans": "give data.channels instead",
    "in_channels": "give data.channels instead",
    "image_size": "give data.image_size instead",
    "drop_rate": "give network.dropout instead",
    "dropout": "give network.dropout instead",
    "pretrained": "give network.pretrained instead",
    "pretrained_cfg": "the network's name decides it",
    "pretrained_cfg_overlay": "the network's name decides it",
    "checkpoint_path": "weights come from ImageNet or from a run",
    "features_only": "a classifier needs its last layer",
    "exportable": "every network is made for training",
    "scriptable": "every network is made for training",
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
    network = create_own(NETWORKS[name], name, *arguments) if name in NETWORKS else _create_timm(name, *arguments)
    check_forward(network, name, (num_classes,), in_channels, image_size)
    return network


def refuse_reserved(name: str, options: Mapping[str, Any]) -> None:
    """Raise where options hold an argument that the rest of the recipe decides.

    Raises:
        NetworkError: They do.
    """
    for key in options:
        if key in RESERVED:
            raise NetworkError(f"network.options cannot hold '{key}' of {name}: {RESERVED[key]}.")


def check_forward(
    network: nn.Module, name: str, outputs: tuple[int, ...], in_channels: int, image_size: tuple[int, int]
) -> None:
    """Raise unless the network turns two images into logits; neither it nor the random numbers that follow change.

    Args:
        network: In any mode.
        name: What to call it.
        outputs: The shape of the logits of one image.
        in_channels: 1 or 3.
        image_size: (height, width).

    Raises:
        NetworkError: It does not.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad(), _quiet():
            logits = copy.deepcopy(network).train()(torch.randn(2, in_channels, *image_size))
    except Exception as error:
        reason = _first_line(error)
    else:
        if isinstance(logits, torch.Tensor) and logits.shape == (2, *outputs):
            return
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        reason = f"it turns 2 of them into {shape}, not into {(2, *outputs)}"
    raise NetworkError(f"{name} cannot take {image_size[0]}x{image_size[1]} images: {reason}.") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")


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


def create_own(
    constructor: Callable[..., nn.Module],
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    pretrained: bool,
    dropout: float,
    options: dict[str, Any],
) -> nn.Module:
    """Make a network of ours.

    Raises:
        NetworkError: An option does not exist (the nearest is shown), or the constructor refuses its value.
    """
    known = set(inspect.signature(constructor).parameters) - set(RESERVED)
    for key in options:
        if key not in known:
            takes = ", ".join(sorted(known)) or "none"
            raise NetworkError(f"{name} has no option '{key}'{nearest(key, known)}; its options: {takes}.")
    arguments = {"dropout": dropout, **options} | ({"pretrained": True} if pretrained else {})
    try:
        with _quiet():
            network = constructor(num_classes, in_channels, image_size, **arguments)
    except Exception as error:
        raise NetworkError(f"{name} cannot be made with the options {options}: {_first_line(error)}.") from None
    if pretrained:
        begin_at_even_odds(network)
    return network


def _create_timm(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    pretrained: bool,
    dropout: float,
    options: dict[str, Any],
) -> nn.Module:
    import timm

    if getattr(timm.get_pretrained_cfg(name), "fixed_input_size", False):
        options.setdefault("img_size", image_size)
    arguments = {"num_classes": num_classes, "in_chans": in_channels, "drop_rate": dropout, **options}
    offline = pretrained and name == OFFLINE and has_offline_weights()
    try:
        with _quiet():
            network = timm.create_model(name, pretrained=pretrained and not offline, **arguments)
    except Exception as error:
        size = f"{image_size[0]}x{image_size[1]}"
        raise NetworkError(f"{name} cannot be made for {size} images: {_first_line(error)}.") from None
    if offline:
        load_offline_weights(network, in_channels)
    if pretrained and num_classes != timm.get_pretrained_cfg(name).num_classes:
        begin_at_even_odds(network)
    return network


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the warnings that libraries give while a network is made from the user, who can do nothing about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def backbone_of(name: str) -> str | None:
    """Return timm's name of the network whose ImageNet weights a network can begin from, or None.

    Ours that are built on one of timm's name it; timm's stand for themselves, and for DECODER:ENCODER the encoder.
    """
    from opsin.networks.segmentation import registry as segmentation

    own = NETWORKS | segmentation.NETWORKS
    if name in own:
        return getattr(own[name], "backbone", None)
    name = name.rpartition(":")[2]
    import timm

    return name if timm.is_model(name) and timm.is_model_pretrained(name) else None


def find_weights(name: str) -> str | None:
    """Return where the ImageNet weights of a network are on this machine, "offline package" or "timm's cache"."""
    return find_weights_of(backbone_of(name))


def input_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation per channel that the pretrained weights of a network expect."""
    import timm

    card = timm.get_pretrained_cfg(backbone_of(name) or name)
    return tuple(card.mean), tuple(card.std)
