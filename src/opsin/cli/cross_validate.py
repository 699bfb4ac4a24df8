"""``opsin cross-validate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, interval, table
from opsin.cli.flags import RecipeOptions, takes_recipe
from opsin.cli.options import Anonymous, AsJson, Quiet
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
    repeats: Annotated[int, typer.Option(help="Number of repetitions, each with new folds.")] = 1,
    each_group: Annotated[
        bool,
        typer.Option("--each-group", help="Leave out one group at a time (as many folds as groups)."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of this cross-validation; default: a new one in --runs."),
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder for new folders; default: runs, or the parent of RUN."),
    ] = None,
    anonymous: Anonymous = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Split the images into folds, train a network for each fold on the others, and score every image out of fold.

    Use it when there are too few images for a test split: the score rests on all images. Folds are stratified by
    class and keep groups whole. DATA may also be a run; its data and recipe are then used. If you stop it, the same
    command resumes.
    """
    is_run = wanted.data is not None and (Path(wanted.data) / "run.json").is_file()
    if is_run and (wanted.file or wanted.assignments):
        raise RecipeError(
            f"{wanted.data} is a run and is cross-validated with its own recipe; change that with flags only."
        )
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
