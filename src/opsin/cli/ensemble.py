"""``opsin ensemble``: several trained runs as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin ensemble runs/cells-3f9a1c runs/cells-77aa01 runs/cells-90b2ff --out runs/three

  opsin ensemble runs/tuned-* --soup --out runs/soup"""


@app.command(epilog=EXAMPLES)
def ensemble(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of two or more finished runs on one split.")
    ],
    soup: Annotated[
        bool,
        typer.Option("--soup", help="Average the weights of runs that were tuned from the same ones, not predictions."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the new run; left out: one in runs.")] = None,
    inspect: Annotated[
        bool, typer.Option("--inspect/--no-inspect", help="Inspect it further, as at the end of training.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the report's path.")] = False,
) -> None:
    """Make one run of several and score it: the mean of their predictions or, with --soup, of their weights.

    The new folder holds all weights and is used like any other run. Choose its members by validation, not by test; the
    looks that they had at the test images are the ensemble's too.
    """
    from opsin.workflow.ensemble import ensemble as combine

    run = combine(runs, soup=soup, out=out, inspect=inspect, quiet=quiet)
    if quiet:
        typer.echo(run.report)
