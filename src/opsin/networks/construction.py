"""Construction of networks, shared by the registries."""

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
from opsin.networks.layer_groups import begin_at_even_odds
from opsin.networks.pretrained import (
    OFFLINE,
    has_offline_weights,
    load_offline_weights,
)

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


def create_timm(
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
