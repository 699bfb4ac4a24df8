"""``opsin networks``: the names that ``--network`` takes."""

from __future__ import annotations

from typing import Annotated

import typer

from opsin.cli.console import console, table
from opsin.errors import NetworkError

app = typer.Typer(add_completion=False)


@app.command()
def networks(
    part: Annotated[str, typer.Argument(metavar="PART", help="Only names that contain this.")] = "",
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Only networks with ImageNet weights.")] = False,
) -> None:
    """List the networks that --network takes: ours, timm's, and those for masks.

    For masks an encoder of timm's can stand in the place of tf_efficientnet_lite0, as in unet:resnet34.

    The last column says whether the ImageNet weights are on this machine; others are fetched where there is a network.
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
            "Opsin, for masks" if name in FOR_MASKS or ":" in name else "Opsin" if name in NETWORKS else "timm",
            (find_weights(name) or "to be fetched") if name in with_weights else "none",
        )
        for name in found
    ]
    console().print(table(["network", "from", "ImageNet weights"], rows))
