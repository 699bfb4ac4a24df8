"""``opsin lesson``: lessons in neural networks written with NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, table

if TYPE_CHECKING:
    from opsin.lessons.lesson import Lesson

app = typer.Typer(no_args_is_help=True, add_completion=False)

Data = Annotated[str | None, typer.Option(metavar="PATH", help="Where the data are; left out: looked for.")]
Out = Annotated[Path | None, typer.Option(help="The page to write; left out: learn-LESSON.html.")]


@app.callback()
def _learn() -> None:
    """See how learning works: networks written with NumPy alone, step by step, each with a page of pictures.

    The code of every lesson is in opsin.scratch, to be read and changed.
    """


@app.command()
def perceptron(
    points: Annotated[int, typer.Option(min=4, help="Points that the line is to part.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the points and the first line.")] = 0,
    out: Out = None,
) -> None:
    """Draw a line that learns: gates, XOR, the perceptron rule and the gradient. A second."""

    def run() -> Lesson:
        from opsin.lessons.perceptron import teach_perceptron

        return teach_perceptron(points, seed)

    _teach(run, out)


@app.command()
def regression(data: Data = None, out: Out = None) -> None:
    """Foretell a car's horsepower by gradient descent: cost curves, scale, learning rate. Seconds."""

    def run() -> Lesson:
        from opsin.lessons.regression import teach_regression
        from opsin.lessons.sources import find_cars

        return teach_regression(*find_cars(data))

    _teach(run, out)


@app.command()
def digits(
    data: Data = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Of each network; left out: 20, for small data 100.")
    ] = None,
    out: Out = None,
) -> None:
    """Read handwritten digits: one softmax layer and its weight images, then hidden layers. Minutes with MNIST."""

    def run() -> Lesson:
        from opsin.lessons.digits import teach_digits
        from opsin.lessons.sources import find_digits

        return teach_digits(*find_digits(data), epochs=epochs, say=_say)

    _teach(run, out)


@app.command()
def training(data: Data = None, out: Out = None) -> None:
    """Try what helps training: early stopping, penalties, dropout, momentum, restarts and more. Half a minute."""

    def run() -> Lesson:
        from opsin.lessons.sources import find_digits
        from opsin.lessons.training import teach_training

        chosen, _, source = find_digits(data or "digits", held_out=500)
        return teach_training(chosen, source, say=_say)

    _teach(run, out)


@app.command()
def sentiment(data: Data = None, out: Out = None) -> None:
    """Tell good film reviews from bad ones in six steps, each better or faster than the last. About two minutes."""

    def run() -> Lesson:
        from opsin.lessons.sentiment import teach_sentiment
        from opsin.lessons.sources import find_reviews

        return teach_sentiment(*find_reviews(data), say=_say)

    _teach(run, out)


def _say(sentence: str) -> None:
    """Tell of progress where it can be seen at once and does not mix with the result."""
    console(stderr=True).print(sentence, style="dim")


def _teach(run: Callable[[], Lesson], out: Path | None) -> None:
    lesson = run()
    screen = console()
    for line in lesson.lines():
        if isinstance(line, str):
            screen.print(line)
        else:
            screen.print(table(line.columns, line.rows, numbers=line.columns[1:]))
    page = lesson.write_page(out or Path(f"learn-{lesson.name}.html"))
    screen.print(f"\npage {page}", soft_wrap=True)
