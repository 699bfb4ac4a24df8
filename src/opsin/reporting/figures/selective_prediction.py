"""Figure of selective prediction: accuracy by coverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from opsin.reporting.figures.style import BLUE, ON_BLUE, ORANGE, add_axes, add_legend, label_x, new_figure


def plot_coverage(
    coverage: NDArray[np.floating],
    accuracy: NDArray[np.floating],
    intervals: NDArray[np.floating] | None = None,
    points: Sequence[tuple[float, float]] = (),
) -> Figure:
    """Plot the accuracy of the answers against coverage, most confident images first.

    Args:
        coverage: float ``(K,)`` in (0, 1], rising.
        accuracy: float ``(K,)`` in [0, 1], of the answered images.
        intervals: float ``(K, 2)``; interval of each accuracy.
        points: Coverage and accuracy at chosen thresholds.
    """
    figure = new_figure(4.6, 3.1)
    axes = add_axes(figure, title="Accuracy", grid="both")
    if intervals is not None:
        axes.fill_between(coverage, intervals[:, 0], intervals[:, 1], color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(coverage, accuracy, color=BLUE, linewidth=1.6, label="on test")
    if points:
        look: dict[str, Any] = {"markersize": 7, "markeredgecolor": ON_BLUE, "clip_on": False, "zorder": 3}
        axes.plot(*np.transpose(points), "o", color=ORANGE, label="limit chosen on validation", **look)
    axes.set_xlim(0, 1)
    lowest = float(np.min(accuracy))
    axes.set_ylim(max(0.0, lowest - max(0.3 * (1 - lowest), 0.01)), 1.0 + 0.04 * max(1 - lowest, 0.03))
    add_legend(axes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    label_x(axes, "coverage: fraction of the images answered, most confident first")
    return figure
