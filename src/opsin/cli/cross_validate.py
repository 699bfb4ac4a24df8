"""``opsin cross-validate``: train on all folds but one in turn, and score all images by networks that had not seen them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, interval, table
from opsin.cli.flags import RecipeOptions, takes_recipe
from opsin.errors import RecipeError
from opsin.metrics.names import describe_score
from opsin.tasks.registry import task_spec

if TYPE_CHECKING:
    from opsin.workflow.cross_validate import CrossValidation

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin cross-validate photos/ --folds 10

  opsin cross-validate scans/ --group-by 'patient(\\d+)' --repeats 2 --epochs 20

  opsin cross-validate slides.csv --each-group

  opsin cross-validate runs/slides-3f9a1c"""


@app.command(epilog=EXAMPLES)
@takes_recipe
def cross_validate_(
    wanted: RecipeOptions,
    repeats: Annotated[int, typer.Option(help="Do it all so often, with folds drawn anew.", rich_help_panel="Run")] = 1,
    each_group: Annotated[
        bool,
        typer.Option("--each-group", help="As many folds as groups: leave out one at a time.", rich_help_panel="Run"),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the runs; left out: one in --runs.", rich_help_panel="Run"),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder in which that is made; left out: runs, or beside RUN.", rich_help_panel="Run"),
    ] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Keep file names out of the reports.", rich_help_panel="Run")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print cross-validation.json and nothing else.", rich_help_panel="Run")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the page's path.", rich_help_panel="Run")
    ] = False,
) -> None:
    """Share all images out into folds, train on all but one in turn, and score every image by a network new to it.

    For data too few for a test split of their own: the score rests on all of them. Groups stay whole, classes even.
    DATA may also be a run, whose data and recipe are then taken. Stopped, the same command goes on where it was.
    """
    is_run = wanted.data is not None and (Path(wanted.data) / "run.json").is_file()
    if is_run and (wanted.file or wanted.assignments):
        raise RecipeError(f"{wanted.data} is a run and is cross-validated by its own recipe; change it by flags alone.")
    settings = {key: value for key, (_, value) in wanted.settings.items()} if is_run else {}
    recipe = None if is_run else wanted.recipe()

    from opsin.workflow.cross_validate import cross_validate

    made = cross_validate(
        wanted.data if is_run or recipe is None else recipe.data.source,
        recipe=recipe,
        repeats=repeats,
        each_group=each_group,
        out=out,
        runs=runs,
        data_root=wanted.data_root,
        anonymous=anonymous,
        quiet=quiet or as_json,
        **settings,
    )
    if as_json:
        typer.echo(json.dumps(made.folder.info, indent=2, ensure_ascii=False))
    elif quiet:
        typer.echo(made.report)
    else:
        _print(made)


def _print(made: CrossValidation) -> None:
    info = made.folder.info
    screen = console()
    task = task_spec(info["task"])
    shown = task.compared[1:2]
    columns = ["run", "images", "groups", *(describe_score(name).words for name in (task.main_metric, *shown))]
    rows = [
        [
            row["run"],
            f"{row['images']:,}",
            f"{row['groups']:,}" if row["groups"] else "",
            interval(row["main"]),
            *(f"{row['scores'][name]:.3f}" for name in shown),
        ]
        for row in info["runs"]
    ]
    pooled = [
        "all",
        f"{info['images']:,}",
        f"{info['groups']:,}" if info["groups"] else "",
        interval(made.scorecard[task.main_metric]),
        *(f"{made.scorecard[name]['value']:.3f}" for name in shown),
    ]
    screen.print(table(columns, [*rows, pooled], numbers=["images", "groups", *columns[4:]]))
