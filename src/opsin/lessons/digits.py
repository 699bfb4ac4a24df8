"""The lesson on handwritten digits: ten weight images that can be read, then hidden layers that read better."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from opsin.lessons.lesson import LOOKS, Lesson, Part, Picture, Table, log_scale
from opsin.reporting.figures.style import add_axes, add_legend, label_x, new_figure, whole_numbers
from opsin.scratch.experiments import Digits
from opsin.scratch.functions import Array
from opsin.scratch.network import Network, Progress, train
from opsin.statistics.bootstrap import Interval, wilson

# The recipe that reads best: more units, momentum, and dropout in the place of a penalty against learning by heart.
BETTER_UNITS = (300, 100)
BETTER: dict[str, Any] = {"rate": 0.1, "momentum": 0.9, "l2": 0.0, "dropout": 0.2}


@dataclass(frozen=True)
class Trained:
    """A network after training.

    Attributes:
        name: Its widths, as people write them.
        network: The network.
        progress: Errors and accuracies of each epoch.
        seconds: How long it took.
        test: Accuracy on the test images, with its interval (Wilson).
    """

    name: str
    network: Network
    progress: Progress
    seconds: float
    test: Interval


def train_digits(
    chosen: Digits,
    tested: Digits,
    units: Sequence[int],
    *,
    epochs: int,
    rate: float = 0.5,
    momentum: float = 0.0,
    l2: float = 1e-4,
    dropout: float = 0.0,
    seed: int = 0,
) -> Trained:
    """Train one network on digits, at a rate that falls to 0 along half a cosine, and test it.

    Args:
        chosen: Training and validation images.
        tested: The same training images, and test images.
        units: Widths of the hidden layers; none: softmax regression.
        epochs: Passes over the training images.
        rate: Learning rate at the beginning.
        momentum: See `opsin.scratch.network.train`.
        l2: See `opsin.scratch.network.Network`; 1e-4 gained 0.24 points on MNIST's validation images.
        dropout: See `opsin.scratch.network.Network`.
        seed: Of weights, order and dropout.
    """
    network = chosen.network(units, l2=l2, dropout=dropout, seed=seed)
    started = time.perf_counter()
    progress = train(
        network,
        chosen.X,
        chosen.labels,
        epochs=epochs,
        rate=lambda done: rate * (1 + math.cos(math.pi * done)) / 2,
        momentum=momentum,
        validation=chosen.validation,
        seed=seed,
    )
    seconds = time.perf_counter() - started
    right = int((network.predict(tested.new_X).argmax(axis=1) == tested.new_labels).sum())
    name = "-".join(map(str, network.widths))
    return Trained(name, network, progress, seconds, wilson(right, len(tested.new_labels)))


def teach_digits(
    chosen: Digits,
    tested: Digits,
    source: str,
    epochs: int | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Lesson:
    """Run the lesson.

    Args:
        chosen: Training and validation images.
        tested: The same training images, and test images, which are opened once for each network.
        source: What to call them.
        epochs: Of each network; left out: 20, for fewer than 10,000 images 100.
        say: Is told what is being done.
    """
    epochs = epochs or (20 if len(chosen.X) >= 10_000 else 100)
    variants: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (((), {}), ((100,), {}), (BETTER_UNITS, BETTER))
    results = []
    for units, options in variants:
        say(f"training {'-'.join(map(str, (chosen.X.shape[1], *units, 10)))} for {epochs} epochs")
        results.append(train_digits(chosen, tested, units, epochs=epochs, **options))
    softmax, hidden, better = results
    return Lesson(
        "digits",
        "Digits: a network of one's own",
        "Ten units that each look for one digit read nine of ten right. A hidden layer lets units look for parts of "
        "digits, and reads nearly all.",
        source,
        [_softmax(softmax), _hidden(hidden), _better(hidden, better), _compared(results)],
        [
            "Give the hidden layer 10 units, then 500. Where does more stop to help?",
            "Use sigmoid units in the place of ReLU. How many epochs longer until the same accuracy?",
            "Let the rate begin at 5. What do the curves look like, and why?",
        ],
    )


def _softmax(result: Trained) -> Part:
    return Part(
        "One layer",
        [
            f"Ten units, {result.network.size:,} weights, softmax on top: {_percent(result)} of the test images are "
            "right. Each unit's weights are an image: blue speaks for its digit, orange against."
        ],
        pictures=[
            Picture(
                plot_weights(result.network.layers[0].W, 10),
                "What the ten units look for",
                "From 0 to 9. Blue: ink here speaks for the digit. Orange: against.",
                wide=True,
            )
        ],
    )


def _hidden(result: Trained) -> Part:
    return Part(
        "A hidden layer",
        [
            f"With {result.network.widths[1]} hidden units, {result.network.size:,} weights, it is {_percent(result)} "
            f"after {len(result.progress.training)} epochs ({result.seconds:.0f} s here). The units look for strokes, "
            "edges and gaps; digits are hard to see in them."
        ],
        pictures=[
            Picture(
                plot_weights(result.network.layers[0].W, 20),
                "What the first twenty hidden units look for",
                "Each unit alone means little; together they tell ten digits apart.",
                wide=True,
            )
        ],
    )


def _better(before: Trained, result: Trained) -> Part:
    return Part(
        "Further",
        [
            f"Layers of {' and '.join(map(str, result.network.widths[1:-1]))} units, momentum and dropout: "
            f"{_percent(result)}, against {before.test.value:.2%} before."
        ],
        pictures=[
            Picture(
                _curves([before, result], "training"),
                "Error in training",
                "Mean cross-entropy of each epoch's batches.",
            ),
            Picture(_curves([before, result], "accuracy"), "Accuracy on validation images", "Never trained on."),
        ],
    )


def _compared(results: list[Trained]) -> Part:
    rows = [
        [
            result.name,
            f"{result.network.size:,}",
            f"{result.test.value:.2%} ({result.test.low:.2%}–{result.test.high:.2%})",
            f"{result.progress.training[-1]:.4f}",
            f"{result.progress.validation[-1]:.4f}",
            f"{result.seconds:.0f}",
        ]
        for result in results
    ]
    columns = ["network", "weights", "test accuracy (95 % interval)", "error in training", "in validation", "seconds"]
    return Part("Side by side", tables=[Table(columns, rows)])


def plot_weights(W: Array, number: int) -> Figure:
    """Draw the weights ``(D, units)`` of the first units as images where D is a square number, else as strips."""
    side = math.isqrt(len(W))
    number = min(number, W.shape[1])
    rows = math.ceil(number / 10)
    figure = new_figure(7.2, 0.85 * rows)
    grid = figure.add_gridspec(rows, min(10, number))
    for unit in range(number):
        axes = add_axes(figure, grid[unit // 10, unit % 10], grid="")
        image = W[:, unit].reshape(side, side) if side * side == len(W) else W[:, unit][None]  # (side, side)
        most = float(np.abs(image).max()) or 1.0
        axes.imshow(image, cmap="PuOr", vmin=-most, vmax=most, interpolation="nearest")
        axes.set(xticks=(), yticks=())
    return figure


def _curves(results: list[Trained], what: str) -> Figure:
    figure = new_figure(4.6, 2.8)
    axes = add_axes(figure, title="Cross-entropy" if what == "training" else "Accuracy")
    for result, look in zip(results, (LOOKS[1], LOOKS[0]), strict=True):
        values = getattr(result.progress, what)
        axes.plot(np.arange(1, len(values) + 1), values, **look, label=result.name)
    if what == "training":
        log_scale(axes)
    add_legend(axes)
    whole_numbers(axes)
    label_x(axes, "epoch")
    return figure


def _percent(result: Trained) -> str:
    return f"{result.test.value:.2%} (95 % interval {result.test.low:.2%}–{result.test.high:.2%})"
