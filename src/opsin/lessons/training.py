"""Lesson on training techniques: the experiments of `opsin.scratch.experiments`, with explanations and figures."""

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
        digits: Training and validation images, preferably small ones.
        source: Description of the data.
        say: Called with progress messages.
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
        ("Learning rate decay", _decay),
        ("Error functions", _errors),
    ):
        say(title)
        parts.append(make(digits))
    return Lesson(
        "training",
        "What helps training",
        "Nine small experiments, in which two or three networks differ in one setting.",
        source,
        parts,
        [
            "Train on 20 images instead of 60 with early stopping. In which epoch do the curves diverge?",
            "How large must the L1 penalty be until nine of ten weights are 0, and what does it cost?",
            "How many tanh layers until the gradient vanishes as with the sigmoid?",
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
            f"On 60 images the training error falls to {progress.training[-1]:.4f}. The validation error is lowest in "
            f"epoch {progress.best_epoch}, {lowest:.3f}, and then rises to {progress.validation[-1]:.3f}: from then on "
            "the network overfits these 60 images."
        ],
        pictures=[Picture(figure, "Training and validation error", "Dotted: where to stop.")],
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
            "x1 + x2 and 10·x1 + 10·x2 are the same line, and the larger weights have the smaller error. Yet their "
            "gradients vanish, and a single misclassified point costs ten times as much. A penalty reverses the order.",
            f"In a network trained on 100 digits, L1 sets {zero['L1']:.0%} of the weights almost to 0 (without: "
            f"{zero['none']:.0%}); L2 makes all of them smaller. Validation accuracy: {_accuracies(variants)}.",
        ],
        [Table(["line", "error", "with penalty", "gradient", "cost of a mistake"], rows)],
        [Picture(figure, "Distribution of the weights", "L1 concentrates them at 0; L2 shrinks the tails.")],
    )


def _dropout(digits: Digits) -> Part:
    variants = experiments.dropout(digits)
    return Part(
        "Dropout",
        [
            "In each step half of the hidden units are dropped at random, which prevents co-adaptation. Training is "
            f"slower and generalizes better: validation accuracy {_accuracies(variants)}."
        ],
        pictures=[Picture(_curves(variants), "Validation error", "Lower is better.")],
    )


def _restarts() -> Part:
    errors = experiments.random_restarts()
    stuck = int((errors > 0.1).sum())
    figure = new_figure(4.6, 2.4)
    axes = add_axes(figure, title="Final error")
    axes.scatter(
        np.arange(1, len(errors) + 1),
        np.sort(errors),
        color=[ORANGE if e > 0.1 else BLUE for e in np.sort(errors)],
        s=18,
    )
    whole_numbers(axes)
    label_x(axes, "starts, sorted")
    return Part(
        "Random restarts",
        [
            f"XOR with two hidden units, from {len(errors)} random starts: {stuck} of them end in a poor local minimum "
            f"with an error of up to {errors.max():.2f}. In practice the best of several starts is kept."
        ],
        pictures=[Picture(figure, "Final error of each start", "Blue: solved. Orange: stuck.")],
    )


def _momentum() -> Part:
    ways = experiments.momentum()
    figure = new_figure(4.6, 2.6)
    axes = add_axes(figure, title="Descent in a narrow valley", grid="")
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
            f"After {len(next(iter(ways.values()))) - 1} steps plain gradient descent is still {far['without']:.2f} "
            "away "
            f"from the minimum; with momentum it is {far['momentum 0.9']:.2f}. Oscillating components of the gradient "
            "cancel, constant ones accumulate."
        ],
        pictures=[
            Picture(
                figure, "Descent without and with momentum", "Contours: equal error. Blue oscillates, orange converges."
            )
        ],
    )


def _vanishing(digits: Digits) -> Part:
    sizes = experiments.vanishing_gradients(digits)
    figure = new_figure(4.6, 2.8)
    axes = add_axes(figure, title="Gradient magnitude")
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
            "In backpropagation, every sigmoid layer reduces the gradient by at least three quarters. The gradient in "
            "the "
            f"first of {len(sizes['relu'])} layers is {ratio['sigmoid']:.1e} times that in the last; with tanh it is "
            f"{ratio['tanh']:.2f}, with ReLU {ratio['relu']:.2f}."
        ],
        pictures=[
            Picture(figure, "Gradients before training", "Root mean square of the gradients of each layer's weights.")
        ],
    )


def _batches(digits: Digits) -> Part:
    variants = experiments.batch_sizes(digits)
    return Part(
        "Batch and stochastic descent",
        [
            "At the same learning rate and number of epochs, batch descent takes one step per epoch, stochastic "
            "descent one "
            f"per example. Validation accuracy: {_accuracies(variants)}."
        ],
        pictures=[Picture(_curves(variants), "Validation error", "Per epoch, that is, per pass over all examples.")],
    )


def _decay(digits: Digits) -> Part:
    variants = experiments.learning_rate_decay(digits)
    return Part(
        "Learning rate decay",
        [
            "A large rate progresses fast and then oscillates around the minimum; a small one is slow. A decaying rate "
            f"combines both. Validation accuracy: {_accuracies(variants)}."
        ],
        pictures=[Picture(_curves(variants), "Validation error", "Lower is better.")],
    )


def _errors(digits: Digits) -> Part:
    variants = experiments.error_functions(digits)
    return Part(
        "Error functions",
        [
            "With the squared error, the derivative of the softmax remains in the gradient, so that confident mistakes "
            "are "
            "hardly corrected; with the cross-entropy it cancels. Validation accuracy: "
            f"{_accuracies(variants)}."
        ],
        pictures=[Picture(_curves(variants, accuracy=True), "Validation accuracy", "Both trained in the same way.")],
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
