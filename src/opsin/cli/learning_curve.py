"""``opsin learning-curve``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, table
from opsin.cli.flags import RecipeOptions, takes_recipe
from opsin.cli.options import Anonymous, AsJson, Quiet
from opsin.errors import RecipeError
from opsin.metrics.names import describe_score

if TYPE_CHECKING:
    from opsin.workflow.learning_curve import LearningCurve

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin learning-curve photos/

  opsin learning-curve scans.csv --group patient --sizes 0.2,0.5,1 --repeats 5

  opsin learning-curve runs/photos-3f9a1c --sizes 250,500,1000,2000"""


@app.command(epilog=EXAMPLES)
@takes_recipe
def curve(
    wanted: RecipeOptions,
    sizes: Annotated[
        str,
        typer.Option(help="Fractions of the training images up to 1, or numbers of images."),
    ] = "0.1,0.2,0.4,0.7,1",
    repeats: Annotated[int, typer.Option(help="Number of runs for each size, each with its own seed.")] = 3,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of this learning curve; default: a new one in --runs."),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder for new folders.")] = Path("runs"),
    anonymous: Anonymous = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train on growing parts of the training images, fit a power law, and predict the gain from twice as many images.

    All networks are scored on the same validation images; the test split stays locked. DATA may also be a run; its
    data and recipe are then used. If you stop it, the same command resumes.
    """
    is_run = wanted.data is not None and (Path(wanted.data) / "run.json").is_file()
    if is_run and (wanted.file or wanted.assignments):
        raise RecipeError(f"{wanted.data} is a run and keeps its own recipe; change that with flags only.")
    settings = {key: value for key, (_, value) in wanted.settings.items()} if is_run else {}
    recipe = None if is_run else wanted.recipe()
    parts = _numbers(sizes)

    from opsin.workflow.learning_curve import learning_curve

    made = learning_curve(
        wanted.data if is_run or recipe is None else recipe.data.source,
        sizes=parts,
        repeats=repeats,
        recipe=recipe,
        out=out,
        runs=runs,
        data_root=wanted.data_root,
        anonymous=anonymous,
        quiet=quiet or as_json,
        **settings,
    )
    if as_json:
        typer.echo(json.dumps(made.info, indent=2, ensure_ascii=False))
    elif quiet:
        typer.echo(made.report)
    else:
        _print(made)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise RecipeError(f"--sizes {text}: write numbers separated by commas, as in 0.1,0.3,1.") from None


def _print(made: LearningCurve) -> None:
    by_size: dict[int, list[float]] = {}
    for run in made.info["runs"]:
        by_size.setdefault(run["images"], []).append(run["score"]["value"])
    rows = [
        [f"{images:,}", f"{sum(values) / len(values):.3f}", f"{min(values):.3f}–{max(values):.3f}"]
        for images, values in sorted(by_size.items())
    ]
    console().print(table(["training images", f"validation {describe_score(made.info['score']).words}", "range"], rows))
