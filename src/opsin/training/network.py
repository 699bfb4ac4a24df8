"""The network of a recipe, with the weights that it begins from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from opsin.networks.backbones import find_weights
from opsin.networks.registry import create_network
from opsin.networks.segmentation.registry import create_segmentation_network
from opsin.recipe.recipe import Recipe
from opsin.tasks.registry import task_spec
from opsin.training.initial_weights import begin_from, find_source


@dataclass(frozen=True)
class InitialWeights:
    """Which weights a network begins from.

    Attributes:
        weights: For people: "random", "ImageNet, offline package", or the run they are from.
        fingerprint: Of the file of a run's weights; empty for others.
    """

    weights: str = "random"
    fingerprint: str = ""


def build_network(recipe: Recipe, num_classes: int, pretrained: bool = False) -> nn.Module:
    """Make the network of a resolved recipe; the caller's random numbers go on as if it had not been made.

    Args:
        recipe: Resolved.
        num_classes: Number of outputs.
        pretrained: Take ImageNet weights; else they are random, by the recipe's seed.

    Raises:
        NetworkError: There is no such network, or it cannot take such images.
    """
    return _build(create_network, recipe, num_classes, pretrained)


def build_segmentation_network(recipe: Recipe, num_classes: int, pretrained: bool = False) -> nn.Module:
    """Make the network of a resolved recipe for segmentation; see `build_network`."""
    return _build(create_segmentation_network, recipe, num_classes, pretrained)


def _build(create: Callable[..., nn.Module], recipe: Recipe, num_classes: int, pretrained: bool) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return create(
            recipe.network.name or "",
            num_classes,
            recipe.data.channels or 3,
            recipe.data.image_size or (0, 0),
            pretrained=pretrained,
            dropout=recipe.network.dropout,
            options=recipe.network.options,
        )


def begin_network(recipe: Recipe, classes: Sequence[str]) -> tuple[nn.Module, InitialWeights]:
    """Make the network of a resolved recipe with the weights that training begins from.

    Args:
        recipe: Resolved.
        classes: Class names, in the order of the outputs.

    Raises:
        NetworkError: There is no such network, it cannot take such images, or weights of a run do not fit.
        RunError: The run whose weights are asked for is missing or damaged.
    """
    network = task_spec(recipe.task or "").network(recipe, len(classes), pretrained=bool(recipe.network.pretrained))
    if recipe.network.weights:
        source = find_source(recipe.network.weights)
        return network, InitialWeights(f"of the run {begin_from(network, source, classes)}", source.fingerprint)
    if recipe.network.pretrained:
        return network, InitialWeights(f"ImageNet, {find_weights(recipe.network.name or '') or 'fetched'}")
    return network, InitialWeights()
