"""``opsin study``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from opsin.cli.console import console, table
from opsin.cli.options import Anonymous, AsJson, DataRoot, Quiet
from opsin.errors import RecipeError

if TYPE_CHECKING:
    from opsin.runs.study import StudyFolder
    from opsin.studies.study import Study
    from opsin.studies.variants import Variant

app = typer.Typer(add_completion=False, no_args_is_help=True)

OUTCOMES = {"better": "better", "worse": "worse", "same": "n. s."}

EXAMPLES = """[bold]Examples[/bold]

  opsin study run mnist --seeds 3

  opsin study run cats-dogs --data pets/ --seeds 1

  opsin study run my-study.toml --only base --only wide --budget 10m

  opsin study run my-study.toml --set training.epochs=2 --seeds 1 --out try"""


@app.callback()
def _study() -> None:
    """Train variants of a recipe with several seeds, and measure what each change is worth."""


@app.command(epilog=EXAMPLES)
def run(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="TOML file of a study, or a name from `opsin study list`.")
    ],
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="Images for all variants; default: those that the study names.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Number of seeds of each variant; default: as in the study.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Number of runs at a time; default: one per core or GPU.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="VARIANT", help="Run only this variant; repeatable.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Stop after a time such as 90s, 10m or 2h; the same command resumes."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the recipe in all variants; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the study; default: runs/NAME-study.")] = None,
    data_root: DataRoot = None,
    inspect: Annotated[bool, typer.Option("--inspect", help="Inspect each network, as `opsin train` does.")] = False,
    anonymous: Anonymous = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train every variant with every seed, several at a time, and write a report that compares them.

    If Ctrl-C or the --budget stops it, the same command resumes; finished runs are not trained again. A variant that
    fails does not affect the others.
    """
    from opsin.studies.runner import run_study

    folder = run_study(
        study,
        data=data,
        seeds=seeds,
        jobs=jobs,
        only=only or (),
        budget=None if budget is None else minutes(budget),
        settings=assignments or (),
        out=out,
        data_root=data_root,
        anonymous=anonymous,
        inspect=inspect,
        quiet=quiet or as_json,
    )
    if as_json:
        typer.echo(json.dumps(folder.info, indent=2, ensure_ascii=False))
    elif quiet:
        typer.echo(folder.page)
    else:
        _print(folder)


@app.command()
def search(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="TOML file of a study with a table [search].")],
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="Images for all trials; default: those that the study names.")
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Total number of trials; default: as in the study.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Number of trials at a time; default: one per core or GPU.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Stop after a time such as 90s, 10m or 2h; the same command resumes."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the recipe in all trials; repeatable."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the trials; default: runs/NAME-search.")] = None,
    data_root: DataRoot = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the path of found.toml.")] = False,
) -> None:
    """Search for good values of some keys of a variant, by its validation score; the test split stays locked.

    The table "search" of the study file names the keys and their ranges, and Optuna chooses the next trial. The result
    is found.toml, a small study that compares the best values with the original variant. If you stop it, the same
    command resumes.
    """
    from opsin.studies.search import FOUND, search_study

    folder = search_study(
        study,
        data=data,
        trials=trials,
        jobs=jobs,
        budget=None if budget is None else minutes(budget),
        settings=assignments or (),
        out=out,
        data_root=data_root,
        quiet=quiet,
    )
    if quiet:
        typer.echo(folder.path / FOUND)
        return
    screen, info = console(), folder.info
    keys = list(info["trials"][0]["settings"])
    rows = [
        [row["run"], f"{row['value']:.4f}", *(_short(row["settings"][key]) for key in keys)]
        for row in info["trials"][:10]
    ]
    screen.print(table(["trial", "validation", *keys], rows))
    if info["importance"]:
        told = ", ".join(f"{key} {part:.0%}" for key, part in info["importance"].items())
        screen.print(f"importance for the score: {told}")


@app.command("list")
def list_() -> None:
    """List the studies that come with Opsin."""
    from opsin.studies.bundled import STUDIES
    from opsin.studies.study import Study

    rows = []
    for name in STUDIES:
        study = Study.read(name)
        rows.append([name, str(len(study.variants)), study.question])
    screen = console()
    screen.print(table(["study", "variants", "question"], rows, numbers=["variants"]))


@app.command()
def show(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="TOML file of a study, or a name from `opsin study list`.")
    ],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """Show the variants of a study: the changes, the question behind each, and published results."""
    from opsin.studies.study import Study

    read = Study.read(study)
    if markdown:
        typer.echo("\n".join(markdown_table(read)))
        return
    screen = console()
    screen.print(f"{read.name}: {read.question}", style="bold")
    for name, each in read.variants.items():
        screen.print()
        screen.print(Text.assemble((name, "bold"), f", differs from {each.parent}" if each.parent else ", the base"))
        published = [f"published: {_published(each)}"] if each.published else []
        for line in (each.asks, *_changes(each), *published):
            screen.print(Padding(Text(line), (0, 0, 0, 2), expand=False))


def markdown_table(study: Study) -> Iterator[str]:
    """Yield the lines of a Markdown table of a study's variants."""
    yield "| variant | differs from | asks | published | in |"
    yield "|---|---|---|---|---|"
    for name, each in study.variants.items():
        changes = "<br>".join(f"`{change}`" for change in _changes(each))
        parent = f"`{each.parent}`" if each.parent else ""
        yield f"| `{name}` | {parent} | {each.asks} | {_published(each)} | {changes} |"


def _changes(variant: Variant) -> list[str]:
    return [f"{key} = {_plain(value)}" for key, value in variant.changes.items()]


def _published(variant: Variant) -> str:
    return ", ".join(f"{score.replace('_', ' ')} {value}" for score, value in variant.published.items())


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a study.")],
) -> None:
    """Write the report of a study again, from the files in its folder."""
    from opsin.reporting.pages.study import write_study_page
    from opsin.runs.study import StudyFolder

    found = StudyFolder(folder)
    if not found.info.get("rows"):
        raise RecipeError(f"{folder} has no finished runs yet; train them with `opsin study run`.")
    typer.echo(write_study_page(found))


def minutes(text: str) -> float:
    """Return the minutes of ``90s``, ``10m``, ``1.5h``, or of a plain number of minutes.

    Raises:
        RecipeError: The text has another form.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    if not match:
        raise RecipeError(f"--budget {text}: write a time such as 90s, 10m or 2h.")
    return float(match[1]) * {"s": 1 / 60, "m": 1, "": 1, "h": 60}[match[2]]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> str:
    return "(left to the rules)" if value is None else str(value)


def _print(folder: StudyFolder) -> None:
    info = folder.info
    score = info["score"].replace("_", " ")
    columns = ["variant", "seeds", score, "95 % interval", "published", "difference from parent", "minutes"]
    rows = []
    for row in info["rows"]:
        spread = f" ± {row['deviation']:.4f}" if row["deviation"] is not None else ""
        difference = row["difference"]
        published = row["published"].get(info["score"])
        rows.append(
            [
                row["name"] + (" (best)" if row["name"] == info["best"] else ""),
                str(len(row["seeds"])),
                f"{row['mean']:.4f}{spread}",
                "–".join(f"{bound:.4f}" for bound in row["interval"] or ()),
                "" if published is None else f"{published:.4f}",
                "" if difference is None else f"{difference['value']:+.4f} {OUTCOMES[difference['outcome']]}",
                "" if row["seconds"] is None else f"{row['seconds'] / 60:.1f}",
            ]
        )
    console().print(table(columns, rows, numbers=["seeds", "minutes"]))
