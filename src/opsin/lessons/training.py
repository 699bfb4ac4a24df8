"""The lesson on what helps training: the experiments of `opsin.scratch.experiments`, run, told and drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from opsin.lessons.lesson import LOOKS, Lesson, Part, Picture, Table, log_scale
from opsin.reporting.figures.style import BLUE, MUTED, ORANGE, add_axes, add_legend, label_x, new_figure, whole_numbers
from opsin.scratch import experiments
from opsin.scratch.experiments import Digits, Variant


def teach_training(digits: Digits, source: str, say: Callable[[str], None] = lambda sentence: None) -> Lesson:
    """Run the lesson.

    Args:
        digits: Training and validation images, best small ones.
        source: What to call them.
        say: Is told what is being done.
    """
    parts = []
    for title, make in (
        ("Early stopping", _early_stopping),
        ("Penalties for large weights", _penalties),
        ("Dropout", _dropout),
        ("Random restarts", lambda digits: _restarts()),
        ("Momentum", lambda digits: _momentum()),
        ("Vanishing gradients", _vanishing),
        ("Batch and stochastic descent", _batches),
        ("A learning rate that shrinks", _decay),
        ("Error functions", _errors),
    ):
        say(title)
        parts.append(make(digits))
    return Lesson(
        "training",
        "What helps training",
        "Nine small experiments. In each, two or three networks differ in one thing, and what they do differs with it.",
        source,
        parts,
        [
            "Train on 20 images in the place of 60 and stop early. In which epoch do the curves part?",
            "How large must the L1 penalty be until nine of ten weights are 0, and what does it cost?",
            "How many layers of tanh until its gradient vanishes like the sigmoid's?",
        ],
    )


def _early_stopping(digits: Digits) -> Part:
    progress = experiments.early_stopping(digits)
    figure = new_figure(4.6, 2.8)
    axes = add_axes(figure, title="Cross-entropy")
    epochs = np.arange(1, len(progress.training) + 1)
    axes.plot(epochs, progress.training, color=ORANGE, dashes=(4, 1.6), label="training")
    axes.plot(epochs, progress.validation, color=BLUE, label="validation")
    axes.axvline(progress.best_epoch, color=MUTED, linewidth=0.8, dashes=(1, 2))
    log_scale(axes)
    add_legend(axes)
    whole_numbers(axes)
    label_x(axes, "epoch")
    lowest = min(progress.validation)
    return Part(
        "Early stopping",
        [
            f"On 60 images the error in training falls to {progress.training[-1]:.4f}. On new images it is lowest in "
            f"epoch {progress.best_epoch}, {lowest:.3f}, and then rises to {progress.validation[-1]:.3f}: what is "
            "learned from then on is these 60 images, not digits."
        ],
        pictures=[Picture(figure, "Two curves that part", "Dotted: where to stop.")],
    )


def _penalties(digits: Digits) -> Part:
    rows = [
        [
            f"{row['weight']:g}·x1 + {row['weight']:g}·x2",
            f"{row['error']:.2g}",
            f"{row['penalized']:.3f}",
            f"{row['slope']:.1e}",
            f"{row['cost_of_a_mistake']:.1f}",
        ]
        for row in experiments.why_small_weights()
    ]
    variants = experiments.regularization(digits)
    figure = new_figure(4.6, 2.8)
    axes = add_axes(figure, title="Weights of the first layer")
    edges = np.linspace(-0.8, 0.8, 81)
    for variant, look in zip(variants, LOOKS, strict=False):
        counts, _ = np.histogram(variant.network.layers[0].W, edges)
        axes.plot((edges[:-1] + edges[1:]) / 2, counts + 1, **look, label=variant.name)
    log_scale(axes)
    add_legend(axes, columns=3)
    label_x(axes, "weight")
    zero = {each.name: float((np.abs(each.network.layers[0].W) < 1e-3).mean()) for each in variants}
    return Part(
        "Penalties for large weights",
        [
            "x1 + x2 and 10·x1 + 10·x2 are the same line, and the larger weights have the smaller error. Yet they "
            "leave no slope to learn from, and a single point on the wrong side costs ten times as much. A penalty "
            "turns the order round.",
            f"In a network trained on 100 digits L1 makes {zero['L1']:.0%} of the weights next to 0 (without: "
            f"{zero['none']:.0%}); L2 makes all of them smaller. Accuracy on new images: {_accuracies(variants)}.",
        ],
        [Table(["line", "error", "with penalty", "slope left", "cost of a mistake"], rows)],
        [Picture(figure, "Where the weights go", "L1 gathers them at 0; L2 draws the wings in.")],
    )


def _dropout(digits: Digits) -> Part:
    variants = experiments.dropout(digits)
    return Part(
        "Dropout",
        [
            "In each step half of the hidden units are left out at random, so that none can rely on another. It "
            f"learns more slowly and knows more: accuracy on new images {_accuracies(variants)}."
        ],
        pictures=[Picture(_curves(variants), "Error on new images", "Lower is better.")],
    )


def _restarts() -> Part:
    errors = experiments.random_restarts()
    stuck = int((errors > 0.1).sum())
    figure = new_figure(4.6, 2.4)
    axes = add_axes(figure, title="Error at the end")
    axes.scatter(
        np.arange(1, len(errors) + 1),
        np.sort(errors),
        color=[ORANGE if e > 0.1 else BLUE for e in np.sort(errors)],
        s=18,
    )
    whole_numbers(axes)
    label_x(axes, "beginnings, sorted")
    return Part(
        "Random restarts",
        [
            f"XOR with two hidden units, from {len(errors)} random beginnings: {stuck} of them end in a dead end, "
            f"where every way leads up and the error stays at {errors.max():.2f}. The best of several beginnings is "
            "what one keeps."
        ],
        pictures=[Picture(figure, "Where each beginning ends", "Blue: solved. Orange: stuck.")],
    )


def _momentum() -> Part:
    ways = experiments.momentum()
    figure = new_figure(4.6, 2.6)
    axes = add_axes(figure, title="Down a narrow valley", grid="")
    x, y = np.meshgrid(np.linspace(-11, 4, 60), np.linspace(-2.2, 2.2, 60))
    axes.contour(x, y, (x**2 + 60 * y**2) / 2, levels=12, colors=MUTED, linewidths=0.5)
    for (name, way), look in zip(ways.items(), LOOKS, strict=False):
        axes.plot(way[:, 0], way[:, 1], marker="o", markersize=2.2, linewidth=0.9, label=name, color=look["color"])
    axes.set(xlim=(-11, 4), ylim=(-2.2, 2.2))
    add_legend(axes)
    far = {name: float(np.abs(way[-1]).max()) for name, way in ways.items()}
    return Part(
        "Momentum",
        [
            f"After {len(next(iter(ways.values()))) - 1} steps plain descent is still {far['without']:.2f} away from "
            f"the bottom; with momentum it is {far['momentum 0.9']:.2f}. What changes its sign from step to step "
            "cancels, what does not adds up."
        ],
        pictures=[
            Picture(
                figure, "Two ways down", "Rings: equal error. Blue zigzags and creeps, orange swings and gets there."
            )
        ],
    )


def _vanishing(digits: Digits) -> Part:
    sizes = experiments.vanishing_gradients(digits)
    figure = new_figure(4.6, 2.8)
    axes = add_axes(figure, title="Size of the gradient")
    for (name, values), look in zip(sizes.items(), LOOKS, strict=False):
        axes.plot(np.arange(1, len(values) + 1), values, **look, marker="o", markersize=3, label=name)
    log_scale(axes)
    add_legend(axes, columns=3)
    whole_numbers(axes)
    label_x(axes, "layer")
    ratio = {name: values[0] / values[-1] for name, values in sizes.items()}
    return Part(
        "Vanishing gradients",
        [
            "On the way back through a deep network every sigmoid takes at least three quarters of the gradient "
            f"away. In the first of {len(sizes['relu'])} layers {ratio['sigmoid']:.1e} of the last one's is left; "
            f"with tanh {ratio['tanh']:.2f}, with ReLU {ratio['relu']:.2f}."
        ],
        pictures=[
            Picture(figure, "Gradients before any learning", "Root mean square of each layer's weights' gradients.")
        ],
    )


def _batches(digits: Digits) -> Part:
    variants = experiments.batch_sizes(digits)
    return Part(
        "Batch and stochastic descent",
        [
            "The same learning rate and the same number of epochs: with all examples in one step there are as many "
            f"steps as epochs; with one example, thousands. Accuracy on new images: {_accuracies(variants)}."
        ],
        pictures=[Picture(_curves(variants), "Error on new images", "Per epoch, that is, per look at each example.")],
    )


def _decay(digits: Digits) -> Part:
    variants = experiments.learning_rate_decay(digits)
    return Part(
        "A learning rate that shrinks",
        [
            "A large rate gets far at once and then jumps about the bottom; a small one gets there late. A rate that "
            f"shrinks has both: {_accuracies(variants)} on new images."
        ],
        pictures=[Picture(_curves(variants), "Error on new images", "Lower is better.")],
    )


def _errors(digits: Digits) -> Part:
    variants = experiments.error_functions(digits)
    return Part(
        "Error functions",
        [
            "With the squared error the slope of the softmax stays in the gradient, so that an output that is surely "
            "wrong is hardly corrected; with the cross-entropy it cancels. Accuracy on new images: "
            f"{_accuracies(variants)}."
        ],
        pictures=[Picture(_curves(variants, accuracy=True), "Accuracy on new images", "Both by the same descent.")],
    )


def _curves(variants: list[Variant], accuracy: bool = False) -> Figure:
    figure = new_figure(4.6, 2.8)
    axes = add_axes(figure, title="Accuracy" if accuracy else "Cross-entropy")
    for variant, look in zip(variants, LOOKS, strict=False):
        values = variant.progress.accuracy if accuracy else variant.progress.validation
        axes.plot(np.arange(1, len(values) + 1), values, **look, label=variant.name)
    if not accuracy:
        log_scale(axes)
    add_legend(axes, columns=3)
    whole_numbers(axes)
    label_x(axes, "epoch")
    return figure


def _accuracies(variants: list[Variant]) -> str:
    return ", ".join(f"{variant.name} {variant.progress.accuracy[-1]:.1%}" for variant in variants)
