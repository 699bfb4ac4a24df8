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
    """List the networks that --network takes: ours, then timm's.

    The last column says whether the ImageNet weights are on this machine; others are fetched where there is a network.
    """
    from opsin.networks.table import NETWORKS, find_weights, list_networks

    with_weights = {name.partition(".")[0] for name in list_networks(pretrained=True)}  # timm adds a tag for the data
    found = [name for name in list_networks() if part.lower() in name and (not pretrained or name in with_weights)]
    if not found:
        raise NetworkError(f"No network has '{part}' in its name; `opsin networks` lists all.")
    rows = [
        (
            name,
            "Opsin" if name in NETWORKS else "timm",
            (find_weights(name) or "to be fetched") if name in with_weights else "none",
        )
        for name in found
    ]
    console().print(table(["network", "from", "ImageNet weights"], rows))
