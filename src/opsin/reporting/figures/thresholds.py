"""Figures of a threshold on the probability of one class. Elements that the page's slider moves have a gid."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from opsin.metrics.thresholds import Calls
from opsin.reporting.figures.style import (
    BLUE,
    FONT_SIZE,
    INK,
    LIVE,
    MUTED,
    ON_BLUE,
    ORANGE,
    add_axes,
    add_legend,
    label_x,
    new_figure,
)

POINTS = 400  # of a curve; more would not be visible
EDGES = np.linspace(0, 1, 21)
_WIDTH, _HEIGHT = 4.6, 3.7


def plot_roc(
    calls: Calls, point: tuple[float, float] | None = None, readers: NDArray[np.floating] | None = None
) -> Figure:
    """Plot sensitivity against the false positive rate over all thresholds.

    Args:
        calls: Counts at falling thresholds.
        point: False positive rate and sensitivity of the marked threshold.
        readers: float ``(R, 2)``; the same of human readers.
    """
    figure, axes = _square("Sensitivity")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 2), label="chance")
    x, y = thinned(1 - calls.specificity, calls.sensitivity)
    axes.plot(x, y, color=BLUE, linewidth=1.8, label="this model", gid=f"{LIVE}curve")
    if readers is not None:
        look: dict[str, Any] = {"markersize": 6, "color": ORANGE, "markeredgecolor": ON_BLUE, "clip_on": False}
        axes.plot(*readers.T, "D", label="readers", gid=f"{LIVE}readers", **look)
    _mark(axes, point)
    axes.legend(loc="lower right", frameon=False, fontsize=FONT_SIZE - 0.5, labelcolor=INK)
    label_x(axes, "1 − specificity (false positive rate)")
    return figure


def plot_precision_recall(calls: Calls, point: tuple[float, float] | None = None) -> Figure:
    """Plot precision against sensitivity over all thresholds.

    Args:
        calls: Counts at falling thresholds.
        point: Sensitivity and precision of the marked threshold.
    """
    figure, axes = _square("Precision")
    part = calls.positives / (calls.positives + calls.negatives)
    axes.plot([0, 1], [part, part], color=MUTED, linewidth=1, dashes=(4, 2), label="chance", gid=f"{LIVE}chance")
    x, y = thinned(calls.sensitivity, calls.precision)
    axes.plot(x, y, color=BLUE, linewidth=1.8, label="this model", gid=f"{LIVE}curve")
    _mark(axes, point)
    add_legend(axes)
    label_x(axes, "sensitivity (recall)")
    return figure


def plot_rates(calls: Calls, threshold: float) -> Figure:
    """Plot sensitivity and specificity against the threshold, with one threshold marked."""
    figure, axes = _square("Fraction of the images")
    order = np.argsort(calls.thresholds)
    look: dict[str, Any] = {"linewidth": 1.8}
    axes.plot(
        calls.thresholds[order],
        calls.sensitivity[order],
        color=BLUE,
        label="sensitivity",
        gid=f"{LIVE}sensitivity",
        **look,
    )
    (line,) = axes.plot(
        calls.thresholds[order],
        calls.specificity[order],
        color=ORANGE,
        label="specificity",
        gid=f"{LIVE}specificity",
        **look,
    )
    line.set_dashes((4, 1.6))
    _mark_threshold(axes, threshold)
    add_legend(axes)
    label_x(axes, "threshold")
    return figure


def plot_histogram(
    positives: NDArray[np.integer], negatives: NDArray[np.integer], threshold: float, names: tuple[str, str]
) -> Figure:
    """Plot the number of images by probability for the class and all others, on a logarithmic scale.

    Args:
        positives: int ``(20,)``; images of the class in each twentieth of the probability.
        negatives: The same of all others.
        threshold: Threshold to mark.
        names: Names of the two.
    """
    figure, axes = _square("Images")
    most = 2 * max(2, int(positives.sum() + negatives.sum()))
    axes.set_yscale("log")
    axes.set_ylim(0.7, most)
    for counts, color, name, gid in (
        (negatives, ORANGE, names[1], "negatives"),
        (positives, BLUE, names[0], "positives"),
    ):
        look: dict[str, Any] = {"facecolor": (*_rgb(color), 0.28), "edgecolor": color, "linewidth": 1.3}
        axes.stairs(np.maximum(counts, 0.7), EDGES, baseline=0.7, fill=True, label=name, gid=f"{LIVE}{gid}", **look)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(which="minor", length=0)
    _mark_threshold(axes, threshold)
    add_legend(axes)
    label_x(axes, "probability of the class")
    return figure


def thinned(x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the corners of a curve ``(K,)``; if there are very many, about 400 evenly spaced along it."""
    slopes = (np.diff(x), np.diff(y))
    straight = np.isclose(slopes[0][:-1] * slopes[1][1:], slopes[0][1:] * slopes[1][:-1], atol=1e-15)
    kept = np.flatnonzero(np.concatenate([[True], ~straight, [True]])) if len(x) > 2 else np.arange(len(x))
    if len(kept) > POINTS:
        along = np.cumsum(np.abs(np.diff(x[kept], prepend=x[0])) + np.abs(np.diff(y[kept], prepend=y[0])))
        chosen = np.searchsorted(along, np.linspace(0, along[-1], POINTS))
        kept = kept[np.unique(np.minimum(chosen, len(kept) - 1))]
    return x[kept], y[kept]


def _square(title: str) -> tuple[Figure, Axes]:
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = add_axes(figure, title=title, grid="both")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.02, 1.02)
    return figure, axes


def _mark(axes: Axes, point: tuple[float, float] | None) -> None:
    look: dict[str, Any] = {"markersize": 8, "color": INK, "markeredgecolor": ON_BLUE, "clip_on": False, "zorder": 4}
    if point is not None:
        axes.plot([point[0]], [point[1]], "o", gid=f"{LIVE}point", **look)


def _mark_threshold(axes: Axes, threshold: float) -> None:
    axes.axvline(threshold, color=INK, linewidth=1.2, gid=f"{LIVE}threshold")


def _rgb(color: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(color)
