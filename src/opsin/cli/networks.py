"""``opsin networks``."""

from __future__ import annotations

from typing import Annotated

import typer

from opsin.cli.console import console, table
from opsin.errors import NetworkError

app = typer.Typer(add_completion=False)


@app.command()
def networks(
    part: Annotated[str, typer.Argument(metavar="PART", help="Show only names that contain this.")] = "",
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Show only networks with ImageNet weights.")] = False,
) -> None:
    """List the names that --network accepts: Opsin's own networks, timm's, and those for segmentation.

    A segmentation network takes any encoder of timm in place of tf_efficientnet_lite0, as in unet:resnet34.

    The last column says where the ImageNet weights are; missing ones are downloaded on first use.
    """
    from opsin.networks.backbones import find_weights
    from opsin.networks.registry import NETWORKS
    from opsin.networks.segmentation.registry import NETWORKS as FOR_MASKS
    from opsin.workflow.list_networks import list_networks

    found = list_networks(part, pretrained=pretrained)
    if not found:
        raise NetworkError(f"No network has '{part}' in its name; `opsin networks` lists all.")
    with_weights = set(list_networks(part, pretrained=True))
    rows = [
        (
            name,
            "Opsin, segmentation" if name in FOR_MASKS or ":" in name else "Opsin" if name in NETWORKS else "timm",
            (find_weights(name) or "to download") if name in with_weights else "none",
        )
        for name in found
    ]
    console().print(table(["network", "from", "ImageNet weights"], rows))
