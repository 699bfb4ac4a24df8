"""Lesson on linear regression: horsepower of cars, effect of input scale and learning rate on gradient descent."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from opsin.lessons.lesson import LOOKS, Lesson, Part, Picture, Table, log_scale
from opsin.reporting.figures.style import BLUE, INK, MUTED, ORANGE, add_axes, add_legend, label_x, new_figure
from opsin.scratch.cars import Cars
from opsin.scratch.functions import Array
from opsin.scratch.regression import Scale, closed_form, cost, descend, explained, largest_rate, steps_needed

INPUTS = ("mpg", "cylinders", "displacement", "weight", "acceleration", "year", "origin")
INPUT_NAMES = (
    "miles per gallon",
    "cylinders",
    "displacement",
    "weight",
    "acceleration",
    "year",
    "European",
    "Japanese",
)


def teach_regression(cars: Cars, source: str, steps: int = 3000) -> Lesson:
    """Run the lesson.

    Args:
        cars: From `opsin.scratch.cars.read_cars`; cars with missing values are excluded and counted.
        source: Description of the data.
        steps: Steps of the longest descent.
    """
    known = cars.known()
    left_out = len(cars.names) - len(known.names)
    return Lesson(
        "regression",
        "Linear regression: how strong is the engine?",
        "A line is fitted by gradient descent. With standardized inputs it converges in a few hundred steps; without, "
        "it takes longer than anyone can wait.",
        source,
        [_missing(cars, left_out), _one_input(known), _all_inputs(known, steps), _rates(known)],
        [
            "Set the learning rate just above the largest one that converges. How many steps until the cost diverges?",
            "Remove the weight. Which input replaces it, and how much worse is the fit?",
            "Encode the origin as one number (1, 2, 3). What does the model now assume about Japanese cars?",
        ],
    )


def _missing(cars: Cars, left_out: int) -> Part:
    counts = [int(np.isnan(cars.values[:, place]).sum()) for place in range(cars.values.shape[1])]
    return Part(
        "Missing values",
        [
            f"{left_out} of {len(cars.names)} cars lack a value (horsepower: {counts[3]}, miles per gallon: "
            f"{counts[0]}). They are excluded rather than set to 0, which would bias the line."
        ],
    )


def _one_input(cars: Cars) -> Part:
    y = cars.column("horsepower")  # (N,)
    X = cars.inputs(["weight"])  # (N, 1)
    scale = Scale.of(X)
    fit, exact = descend(scale.apply(X), y, 0.5, 50), closed_form(scale.apply(X), y)
    slope = fit.w[0] / scale.std[0]
    figure = new_figure(4.6, 3.2)
    axes = add_axes(figure, title="Horsepower", grid="both")
    axes.scatter(X[:, 0], y, s=8, color=MUTED, alpha=0.6, linewidths=0)
    ends = np.array([[X.min()], [X.max()]])
    axes.plot(ends[:, 0], fit.predict(scale.apply(ends)), color=BLUE, linewidth=2)
    label_x(axes, "weight (lb)")
    return Part(
        "One input: weight",
        [
            f"Each additional 1,000 lb correspond to {1000 * slope:.0f} horsepower; R² is "
            f"{explained(fit, scale.apply(X), y):.3f}. After 50 steps the weight is within "
            f"{abs(fit.w[0] - exact.w[0]):.1e} of the closed-form solution."
        ],
        pictures=[
            Picture(figure, "The fitted line", "Each dot is a car."),
            Picture(
                _surface(scale.apply(X), y, fit.way),
                "The cost surface and gradient descent",
                "Contours: equal cost. Dots: steps.",
            ),
        ],
    )


def _surface(X: Array, y: Array, way: Array) -> Figure:
    figure = new_figure(4.6, 3.2)
    axes = add_axes(figure, title="Intercept", grid="")
    w_bottom, b_bottom = way[-1]
    w = np.linspace(min(-5, w_bottom - 40), w_bottom + 40, 60)
    b = np.linspace(min(-5, b_bottom - 115), b_bottom + 60, 60)
    costs = np.array([[cost(X, y, np.array([each]), other) for each in w] for other in b])  # (60, 60)
    axes.contour(w, b, costs, levels=14, colors=MUTED, linewidths=0.7)
    axes.plot(way[:, 0], way[:, 1], color=ORANGE, marker="o", markersize=3, linewidth=1.2)
    label_x(axes, "weight of the scaled input")
    return figure


def _all_inputs(cars: Cars, steps: int) -> Part:
    y, X = cars.column("horsepower"), cars.inputs(INPUTS)  # (N,), (N, 8)
    scaled = Scale.of(X).apply(X)
    fit, exact = descend(scaled, y, 0.9 * largest_rate(scaled), steps), closed_form(scaled, y)
    raw_rate = 0.9 * largest_rate(X)
    raw = descend(X, y, raw_rate, steps)
    order = np.argsort(-np.abs(fit.w))
    rows = [[INPUT_NAMES[place], f"{fit.w[place]:+.1f}", f"{exact.w[place]:+.1f}"] for place in order]
    figure = new_figure(4.6, 3.0)
    axes = add_axes(figure, title="Cost")
    for name, found, look in (("standardized", fit, LOOKS[0]), ("unscaled", raw, LOOKS[1])):
        axes.plot(np.arange(1, len(found.costs) + 1), found.costs, **look, label=name)
    axes.axhline(float(exact.costs[0]), color=INK, linewidth=0.8, dashes=(1, 2))
    log_scale(axes, "x")
    log_scale(axes)
    add_legend(axes)
    label_x(axes, "step")
    return Part(
        "All inputs, and why scale matters",
        [
            f"With all inputs R² is {explained(fit, scaled, y):.3f}. After {steps:,} steps on standardized inputs the "
            f"weights differ from the closed-form solution by at most {np.abs(fit.w - exact.w).max():.1e}.",
            "On unscaled inputs, with weights in thousands of pounds and accelerations in seconds, the largest rate "
            "that "
            f"converges is {largest_rate(X):.1e}, and the flattest direction then needs about "
            f"{steps_needed(X, raw_rate):.1e} steps to come within 1 %; standardized, it is "
            f"{steps_needed(scaled, 0.9 * largest_rate(scaled)):,.0f}.",
        ],
        [Table(["input, standardized", "gradient descent (horsepower)", "closed form"], rows)],
        [Picture(figure, "Gradient descent", "Dotted: the minimum. Without scaling, the cost stalls far above it.")],
    )


def _rates(cars: Cars) -> Part:
    y, X = cars.column("horsepower"), cars.inputs(INPUTS)
    scaled = Scale.of(X).apply(X)
    most = largest_rate(scaled)
    figure = new_figure(4.6, 3.0)
    axes = add_axes(figure, title="Cost")
    for part, look in ((0.02, LOOKS[2]), (0.3, LOOKS[0]), (1.05, LOOKS[1])):
        costs = descend(scaled, y, part * most, 60).costs
        axes.plot(np.arange(len(costs)), np.minimum(costs, 1e6), **look, label=f"{part * most:.2f}")
    log_scale(axes)
    add_legend(axes, columns=3)
    label_x(axes, "step")
    return Part(
        "The learning rate",
        [
            f"The largest curvature λ allows a rate of {most:.3f} = 2 / λ. Well below, every step reduces the cost; "
            "far below, convergence is slow; 5 % above, descent diverges."
        ],
        pictures=[Picture(figure, "Three rates", "Dotted: too small. Line: good. Dashed: too large.")],
    )
