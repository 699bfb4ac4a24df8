"""Lesson on handwritten digits: the weights of softmax regression as images, then hidden layers."""

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

# The best recipe: more units, momentum, and dropout instead of an L2 penalty against overfitting.
BETTER_UNITS = (300, 100)
BETTER: dict[str, Any] = {"rate": 0.1, "momentum": 0.9, "l2": 0.0, "dropout": 0.2}


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        name: Its layer widths, such as 784-100-10.
        network: The network.
        progress: Errors and accuracies of each epoch.
        seconds: Training time.
        test: Test accuracy with its interval (Wilson).
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
    """Train a network on digits with a cosine learning rate schedule, and test it.

    Args:
        chosen: Training and validation images.
        tested: The same training images, and test images.
        units: Widths of the hidden layers; none: softmax regression.
        epochs: Passes over the training images.
        rate: Initial learning rate.
        momentum: See `opsin.scratch.network.train`.
        l2: See `opsin.scratch.network.Network`; 1e-4 gained 0.24 points on MNIST's validation images.
        dropout: See `opsin.scratch.network.Network`.
        seed: Random seed of weights, order and dropout.
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
        tested: The same training images, and test images, used once per network.
        source: Description of the data.
        epochs: Epochs of each network; default: 20, for fewer than 10,000 images 100.
        say: Called with progress messages.
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
        "Digits: a network from scratch",
        "Ten units, one per digit, classify nine of ten images correctly. A hidden layer detects parts of digits, and "
        "classifies nearly all correctly.",
        source,
        [_softmax(softmax), _hidden(hidden), _better(hidden, better), _compared(results)],
        [
            "Give the hidden layer 10 units, then 500. When do more units stop helping?",
            "Replace ReLU by sigmoid units. How many more epochs until the same accuracy?",
            "Start with a learning rate of 5. What do the curves look like, and why?",
        ],
    )


def _softmax(result: Trained) -> Part:
    return Part(
        "One layer",
        [
            f"Softmax regression with ten units and {result.network.size:,} parameters: test accuracy "
            f"{_percent(result)}. "
            "The weights of each unit form an image: blue is evidence for its digit, orange against it."
        ],
        pictures=[
            Picture(
                plot_weights(result.network.layers[0].W, 10),
                "Weights of the ten units",
                "From 0 to 9. Blue: ink here is evidence for the digit. Orange: against it.",
                wide=True,
            )
        ],
    )


def _hidden(result: Trained) -> Part:
    return Part(
        "A hidden layer",
        [
            f"With {result.network.widths[1]} hidden units and {result.network.size:,} parameters, the test accuracy "
            "is "
            f"{_percent(result)} after {len(result.progress.training)} epochs ({result.seconds:.0f} s here). The units "
            "detect strokes, edges and gaps; digits are hard to recognize in their weights."
        ],
        pictures=[
            Picture(
                plot_weights(result.network.layers[0].W, 20),
                "Weights of the first twenty hidden units",
                "A single unit means little; together they distinguish ten digits.",
                wide=True,
            )
        ],
    )


def _better(before: Trained, result: Trained) -> Part:
    return Part(
        "A better recipe",
        [
            f"Layers of {' and '.join(map(str, result.network.widths[1:-1]))} units, momentum and dropout: "
            f"test accuracy {_percent(result)}, against {before.test.value:.2%} before."
        ],
        pictures=[
            Picture(
                _curves([before, result], "training"),
                "Training error",
                "Mean cross-entropy of the batches of each epoch.",
            ),
            Picture(_curves([before, result], "accuracy"), "Validation accuracy", "On held-out images."),
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
    columns = [
        "network",
        "parameters",
        "test accuracy (95 % interval)",
        "training error",
        "validation error",
        "seconds",
    ]
    return Part("Comparison", tables=[Table(columns, rows)])


def plot_weights(W: Array, number: int) -> Figure:
    """Plot the weights ``(D, units)`` of the first units as images if D is a square number, else as strips."""
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
