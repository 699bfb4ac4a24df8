"""Lesson on perceptrons: logic gates, the perceptron rule, and why XOR needs two layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opsin.lessons.lesson import Lesson, Part, Picture, Table
from opsin.reporting.figures.style import BLUE, MUTED, ORANGE, add_axes, add_legend, label_x, new_figure, whole_numbers
from opsin.scratch.functions import Array, sigmoid
from opsin.scratch.perceptron import (
    CORNERS,
    Perceptron,
    combine,
    gate,
    learn_by_gradient,
    learn_by_perceptron_rule,
    xor,
)


def two_clouds(points: int = 100, distance: float = 4.0, seed: int = 0) -> tuple[Array, Array]:
    """Return points of two Gaussian clusters, ``(points, 2)``, and the cluster of each, ``(points,)``, 0 or 1."""
    generator = np.random.default_rng(seed)
    y = np.arange(points) % 2.0  # (N,)
    X = generator.normal(size=(points, 2)) + distance * np.column_stack([y, y])  # (N, 2)
    return X, y


def teach_perceptron(points: int = 100, seed: int = 0) -> Lesson:
    """Run the lesson.

    Args:
        points: Number of points.
        seed: Random seed of the points and the initial line.
    """
    X, y = two_clouds(points, seed=seed)
    return Lesson(
        "perceptron",
        "Perceptrons: a line that learns",
        "A single unit is a linear classifier. It learns by moving its line towards misclassified points. Classes that "
        "no line can separate need several units.",
        f"{points} random points in two clusters",
        [_gates(), _combined(), _rule(X, y, seed), _gradient(X, y, seed)],
        [
            "Set the distance of the clusters to 1: does the rule still converge? And the gradient?",
            "Which weights and bias give a gate that outputs 1 if at least two of three inputs are 1?",
            "Increase the learning rate of the perceptron rule tenfold. Why does it change so little?",
        ],
    )


def _gates() -> Part:
    figure = new_figure(7.2, 2.0)
    grid = figure.add_gridspec(1, 4)
    answers = {name: gate(name).predict(CORNERS) for name in ("and", "or", "nand")} | {"xor": xor(CORNERS)}
    for place, (name, values) in enumerate(answers.items()):
        axes = add_axes(figure, grid[0, place], name.upper(), grid="")
        _points(axes, CORNERS, values, size=60)
        axes.set(xlim=(-0.4, 1.4), ylim=(-0.4, 1.4), xticks=(0, 1), yticks=(0, 1))
        units = [gate("or"), gate("nand")] if name == "xor" else [gate(name)]
        for unit in units:
            _line(axes, np.append(unit.w, unit.b), color=MUTED)
    rows = [[f"{a:g}, {b:g}", *(f"{values[i]:g}" for values in answers.values())] for i, (a, b) in enumerate(CORNERS)]
    return Part(
        "Four gates",
        [
            "A perceptron outputs 1 where w · x + b is 0 or more. AND, OR and NAND are linearly separable. XOR is not: "
            "no line has (0, 1) and (1, 0) on one side, (0, 0) and (1, 1) on the other. It is the AND of OR and NAND: "
            "a network of two layers."
        ],
        [Table(["inputs", *(name.upper() for name in answers)], rows)],
        [Picture(figure, "The lines", "Filled: the gate outputs 1. XOR is 1 between two lines.", wide=True)],
    )


def _combined() -> Part:
    good, bad = combine(0.4, 0.6, 3, 5, -2.2), combine(0.4, 0.6, 2, 6, -2)
    return Part(
        "Combining two perceptrons",
        [
            "A third unit combines the outputs 0.4 and 0.6 of two units: "
            f"σ(0.4·3 + 0.6·5 − 2.2) = σ(2) = {good:.2f}; with weights 2 and 6 and a bias of −2 it is {bad:.2f}. "
            "σ maps any number to a probability and, unlike a step, has a useful derivative: σ′ = σ(1 − σ)."
        ],
        pictures=[_sigmoid_picture()],
    )


def _sigmoid_picture() -> Picture:
    figure = new_figure(4.6, 2.4)
    axes = add_axes(figure, title="σ(z) and its derivative")
    z = np.linspace(-6, 6, 121)
    s = sigmoid(z)
    axes.plot(z, s, color=BLUE, label="σ")
    axes.plot(z, s * (1 - s), color=ORANGE, dashes=(4, 1.6), label="σ(1 − σ)")
    add_legend(axes)
    label_x(axes, "z")
    return Picture(figure, "The sigmoid", "Its derivative is at most 1/4, and almost 0 for |z| above 5.")


def _rule(X: Array, y: Array, seed: int) -> Part:
    lines = learn_by_perceptron_rule(X, y, rate=0.1, passes=50, seed=seed)
    ending = f"pass {len(lines.mistakes)} was the first without mistakes"
    if lines.mistakes[-1]:
        ending = (
            f"after {len(lines.mistakes)} passes it still makes {lines.mistakes[-1]} mistakes. If no line separates "
            "the "
            "classes, it never converges"
        )
    return Part(
        "The perceptron rule",
        [
            f"Each misclassified point moves the line towards itself. There were {len(lines.moves) - 1} such updates; "
            f"{ending}."
        ],
        pictures=[
            Picture(
                _moving(X, y, lines.moves), "The line as it moves", "Pale: early. Strong: the last line.", wide=False
            ),
            Picture(_mistakes(lines.mistakes), "Mistakes in each pass", "A pass visits every point once."),
        ],
    )


def _gradient(X: Array, y: Array, seed: int) -> Part:
    lines, costs = learn_by_gradient(X, y, rate=1.0, passes=200, seed=seed)
    figure = new_figure(4.6, 2.6)
    axes = add_axes(figure, title="Cross-entropy")
    axes.plot(np.arange(1, len(costs) + 1), costs, color=BLUE)
    label_x(axes, "step")
    return Part(
        "The same line by gradient descent",
        [
            "With a sigmoid instead of the step, every point contributes in proportion to its error. Each iteration "
            "has "
            "four steps: forward pass p = σ(Xw + b), error −log of the probability of the true class, backpropagation "
            "δ = p − y, "
            f"update w −= rate · δX. The cross-entropy falls from {costs[0]:.3f} to {costs[-1]:.3f}; "
            f"{lines.mistakes[-1]} of {len(y)} points are misclassified at the end."
        ],
        pictures=[
            Picture(
                _moving(X, y, lines.moves),
                "The line as it moves",
                "It settles between the clusters, even if they overlap.",
            ),
            Picture(figure, "The error", "Each step reduces the error."),
        ],
    )


def _moving(X: Array, y: Array, moves: list[Array]) -> Figure:
    figure = new_figure(4.6, 3.6)
    axes = add_axes(figure, grid="")
    _points(axes, X, y)
    low, high = X.min() - 0.5, X.max() + 0.5
    axes.set(xlim=(low, high), ylim=(low, high))
    chosen = np.unique(np.linspace(0, len(moves) - 1, 12).astype(int))
    for number, place in enumerate(chosen):
        last = place == chosen[-1]
        part = (number + 1) / len(chosen)
        _line(axes, moves[place], color=BLUE, alpha=1.0 if last else 0.15 + 0.35 * part, linewidth=2.2 if last else 1.0)
    return figure


def _mistakes(mistakes: list[int]) -> Figure:
    figure = new_figure(4.6, 2.6)
    axes = add_axes(figure, title="Mistakes")
    axes.plot(
        range(1, len(mistakes) + 1), mistakes, color=ORANGE, marker="o" if len(mistakes) < 12 else "", markersize=4
    )
    axes.set_ylim(bottom=0)
    whole_numbers(axes)
    label_x(axes, "pass")
    return figure


def _points(axes: Axes, X: Array, y: Array, size: float = 16) -> None:
    axes.scatter(X[y == 1, 0], X[y == 1, 1], s=size, color=BLUE, zorder=3)
    axes.scatter(X[y == 0, 0], X[y == 0, 1], s=size, facecolors="none", edgecolors=ORANGE, zorder=3)


def _line(axes: Axes, move: Array, **look: Any) -> None:
    """Draw the line w1 x1 + w2 x2 + b = 0."""
    unit = Perceptron(move[:2], float(move[2]))
    point = -unit.b * unit.w / max(float(unit.w @ unit.w), 1e-12)  # (2,), the point of the line nearest to the origin
    axes.axline(tuple(point), tuple(point + [-unit.w[1], unit.w[0]]), zorder=2, **look)
