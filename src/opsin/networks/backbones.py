"""ImageNet weights and input statistics of classification and segmentation networks, by name."""

from __future__ import annotations

from opsin.networks import registry
from opsin.networks.pretrained import find_weights_of
from opsin.networks.segmentation import registry as segmentation


def backbone_of(name: str) -> str | None:
    """Return the timm name of the backbone with ImageNet weights, or None.

    For DECODER:ENCODER it is the encoder.
    """
    if name in segmentation.NETWORKS and name not in registry.NETWORKS or ":" in name:
        return segmentation.backbone_of(name)
    return registry.backbone_of(name)


def find_weights(name: str) -> str | None:
    """Return the location of a network's ImageNet weights on this machine, "offline package" or "timm's cache"."""
    return find_weights_of(backbone_of(name))


def input_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation per channel of the inputs expected by pretrained weights."""
    import timm

    card = timm.get_pretrained_cfg(backbone_of(name) or name)
    return tuple(card.mean), tuple(card.std)
