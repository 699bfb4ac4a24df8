"""``opsin train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.flags import RecipeOptions, takes_recipe
from opsin.errors import RecipeError

if TYPE_CHECKING:
    from opsin.workflow.run import Run

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin train digits

  opsin train photos/ --network mobilenetv3_large_100 --epochs 20

  opsin train scans.csv --group patient --minutes 30 --runs studies/

  opsin train --resume runs/photos-3f9a1c"""


@app.command(epilog=EXAMPLES)
@takes_recipe
def train(
    wanted: RecipeOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of this run; left out: a new one in --runs.", rich_help_panel="Run"),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder in which runs are made.", rich_help_panel="Run")] = Path("runs"),
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with an unfinished run, by its own recipe.", rich_help_panel="Run"),
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Keep file names out of the report.", rich_help_panel="Run")
    ] = False,
    inspect: Annotated[
        bool,
        typer.Option(
            "--inspect/--no-inspect",
            help="Inspect the trained network further (opsin inspect does it later).",
            rich_help_panel="Run",
        ),
    ] = True,
    open_test: Annotated[
        bool,
        typer.Option(
            "--open-test/--lock-test",
            help="Score the test split at the end, or keep it locked until `opsin evaluate` opens it.",
            rich_help_panel="Run",
        ),
    ] = True,
    leak_check: Annotated[
        bool,
        typer.Option(
            "--leak-check",
            help="Where a given split leaks, measure what the score owes to it (trains five more networks).",
            rich_help_panel="Run",
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the report's path.", rich_help_panel="Run")
    ] = False,
) -> None:
    """Train a network on labelled images, test it once on images locked away from the start, and write the report.

    With no flag at all the defaults train well: images up to 64 pixels train a small residual network from scratch,
    larger ones fine-tune a pretrained network. Every flag is a key of the recipe, which the run folder keeps as
    recipe.toml.
    """
    if resume is not None and not wanted.nothing:
        raise RecipeError(
            f"{resume} goes on by its own recipe; leave out the data and the settings, or start a new run."
        )
    if resume is not None and out is not None:
        raise RecipeError(f"{resume} goes on in its own folder; leave out --out.")
    if resume is None:
        run = _train(wanted, out=out, runs=runs, anonymous=anonymous, inspect=inspect, open_test=open_test, quiet=quiet)
    else:
        run = _resume(resume, anonymous, quiet)
    if leak_check and (run.path / "leak.json").exists():
        from opsin.workflow.cross_validate import cross_validate

        cross_validate(run, quiet=quiet)
    if quiet:
        typer.echo(run.report)


def _train(wanted: RecipeOptions, **arguments: Any) -> Run:
    recipe = wanted.recipe()  # a wrong flag is answered before torch is imported

    from opsin.workflow import train as workflow

    return workflow.train(recipe.data.source, recipe=recipe, data_root=wanted.data_root, **arguments)


def _resume(path: Path, anonymous: bool, quiet: bool) -> Run:
    from opsin.workflow import train as workflow
    from opsin.workflow.report import report

    run = workflow.resume_run(path, quiet=quiet)
    if anonymous:
        report(run, anonymous=True)
    return run
