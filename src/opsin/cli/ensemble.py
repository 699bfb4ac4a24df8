"""``opsin ensemble``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.options import Inspect, Quiet

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin ensemble runs/cells-3f9a1c runs/cells-77aa01 runs/cells-90b2ff --out runs/three

  opsin ensemble runs/tuned-* --soup --out runs/soup"""


@app.command(epilog=EXAMPLES)
def ensemble(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of two or more finished runs with the same split.")
    ],
    soup: Annotated[
        bool,
        typer.Option(
            "--soup", help="Average the weights (of runs fine-tuned from the same weights) instead of the predictions."
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the new run; default: a new one in runs.")] = None,
    inspect: Inspect = True,
    quiet: Quiet = False,
) -> None:
    """Combine several runs into one, and score it: average their predictions or, with --soup, their weights.

    The new folder holds all weights and works like any other run. Choose the members by their validation scores, not
    by test: every time a member opened the test split also counts for the ensemble.
    """
    from opsin.workflow.ensemble import ensemble as combine

    run = combine(runs, soup=soup, out=out, inspect=inspect, quiet=quiet)
    if quiet:
        typer.echo(run.report)
