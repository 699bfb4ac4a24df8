"""The ``opsin`` command: one file per verb, imported only when the verb is used.

``opsin --help`` therefore imports neither NumPy nor torch nor matplotlib, and a mistyped flag is reported at once.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from opsin.errors import OpsinError, TrainingInterrupted
from opsin.version import __version__

USER_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report a program ended by Ctrl-C

# Verb -> the module that holds it, and its line in `opsin --help`.
VERBS = {
    "check": ("check", "Find broken, duplicate, foreign and mislabelled images before training."),
    "train": ("train", "Train a network on labelled images, test it, and write a report."),
    "cross-validate": (
        "cross_validate",
        "Train once per fold and score every image with a network that has not seen it.",
    ),
    "find-learning-rate": (
        "find_learning_rate",
        "Plot the loss against the learning rate and suggest a rate.",
    ),
    "learning-curve": ("learning_curve", "Train on growing parts of the images to see whether more images would help."),
    "ensemble": ("ensemble", "Combine several runs into one: average their predictions or their weights."),
    "evaluate": ("evaluate", "Score a run on its test split, on another split, or on other data."),
    "inspect": ("inspect", "Inspect a trained network: robustness, heat maps, map of the images."),
    "estimate-accuracy": (
        "estimate_accuracy",
        "Estimate the accuracy of a run on images without labels.",
    ),
    "predict": ("predict", "Predict new images with the network of a run."),
    "runs": ("runs", "List the runs in a folder."),
    "compare": ("compare", "Compare runs image by image and test whether one is better."),
    "study": ("study", "Train variants of a recipe with several seeds and measure what each change is worth."),
    "score-isic": ("score_isic", "Score a file of predictions by the rules of ISIC 2017."),
    "report": ("report", "Write the report of a run again, with other options."),
    "recipe": ("recipe", "Show the recipe of a run, or all keys of a recipe."),
    "lesson": ("lesson", "Learn how training works, with networks written in NumPy."),
    "networks": ("networks", "List the names that --network accepts."),
    "datasets": ("datasets", "List the data sets that Opsin knows by name, or describe one."),
}


class LazyGroup(TyperGroup):
    """Command group that imports a verb only when it is called, and prints an `OpsinError` as one sentence."""

    def __init__(self, **attributes: Any):
        super().__init__(**attributes)
        for name, (_, summary) in VERBS.items():
            self.add_command(TyperCommand(name, help=summary))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Replace the placeholder of the called verb with the real command, then resolve as usual."""
        if args and args[0] in VERBS:
            self.add_command(_load(args[0]))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; print an `OpsinError` as one sentence and end with its exit code."""
        try:
            return super().invoke(ctx)
        except TrainingInterrupted as stopped:
            _say(str(stopped))
            raise typer.Exit(INTERRUPTED) from None
        except OpsinError as error:
            _say(f"Error: {error}")
            raise typer.Exit(USER_ERROR) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def _load(verb: str) -> Any:
    group: Any = typer.main.get_command(importlib.import_module(f"opsin.cli.{VERBS[verb][0]}").app)
    command = getattr(group, "commands", {}).get(verb, group)
    command.name = verb
    for each in (command, *getattr(command, "commands", {}).values()):
        each.help = re.sub(
            r"(?<!\n)\n(?!\n)", " ", each.help or ""
        )  # the width of the terminal decides, not the source's
    return command


def _say(sentence: str) -> None:
    """Print to standard error, unwrapped and without reading markup into what the user wrote."""
    from rich.console import Console

    Console(stderr=True).print(sentence, markup=False, highlight=False, soft_wrap=True)


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"opsin {__version__}")
        raise typer.Exit()


@app.callback(
    epilog="Start with [bold]opsin train digits[/bold], then [bold]opsin train[/bold] and the folder of your images."
)
def _opsin(
    version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
    ),
) -> None:
    """From labelled images to a model you can trust and a report you can show."""


def main() -> None:
    """Run the command line; the entry point of ``opsin`` and of ``python -m opsin``."""
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a character shows "?" for it instead of ending the program.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app(prog_name="opsin")
