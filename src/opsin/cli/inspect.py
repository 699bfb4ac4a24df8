"""``opsin examine``: what costs more passes through the network than scoring does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.console import console
from opsin.inspection import EXAMINATIONS

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin train photos/ --no-examine --out runs/photos

  opsin examine runs/photos"""

NAMES = "; ".join(f"{name}: {summary}" for name, (_, summary) in EXAMINATIONS.items())


@app.command(epilog=EXAMPLES)
def examine(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; `opsin runs` lists them.")],
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Make only this examination; repeatable. {NAMES}"),
    ] = None,
) -> None:
    """Examine a trained network further, as is done at the end of training, and write its report anew.

    The images are read again from where the run found them. Validation images are used; the test split stays locked.
    """
    from opsin.workflow.evaluate import examine as examine_
    from opsin.workflow.run import load_run

    made = examine_(run, only=only or ())
    console().print(f"examined {', '.join(made)}; report {load_run(run).report}", soft_wrap=True)
