"""``opsin lesson``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, table

if TYPE_CHECKING:
    from opsin.lessons.lesson import Lesson

app = typer.Typer(no_args_is_help=True, add_completion=False)

Data = Annotated[str | None, typer.Option(metavar="PATH", help="Path of the data; default: found automatically.")]
Out = Annotated[Path | None, typer.Option(help="HTML page to write; default: learn-LESSON.html.")]


@app.callback()
def _learn() -> None:
    """Learn how training works, step by step, with networks written in NumPy; each lesson writes a page of figures.

    The code of the lessons is in opsin.scratch: read it and change it.
    """


@app.command()
def perceptron(
    points: Annotated[int, typer.Option(min=4, help="Number of points that the line has to separate.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the points and of the first line.")] = 0,
    out: Out = None,
) -> None:
    """Train a single line: logic gates, XOR, the perceptron rule and the gradient. Takes a second."""

    def run() -> Lesson:
        from opsin.lessons.perceptron import teach_perceptron

        return teach_perceptron(points, seed)

    _teach(run, out)


@app.command()
def regression(data: Data = None, out: Out = None) -> None:
    """Predict a car's horsepower by gradient descent: cost curves, scaling, learning rate. Takes seconds."""

    def run() -> Lesson:
        from opsin.lessons.regression import teach_regression
        from opsin.lessons.sources import find_cars

        return teach_regression(*find_cars(data))

    _teach(run, out)


@app.command()
def digits(
    data: Data = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of each network; default: 20, for small data 100.")
    ] = None,
    out: Out = None,
) -> None:
    """Read handwritten digits: one softmax layer and its weight images, then hidden layers. MNIST takes minutes."""

    def run() -> Lesson:
        from opsin.lessons.digits import teach_digits
        from opsin.lessons.sources import find_digits

        return teach_digits(*find_digits(data), epochs=epochs, say=_say)

    _teach(run, out)


@app.command()
def training(data: Data = None, out: Out = None) -> None:
    """Try what helps training: early stopping, penalties, dropout, momentum, restarts. Takes half a minute."""

    def run() -> Lesson:
        from opsin.lessons.sources import find_digits
        from opsin.lessons.training import teach_training

        chosen, _, source = find_digits(data or "digits", held_out=500)
        return teach_training(chosen, source, say=_say)

    _teach(run, out)


@app.command()
def sentiment(data: Data = None, out: Out = None) -> None:
    """Classify film reviews in six steps, each better or faster than the last. Takes about two minutes."""

    def run() -> Lesson:
        from opsin.lessons.sentiment import teach_sentiment
        from opsin.lessons.sources import find_reviews

        return teach_sentiment(*find_reviews(data), say=_say)

    _teach(run, out)


def _say(sentence: str) -> None:
    """Print progress to standard error, apart from the result."""
    console(stderr=True).print(sentence, style="dim")


def _teach(run: Callable[[], Lesson], out: Path | None) -> None:
    lesson = run()
    screen = console()
    for line in lesson.lines():
        if isinstance(line, str):
            screen.print(line)
        else:
            screen.print(table(line.columns, line.rows, numbers=line.columns[1:]))
    page = lesson.write_page(out or Path(f"lesson-{lesson.name}.html"))
    screen.print(f"\npage {page}", soft_wrap=True)
