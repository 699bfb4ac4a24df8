"""``opsin find-learning-rate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console
from opsin.cli.flags import RecipeOptions, takes_recipe
from opsin.errors import RecipeError

if TYPE_CHECKING:
    from opsin.training.lr_finder import LearningRateCurve

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin find-learning-rate photos/ --network mobilenetv3_large_100

  opsin find-learning-rate digits --optimizer sgd --out rates.svg"""


@app.command(name="find-learning-rate", epilog=EXAMPLES)
@takes_recipe
def find_learning_rate(
    wanted: RecipeOptions,
    out: Annotated[Path, typer.Option(help="Plot to write: .png, .svg or .pdf.")] = Path("learning-rates.png"),
) -> None:
    """Raise the learning rate step by step, plot the loss against it, and suggest a rate.

    Only the plot is kept. Take the suggestion as a first guess; the default rates suit most data.
    """
    if out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise RecipeError(f"{out}: the file name of the plot must end in .png, .svg or .pdf.")
    recipe = wanted.recipe()

    from opsin.workflow import find_learning_rate as workflow

    curve = workflow.find_learning_rate(recipe=recipe, data_root=wanted.data_root)
    _draw(curve, out)
    screen = console()
    rate = f"{curve.suggestion:.2g}"
    screen.print(f"suggested learning rate {rate}: opsin train {recipe.data.source} --learning-rate {rate}")
    screen.print(f"curve {out}", soft_wrap=True)


def _draw(curve: LearningRateCurve, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.rates, curve.losses, color="#1f5a96")
    axes.axvline(curve.suggestion, color="#b5541c", linestyle="--", label=f"suggestion {curve.suggestion:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
