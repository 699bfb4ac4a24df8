"""Figures of a comparison of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from opsin.evaluation.comparison.differences import Difference
from opsin.evaluation.verdict.finding import score_words
from opsin.metrics.names import describe_score
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
    shorten,
    whole_numbers,
)

# Distinct in every common form of color blindness (Okabe and Ito 2008), and by their dashes in print.
COLORS = (BLUE, ORANGE, "#009e73", "#b3568b", "#3a8fc7", "#8a6d00")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 3)))


def plot_differences(differences: Sequence[Difference], names: Sequence[str]) -> Figure:
    """Plot the differences of one score between pairs of recipes, each with its interval (a forest plot).

    Blue if the first of the pair is significantly better, orange if the second is, gray if neither is.

    Args:
        differences: Differences of one score.
        names: Names of the recipes.
    """
    figure = new_figure(7.2, 0.75 + 0.32 * len(differences))
    axes = add_axes(figure, grid="x", title=score_words(differences[0].score))
    axes.axvline(0, color=INK, linewidth=1)
    for place, difference in enumerate(differences):
        color = MUTED if difference.better is None else BLUE if difference.better == difference.first else ORANGE
        axes.plot([difference.low, difference.high], [place, place], color=color, linewidth=4, alpha=0.4)
        axes.plot([difference.value], [place], "o", color=color, markersize=5.5)
    labels = [f"{shorten(names[each.first], 22)} − {shorten(names[each.second], 22)}" for each in differences]
    axes.set_yticks(range(len(differences)), labels, parse_math=False, color=INK)
    axes.set_ylim(len(differences) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.3g}" if value else "0"))
    better = "left" if describe_score(differences[0].score).lower_is_better else "right"
    label_x(axes, f"difference ({better}: the first is better)")
    return figure


def plot_curves(
    histories: Sequence[Sequence[dict[str, Any]]],
    recipe_of: Sequence[int],
    names: Sequence[str],
    score: str,
    title: str,
) -> Figure:
    """Plot a score on validation images against the epoch, one line per run and one color per recipe.

    Args:
        histories: History of each run, as in ``history.jsonl``.
        recipe_of: Number of the recipe of each run.
        names: Names of the recipes.
        score: A key of the validation scores.
        title: Title of the figure.
    """
    figure = new_figure(4.6, 3.2 + 0.18 * math.ceil(len(names) / 2))
    axes = add_axes(figure, title=title)
    drawn: set[int] = set()
    for history, recipe in zip(histories, recipe_of, strict=True):
        values = [row.get("validation", {}).get(score, math.nan) for row in history]
        if not np.isfinite(values).any():
            continue
        look: dict[str, Any] = {"color": COLORS[recipe % len(COLORS)], "linestyle": DASHES[recipe % len(DASHES)]}
        label = shorten(names[recipe], 26) if recipe not in drawn else None
        marker = "o" if len(values) < 4 else ""
        epochs = [row["epoch"] for row in history]
        axes.plot(epochs, values, linewidth=1.5, alpha=0.85, marker=marker, markersize=4, label=label, **look)
        drawn.add(recipe)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False, fontsize=FONT_SIZE - 0.5, labelcolor=INK
    )
    whole_numbers(axes)
    plain_ticks(axes)
    label_x(axes, "epoch")
    return figure
