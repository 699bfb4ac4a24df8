"""`opsin.list_networks`: the names that ``network`` takes."""

from __future__ import annotations

from opsin.networks.registry import list_networks as list_image_networks
from opsin.networks.segmentation.registry import list_segmentation_networks


def list_networks(part: str = "", *, pretrained: bool = False) -> list[str]:
    """Return the names of all networks: Opsin's own, timm's, then those for segmentation.

    Args:
        part: Keep only names that contain this.
        pretrained: Keep only networks with ImageNet weights.
    """
    names = [*list_image_networks(), *list_segmentation_networks()]
    if pretrained:
        # timm appends a tag that names the training data: resnet18.a1_in1k
        with_weights = {name.partition(".")[0] for name in list_image_networks(pretrained=True)}
        with_weights |= set(list_segmentation_networks(pretrained=True))
        names = [name for name in names if name in with_weights]
    return [name for name in names if part.lower() in name]
