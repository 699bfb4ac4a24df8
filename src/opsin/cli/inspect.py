"""``opsin inspect``: what costs more passes through the network than scoring does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.console import console
from opsin.inspection import INSPECTIONS

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin train photos/ --no-inspect --out runs/photos

  opsin inspect runs/photos"""

NAMES = "; ".join(f"{name}: {summary}" for name, (_, summary) in INSPECTIONS.items())


@app.command(epilog=EXAMPLES)
def inspect(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; `opsin runs` lists them.")],
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Make only this inspection; repeatable. {NAMES}"),
    ] = None,
) -> None:
    """Inspect a trained network further, as is done at the end of training, and write its report anew.

    The images are read again from where the run found them. Validation images are used; the test split stays locked.
    """
    from opsin.workflow.inspect import inspect as examine_
    from opsin.workflow.run import load_run

    made = examine_(run, only=only or ())
    console().print(f"inspected {', '.join(made)}; report {load_run(run).report}", soft_wrap=True)
