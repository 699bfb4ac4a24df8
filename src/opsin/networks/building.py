"""The network of a recipe, with the weights that its seed gives."""

from __future__ import annotations

import torch
from torch import nn

from opsin.networks.table import create_network
from opsin.recipe import Recipe


def build_network(recipe: Recipe, num_classes: int, pretrained: bool | None = None) -> nn.Module:
    """Make the network of a resolved recipe; the caller's random numbers go on as if it had not been made.

    Args:
        recipe: Resolved.
        num_classes: Number of outputs.
        pretrained: Overrides the recipe: False where the weights come from a file anyway.

    Raises:
        NetworkError: There is no such network, or it cannot take such images.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return create_network(
            recipe.network.name or "",
            num_classes,
            recipe.data.channels or 3,
            recipe.data.image_size or (0, 0),
            pretrained=bool(recipe.network.pretrained) if pretrained is None else pretrained,
            dropout=recipe.network.dropout,
            options=recipe.network.options,
        )
