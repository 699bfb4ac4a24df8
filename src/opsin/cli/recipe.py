"""``opsin recipe``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.console import console, table
from opsin.cli.flags import RecipeOptions, bounds_text, default_text, flag_text, takes_recipe
from opsin.recipe.recipe import flag_names, settings

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _recipe() -> None:
    """Show the recipe of a run, or all keys of a recipe."""


SHOW_EXAMPLES = """[bold]Examples[/bold]

  opsin recipe show photos/ --epochs 20 > photos.toml

  opsin train --recipe photos.toml

  opsin recipe show runs/photos-3f9a1c"""


@app.command(epilog=SHOW_EXAMPLES)
@takes_recipe
def show(wanted: RecipeOptions) -> None:
    """Print the recipe of a run, or the complete recipe that these flags give for these data.

    The output is TOML; `opsin train --recipe` reads it from a file.
    """
    alone = wanted.data is not None and not (wanted.file or wanted.assignments or wanted.settings)
    if alone and (Path(str(wanted.data)) / "run.json").is_file():
        from opsin.runs.folder import RunFolder

        recipe = RunFolder(str(wanted.data)).recipe
    else:
        from opsin.workflow import train as workflow

        recipe = workflow.resolve_recipe(wanted.recipe(), data_root=wanted.data_root)
    typer.echo(recipe.to_toml(), nl=False)


@app.command()
def keys(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """List all keys of a recipe with flag, default and meaning."""
    if markdown:
        typer.echo("\n".join(_markdown()))
        return
    console().print(table(["key", "flag", "default", "meaning"], _rows()))


def _rows() -> Iterator[tuple[str, str, str, str]]:
    flags = {key: flag_text(name) for name, key in flag_names().items()}
    for key, item, _ in settings():
        choices = item.metadata["choices"]
        meaning = item.metadata["help"] + bounds_text(item)
        if choices and not all(choice in meaning for choice in choices):
            meaning += f": {', '.join(choices)}"
        yield key, flags.get(key, "DATA"), default_text(item), meaning


def _markdown() -> Iterator[str]:
    yield "| key | flag | default | meaning |"
    yield "|---|---|---|---|"
    for key, flag, default, meaning in _rows():
        yield f"| `{key}` | `{flag}` | {default} | {meaning.replace('|', chr(92) + '|')} |"
