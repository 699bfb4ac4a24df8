"""Construction of networks from a name and options, shared by the registries."""

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
from opsin.networks.layer_groups import zero_last_layer
from opsin.networks.pretrained import (
    OFFLINE,
    has_offline_weights,
    load_offline_weights,
)

# Constructor arguments that are set by other keys of the recipe, with a hint.
RESERVED = {
    "num_classes": "the classes of the data determine it",
    "in_chans": "give data.channels instead",
    "in_channels": "give data.channels instead",
    "image_size": "give data.image_size instead",
    "drop_rate": "give network.dropout instead",
    "dropout": "give network.dropout instead",
    "pretrained": "give network.pretrained instead",
    "pretrained_cfg": "the network's name determines it",
    "pretrained_cfg_overlay": "the network's name determines it",
    "checkpoint_path": "weights come from ImageNet or from a run",
    "features_only": "a classifier needs its last layer",
    "exportable": "every network is built for training",
    "scriptable": "every network is built for training",
}


def refuse_reserved(name: str, options: Mapping[str, Any]) -> None:
    """Check that the options contain no argument that is set by another key of the recipe.

    Raises:
        NetworkError: They do.
    """
    for key in options:
        if key in RESERVED:
            raise NetworkError(f"network.options cannot set '{key}' of {name}: {RESERVED[key]}.")


def check_forward(
    network: nn.Module, name: str, outputs: tuple[int, ...], in_channels: int, image_size: tuple[int, int]
) -> None:
    """Check that the network maps two images to logits; the network and the random state stay unchanged.

    Args:
        network: In any mode.
        name: Name in error messages.
        outputs: Shape of the logits of one image.
        in_channels: 1 or 3.
        image_size: (height, width).

    Raises:
        NetworkError: It fails, or the shape of the logits is wrong.
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
        reason = f"the output for 2 images has shape {shape}, not {(2, *outputs)}"
    raise NetworkError(f"{name} cannot take {image_size[0]}x{image_size[1]} images: {reason}.") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")


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
    """Create one of Opsin's networks.

    Raises:
        NetworkError: An option does not exist (the nearest is suggested), or its value is invalid.
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
        raise NetworkError(f"{name} cannot be created with the options {options}: {_first_line(error)}.") from None
    if pretrained:
        zero_last_layer(network)
    return network


def create_timm(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    pretrained: bool,
    dropout: float,
    options: dict[str, Any],
) -> nn.Module:
    """Create a network of timm.

    Raises:
        NetworkError: timm cannot create it with these options for this image size.
    """
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
        raise NetworkError(f"{name} cannot be created for {size} images: {_first_line(error)}.") from None
    if offline:
        load_offline_weights(network, in_channels)
    if pretrained and num_classes != timm.get_pretrained_cfg(name).num_classes:
        zero_last_layer(network)
    result: nn.Module = network
    return result


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings of libraries during construction, which the user cannot act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
