"""``opsin inspect``."""

from __future__ import annotations

from typing import Annotated

import typer

from opsin.cli.console import console
from opsin.cli.options import RunArgument
from opsin.inspection import INSPECTIONS

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin train photos/ --no-inspect --out runs/photos

  opsin inspect runs/photos"""

NAMES = "; ".join(f"{name}: {summary}" for name, (_, summary) in INSPECTIONS.items())


@app.command(epilog=EXAMPLES)
def inspect(
    run: RunArgument,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Run only this inspection; repeatable. {NAMES}"),
    ] = None,
) -> None:
    """Inspect a trained network, as `opsin train` does at its end, and update the report.

    The images are read again from their original place. Only validation images are used; the test split stays locked.
    """
    from opsin.workflow.inspect import inspect as inspect_run
    from opsin.workflow.run import load_run

    made = inspect_run(run, only=only or ())
    console().print(f"inspected {', '.join(made)}; report {load_run(run).report}", soft_wrap=True)
