"""Figures of segmentation: distribution of image scores, and scores by threshold."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from opsin.reporting.figures.style import BLUE, FONT_SIZE, INK, MUTED, ORANGE, add_axes, label_x, new_figure

BINS = 20


def plot_image_scores(scores: NDArray[np.float64], name: str) -> Figure:
    """Plot the distribution of a score over images.

    Args:
        scores: float64 ``(N,)`` in [0, 1].
        name: What the score is called.
    """
    figure = new_figure(5.2, 2.6)
    axes = add_axes(figure, title="images")
    counts, edges = np.histogram(scores, BINS, (0, 1))
    axes.bar(edges[:-1], counts, width=0.9 / BINS, align="edge", color=BLUE)
    median = float(np.median(scores))
    axes.axvline(median, color=ORANGE, linewidth=1.4, linestyle=(0, (4, 2)))
    axes.annotate(
        f"median {median:.3f}",
        (median, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if median > 0.3 else 5, -3),
        textcoords="offset points",
        ha="right" if median > 0.3 else "left",
        va="top",
        fontsize=FONT_SIZE - 0.5,
        color=INK,
    )
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    label_x(axes, name)
    return figure


def plot_thresholds(curve: dict[str, NDArray[np.float64]]) -> Figure:
    """Plot Dice, precision and recall against the threshold of a pixel's probability.

    Args:
        curve: From `opsin.metrics.segmentation.threshold_curve`.
    """
    figure = new_figure(5.2, 2.8)
    axes = add_axes(figure, title="score")
    looks = (("dice", BLUE, "-", "Dice"), ("precision", ORANGE, "--", "precision"), ("recall", MUTED, ":", "recall"))
    for name, color, line, words in looks:
        axes.plot(curve["threshold"], curve[name], color=color, linestyle=line, linewidth=1.6, label=words)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(loc="lower left", frameon=False, fontsize=FONT_SIZE - 0.5, labelcolor=INK)
    label_x(axes, "threshold")
    return figure
