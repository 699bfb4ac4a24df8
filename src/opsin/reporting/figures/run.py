"""Figures of a run. Each function draws one figure from plain arrays and returns it without showing or saving it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from opsin.metrics.names import describe_score
from opsin.reporting.figures.style import (
    BLUE,
    FONT_SIZE,
    GRID,
    INK,
    LIVE,
    MUTED,
    ON_BLUE,
    ORANGE,
    add_axes,
    add_legend,
    label_x,
    new_figure,
    plain_ticks,
    tick_labels,
    whole_numbers,
)

NUMBERED_CLASSES = 25  # with more, the counts in a confusion matrix would be too small to read
LABELED_CLASSES = 120  # with more, the class names would be


def plot_learning_curves(
    history: Sequence[dict[str, Any]],
    *,
    scores: Sequence[str] = ("loss", "accuracy"),
    best_epoch: int | None = None,
    learning_rate: bool = True,
) -> Figure:
    """Plot scores on training and validation images against the epoch.

    Args:
        history: A row per epoch, as in ``history.jsonl``; a score missing in a row leaves a gap.
        scores: Scores to plot, one panel each.
        best_epoch: Epoch whose weights were kept, to mark.
        learning_rate: Add a thin panel of the learning rate below.

    Returns:
        The panels, stacked vertically.
    """
    heights = [1.0] * len(scores) + [0.3] * learning_rate
    figure = new_figure(4.6, 2.3 * len(scores) + 0.95 * learning_rate)
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    shared: Axes | None = None
    for row, score in enumerate(scores):
        axes = add_axes(figure, grid[row], describe_score(score).title, sharex=shared)
        shared = shared or axes
        _plot_score(axes, history, score, best_epoch)
    if learning_rate:
        axes = add_axes(figure, grid[-1], "Learning rate", sharex=shared)
        axes.plot(_epochs(history), [row.get("learning_rate", math.nan) for row in history], color=MUTED, linewidth=1.3)
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="y", nbins=2)
        plain_ticks(axes)
    for axes in figure.axes[:-1]:
        axes.tick_params(labelbottom=False)
    whole_numbers(figure.axes[-1])
    label_x(figure.axes[-1], "epoch")
    return figure


def _epochs(history: Sequence[dict[str, Any]]) -> list[int]:
    return [row["epoch"] for row in history]


def _plot_score(axes: Axes, history: Sequence[dict[str, Any]], score: str, best_epoch: int | None) -> None:
    epochs = _epochs(history)
    marker = "o" if len(epochs) < 4 else ""  # a line through one or two points is hard to see
    drawn = False
    for split, color, dashes in (("train", ORANGE, (4, 1.6)), ("validation", BLUE, (None, None))):
        values = [row.get(split, {}).get(score, math.nan) for row in history]
        if not np.isfinite(values).any():
            continue
        (line,) = axes.plot(epochs, values, color=color, linewidth=1.6, marker=marker, markersize=4, label=split)
        if dashes[0] is not None:
            line.set_dashes(dashes)
        drawn = True
        if split == "validation" and best_epoch in epochs:
            best = values[epochs.index(best_epoch)]
            axes.axvline(best_epoch, color=MUTED, linewidth=0.8, dashes=(1, 2), zorder=1)
            kept = f"kept: epoch {best_epoch}"
            look: dict[str, Any] = {"markersize": 6.5, "color": BLUE, "markeredgecolor": ON_BLUE, "clip_on": False}
            axes.plot([best_epoch], [best], "o", zorder=3, label=kept, **look)
    if drawn:
        add_legend(axes, columns=3)
    if len(epochs) > 1:
        axes.set_xlim(epochs[0], epochs[-1])
    axes.margins(y=0.08)
    plain_ticks(axes)


def plot_reliability(
    confidences: NDArray[np.floating],
    accuracies: NDArray[np.floating],
    counts: NDArray[np.integer],
    intervals: NDArray[np.floating] | None = None,
    before: tuple[NDArray[np.floating], NDArray[np.floating]] | None = None,
) -> Figure:
    """Plot accuracy against confidence, above the number of images by confidence.

    Args:
        confidences: float ``(bins,)`` in [0, 1]; mean probability of the predicted class in each bin.
        accuracies: float ``(bins,)`` in [0, 1]; fraction of each bin's predictions that is correct.
        counts: int ``(bins,)``; predictions in each bin. Empty bins are not drawn.
        intervals: float ``(bins, 2)``; interval of each accuracy.
        before: Confidences and accuracies, as above, before calibration.

    Returns:
        A reliability diagram (DeGroot and Fienberg 1983) above a histogram.
    """
    figure = new_figure(4.6, 4.1)
    grid = figure.add_gridspec(2, 1, height_ratios=[3.2, 1])
    axes = add_axes(figure, grid[0], "Accuracy", grid="both")
    perfect = "perfectly calibrated" if before is None else None  # three entries do not fit in one line
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 2), label=perfect)
    filled = counts > 0
    x, y = confidences[filled], accuracies[filled]
    if intervals is not None:
        low, high = intervals[filled].T
        axes.vlines(x, low, high, color=BLUE, linewidth=4, alpha=0.3)
    if before is not None:
        look: dict[str, Any] = {"markersize": 5, "markerfacecolor": "none", "linewidth": 0.8, "dashes": (1, 2)}
        known = np.isfinite(before[0])
        axes.plot(before[0][known], before[1][known], "s-", color=ORANGE, label="before calibration", **look)
    axes.plot(x, y, "o", color=BLUE, markersize=5.5, label="this model")
    axes.set_xlim(-0.01, 1.02)
    axes.set_ylim(-0.02, 1.03)
    add_legend(axes)
    below = add_axes(figure, grid[1], "Images", sharex=axes)
    edges = np.linspace(0, 1, len(counts) + 1)
    below.bar(edges[:-1], counts, width=np.diff(edges) * 0.92, align="edge", color=BLUE, alpha=0.55, linewidth=0)
    below.locator_params(axis="y", nbins=3)
    for panel in (axes, below):
        plain_ticks(panel)
    axes.tick_params(labelbottom=False)
    axes.yaxis.set_major_formatter(_percent())
    below.xaxis.set_major_formatter(_percent())
    label_x(below, "confidence (probability of the predicted class)")
    return figure


def _percent() -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"{100 * value:.0f} %")


def plot_recalls(
    classes: Sequence[str],
    recalls: NDArray[np.floating],
    intervals: NDArray[np.floating],
    counts: NDArray[np.integer],
) -> Figure:
    """Plot the recall of each class with its interval, lowest first.

    Args:
        classes: Class names.
        recalls: float ``(C,)`` in [0, 1], NaN if a class has no image.
        intervals: float ``(C, 2)``; interval of each recall.
        counts: int ``(C,)``; images of each class.
    """
    order = np.lexsort((np.arange(len(classes)), np.nan_to_num(recalls, nan=2.0)))
    figure = new_figure(4.6, 0.85 + 0.23 * len(classes))
    axes = add_axes(figure, grid="x")
    for place, index in enumerate(order):
        if not np.isfinite(recalls[index]):
            continue
        low, high = intervals[index]
        axes.plot([0, 1], [place, place], color=GRID, linewidth=0.8, zorder=1)
        axes.plot([low, high], [place, place], color=BLUE, linewidth=4, alpha=0.35, solid_capstyle="butt")
        axes.plot([recalls[index]], [place], "o", color=BLUE, markersize=5)
    axes.set_ylim(len(classes) - 0.4, -0.6)
    names = tick_labels([classes[index] for index in order])
    axes.set_yticks(range(len(classes)), names, parse_math=False, color=INK)
    beside: dict[str, Any] = {
        "transform": axes.get_yaxis_transform(),
        "ha": "right",
        "fontsize": FONT_SIZE - 1,
        "color": MUTED,
    }
    for place, index in enumerate(order):
        axes.text(1.11, place, f"{counts[index]:,}", va="center", **beside)
    axes.text(1.11, -0.75, "images", va="bottom", **beside)
    axes.set_xlim(-0.01, 1.01)
    axes.xaxis.set_major_formatter(_percent())
    label_x(axes, "recall: fraction of the class's images found")
    return figure


def plot_confusion_matrix(
    matrix: NDArray[np.integer],
    classes: Sequence[str],
    *,
    ordered: bool | None = None,
    measure: Literal["counts", "parts", "both"] | None = None,
) -> Figure:
    """Plot the number of images by true class (rows) and predicted class (columns).

    Up to 25 classes show numbers on colors that are fractions of the row; more classes show colors only.

    Args:
        matrix: int64 ``(C, C)``; counts, true class by predicted class.
        classes: Class names.
        ordered: Place classes that are confused with one another together. Default: above 25 classes.
        measure: Quantity shown: images, or fractions of the row in percent. ``both`` overlays the two kinds of
            numbers, each with a gid, so that a page can hide one. Colors of up to 25 classes are always fractions of
            the row; of more, ``counts`` colors by images on a logarithmic scale. Default: counts as numbers, fractions
            as colors.
    """
    numbered = len(classes) <= NUMBERED_CLASSES
    if not numbered if ordered is None else ordered:
        order = order_by_confusion(matrix)
        matrix, classes = matrix[np.ix_(order, order)], [classes[index] for index in order]
    parts = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    names = tick_labels(classes, longest=20)
    side = len(classes) * (0.36 if numbered else min(0.17, 9 / len(classes)))
    margin = 0.3 + 0.075 * max(map(len, names), default=0) if len(classes) <= LABELED_CLASSES else 0.3
    figure = new_figure(max(side + margin, 3.2), max(side + margin, 3.2))
    axes = add_axes(figure, grid="")
    axes.set_aspect("equal")
    if numbered:
        _draw_cells(axes, parts)
        for kind in ("counts", "parts") if measure == "both" else (measure or "counts",):
            _write_numbers(axes, matrix, parts, kind, gid=f"{LIVE}{kind}" if measure == "both" else None)
    else:
        _draw_picture(axes, np.log1p(matrix) / max(math.log1p(matrix.max()), 1e-9) if measure == "counts" else parts)
    axes.set_xlim(-0.5, len(classes) - 0.5)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    places = range(len(classes)) if len(classes) <= LABELED_CLASSES else []
    size = FONT_SIZE - 0.5 if numbered else min(7.0, 60 * side / len(classes))
    shown = names if len(classes) <= LABELED_CLASSES else []
    short = max(map(len, names), default=0) <= 2
    turn: dict[str, Any] = {} if short else {"rotation": 90, "ha": "right", "va": "center", "rotation_mode": "anchor"}
    axes.set_xticks(places, shown, parse_math=False, fontsize=size, color=INK, **turn)
    axes.set_yticks(places, shown, parse_math=False, fontsize=size, color=INK)
    label_x(axes, "predicted class")
    axes.set_ylabel("true class", fontsize=FONT_SIZE - 0.5, color=MUTED)
    return figure


def _strength(part: float, right: bool) -> float:
    """Return the strength of the color of a fraction of the row; the root makes single errors visible."""
    return 0.92 * part if right else min(0.92, 0.12 + 0.8 * math.sqrt(part)) if part else 0.0


def _draw_cells(axes: Axes, parts: NDArray[np.floating]) -> None:
    for (row, column), part in np.ndenumerate(parts):
        strength = _strength(float(part), row == column)
        color = GRID if not strength else BLUE if row == column else ORANGE
        square = _square((column - 0.47, row - 0.47), color, strength or 0.25)
        square.set_in_layout(False)  # it lies within the axes; the layout of every cell would take most of the time
        axes.add_patch(square)


def _write_numbers(
    axes: Axes, matrix: NDArray[np.integer], parts: NDArray[np.floating], measure: str, gid: str | None
) -> None:
    for (row, column), count in np.ndenumerate(matrix):
        if not count:
            continue
        part = float(parts[row, column])
        if measure == "counts":
            text = f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k"
        else:
            text = f"{100 * part:.0f}" if part >= 0.095 or part == 0 else f"{100 * part:.1f}"
        ink = ON_BLUE if _strength(part, row == column) > 0.5 else INK
        look: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": FONT_SIZE - 1, "color": ink}
        axes.text(column, row, text, gid=gid, **look).set_in_layout(False)


def _square(corner: tuple[float, float], color: str, strength: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 0.94, 0.94, facecolor=color, alpha=strength, linewidth=0)


def _draw_picture(axes: Axes, parts: NDArray[np.floating]) -> None:
    """Draw the cells as one small picture: blue for right, orange for wrong, opacity for a number from 0 to 1."""
    from matplotlib.colors import to_rgb

    size = len(parts)
    right = np.eye(size, dtype=bool)
    cells = np.empty((size, size, 4))
    cells[..., :3] = np.where(right[..., None], to_rgb(BLUE), to_rgb(ORANGE))
    strength = np.where(right, parts, np.where(parts > 0, 0.12 + 0.88 * np.sqrt(parts), 0))
    cells[..., 3] = np.maximum(np.round(np.minimum(strength, 1) * 32) / 32, 0)
    axes.imshow(cells, interpolation="none", aspect="equal", extent=(-0.5, size - 0.5, size - 0.5, -0.5))
    edge: dict[str, Any] = {"color": GRID, "linewidth": 0.8}
    axes.plot([-0.5, size - 0.5, size - 0.5, -0.5, -0.5], [-0.5, -0.5, size - 0.5, size - 0.5, -0.5], **edge)


def order_by_confusion(matrix: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return an order of the classes in which those confused with one another are adjacent.

    Average-linkage clustering of the confusions in both directions, leaves in the order of Bar-Joseph et al. (2001).

    Args:
        matrix: int64 ``(C, C)``; counts, true class by predicted class.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(matrix) < 3:
        return np.arange(len(matrix))
    parts = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    distance = 1 - np.minimum(parts + parts.T, 1)
    pairs = distance[np.triu_indices(len(matrix), k=1)]
    result: NDArray[np.int64] = leaves_list(linkage(pairs, method="average", optimal_ordering=True)).astype(np.int64)
    return result


def plot_learning_rate_curve(
    rates: NDArray[np.floating], losses: NDArray[np.floating], suggestion: float | None = None
) -> Figure:
    """Plot the loss against a rising learning rate, with the suggested rate marked.

    Args:
        rates: float ``(N,)``; learning rates, rising.
        losses: float ``(N,)``; smoothed training loss at each.
        suggestion: Learning rate to mark, if any.
    """
    figure = new_figure(5.6, 3.4)
    axes = add_axes(figure, title="Training loss by learning rate", grid="both")
    finite = np.isfinite(losses)
    rates, losses = np.asarray(rates)[finite], np.asarray(losses)[finite]
    axes.set_xscale("log")
    axes.plot(rates, losses, color=BLUE, linewidth=1.8)
    if len(losses):
        # Beyond the point of divergence the loss is meaningless and would flatten the rest of the plot.
        lowest, first = losses.min(), losses[0]
        room = max(first - lowest, 0.1 * abs(first), 1e-6)
        axes.set_ylim(lowest - 0.15 * room, max(first, lowest) + 0.6 * room)
    if suggestion is not None and len(rates):
        axes.axvline(suggestion, color=ORANGE, linewidth=1.4, dashes=(4, 2))
        loss = np.interp(math.log(suggestion), np.log(rates), losses)
        axes.plot([suggestion], [loss], "o", color=ORANGE, markersize=7, markeredgecolor=ON_BLUE)
        left = suggestion > math.sqrt(rates[0] * rates[-1])
        axes.annotate(
            f"suggested: {suggestion:.2g}",
            (suggestion, 0.94),
            xycoords=("data", "axes fraction"),
            xytext=(-7 if left else 7, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            fontsize=FONT_SIZE,
            color=ORANGE,
            fontweight="bold",
        )
    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    plain_ticks(axes)
    label_x(axes, "learning rate (logarithmic)")
    return figure
