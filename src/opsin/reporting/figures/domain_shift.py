"""Figure of the scores in simulated laboratories."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from opsin.metrics.names import COUNTED, describe_score
from opsin.reporting.figures.style import BLUE, FONT_SIZE, INK, ORANGE, add_axes, label_x, new_figure

STACK = 60  # columns of dots across the axis


def plot_laboratories(
    scores: NDArray[np.floating], central: tuple[float, float], home: float, score: str = "accuracy"
) -> Figure:
    """Plot the score in each simulated laboratory as a dot, and that on unaltered images as a line.

    Args:
        scores: float ``(N,)``.
        central: Bounds of the shaded range.
        home: Score on the unaltered images.
        score: Name of the score; the axis of a fraction is limited to 0 to 1.
    """
    described = describe_score(score)
    figure = new_figure(5.6, 1.9)
    axes = add_axes(figure, grid="x")
    least, most = float(min(scores.min(), central[0], home)), float(max(scores.max(), home))
    wide = 1.0 if described.part else 2 * (most - least) or 1.0
    low, high = max(0.0, least - 0.05 * wide), most + 0.02 * wide
    high = min(1.0, high) if described.part else high
    axes.axvspan(*central, color=BLUE, alpha=0.12, linewidth=0)
    columns = np.round((scores - low) / (high - low) * STACK).astype(int)
    heights = [int((columns[:place] == column).sum()) for place, column in enumerate(columns)]
    axes.plot(scores, heights, "o", color=BLUE, markersize=5.5, alpha=0.85, markeredgewidth=0)
    top = max(3, max(heights) + 1.5)
    axes.axvline(home, color=ORANGE, linewidth=1.4, dashes=(4, 2))
    right = home > (low + high) / 2
    axes.annotate(
        "unaltered",
        (home, top),
        xytext=(-5 if right else 5, -2),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        fontsize=FONT_SIZE,
        color=ORANGE,
        fontweight="bold",
    )
    axes.set_xlim(low, high)
    axes.set_ylim(-0.7, top)
    axes.set_yticks([])
    if score in COUNTED:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.tick_params(axis="x", labelcolor=INK)
    label_x(axes, described.words)
    return figure
