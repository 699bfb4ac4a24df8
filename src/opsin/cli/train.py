"""``opsin train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.flags import RecipeOptions, takes_recipe
from opsin.cli.options import Anonymous, Inspect, Quiet
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
        typer.Option(help="Folder of this run; default: a new one in --runs."),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder for new runs.")] = Path("runs"),
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Resume an unfinished run, with its own recipe."),
    ] = None,
    anonymous: Anonymous = False,
    inspect: Inspect = True,
    open_test: Annotated[
        bool,
        typer.Option(
            "--open-test/--lock-test",
            help="Score the test split at the end, or keep it locked until `opsin evaluate` opens it.",
        ),
    ] = True,
    leak_check: Annotated[
        bool,
        typer.Option(
            "--leak-check",
            help="If a given split leaks, measure how much the score owes to it (trains five more networks).",
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on labelled images, test it once on a locked test split, and write a report.

    The defaults train well: images up to 64 pixels train a small residual network from scratch, larger ones fine-tune
    a pretrained network. Every flag is a key of the recipe; the run folder keeps the complete recipe as recipe.toml.
    """
    if resume is not None and not wanted.nothing:
        raise RecipeError(
            f"{resume} is resumed with its own recipe; leave out the data and the settings, or start a new run."
        )
    if resume is not None and out is not None:
        raise RecipeError(f"{resume} is resumed in its own folder; leave out --out.")
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
    recipe = wanted.recipe()  # report a wrong flag before importing torch

    from opsin.workflow import train as workflow

    return workflow.train(recipe.data.source, recipe=recipe, data_root=wanted.data_root, **arguments)


def _resume(path: Path, anonymous: bool, quiet: bool) -> Run:
    from opsin.workflow import train as workflow
    from opsin.workflow.report import report

    run = workflow.resume_run(path, quiet=quiet)
    if anonymous:
        report(run, anonymous=True)
    return run
