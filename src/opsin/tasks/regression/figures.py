"""The figures of a run that predicts a number."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from opsin.reporting.figures.style import (
    BLUE,
    FONT_SIZE,
    INK,
    MUTED,
    ORANGE,
    add_axes,
    label_x,
    new_figure,
    plain_ticks,
)

MOST_DOTS = 4_000  # more would make the file large and show no more


def plot_estimates(values: NDArray[np.floating], estimates: NDArray[np.floating], name: str) -> Figure:
    """Plot predicted against true values, with the diagonal and a linear fit.

    Args:
        values: float ``(N,)``, true.
        estimates: float ``(N,)``, predicted.
        name: What the value is called.
    """
    figure = new_figure(4.6, 4.1)
    axes = add_axes(figure, title=f"Predicted {name}", grid="both")
    low, high = float(min(values.min(), estimates.min())), float(max(values.max(), estimates.max()))
    pad = 0.04 * ((high - low) or 1.0)
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1, dashes=(4, 2), label="exact")
    _dots(axes, values, estimates)
    if float(np.ptp(values)) > 0:
        slope, offset = np.polyfit(values, estimates, 1)
        ends = np.array([values.min(), values.max()])
        axes.plot(ends, slope * ends + offset, color=ORANGE, linewidth=1.6, label="linear fit")
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(low - pad, high + pad)
    axes.legend(frameon=False, fontsize=FONT_SIZE - 0.5, labelcolor=INK, loc="upper left")
    plain_ticks(axes)
    label_x(axes, f"true {name}")
    return figure


def plot_residuals(values: NDArray[np.floating], errors: NDArray[np.floating], name: str) -> Figure:
    """Plot errors against true values, above their histogram.

    Args:
        values: float ``(N,)``, true.
        errors: float ``(N,)``, predicted minus true.
        name: What the value is called.
    """
    figure = new_figure(4.6, 4.1)
    grid = figure.add_gridspec(2, 1, height_ratios=[2, 1])
    axes = add_axes(figure, grid[0], "Error (predicted − true)", grid="both")
    axes.axhline(0, color=MUTED, linewidth=1, dashes=(4, 2))
    _dots(axes, values, errors)
    plain_ticks(axes)
    label_x(axes, f"true {name}")
    below = add_axes(figure, grid[1], "Images")
    below.hist(errors, bins=min(40, max(8, int(np.sqrt(len(errors))))), color=BLUE, alpha=0.75)
    below.axvline(0, color=MUTED, linewidth=1, dashes=(4, 2))
    plain_ticks(below)
    label_x(below, "error (predicted − true)")
    return figure


def _dots(axes: Axes, x: NDArray[np.floating], y: NDArray[np.floating]) -> None:
    """Draw dots that can be seen through where they are many; of very many an even part."""
    if len(x) > MOST_DOTS:
        chosen = np.random.default_rng(0).choice(len(x), MOST_DOTS, replace=False)
        x, y = x[chosen], y[chosen]
    axes.plot(x, y, "o", color=BLUE, alpha=float(np.clip(60 / len(x) ** 0.5 / 6, 0.15, 0.8)), markersize=4, mew=0)
