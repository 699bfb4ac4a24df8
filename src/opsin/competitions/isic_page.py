"""Report of ISIC 2017 scores: ranks, ROC curves, confusion matrix of melanoma, probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from opsin.competitions.isic_scores import LESIONS, PUBLISHED, IsicScores
from opsin.reporting.figures.style import (
    BLUE,
    FONT_SIZE,
    INK,
    MUTED,
    ON_BLUE,
    ORANGE,
    add_axes,
    add_legend,
    figure_to_svg,
    label_x,
    new_figure,
)
from opsin.reporting.run_report.report import create_environment
from opsin.storage.atomic import write_text
from opsin.version import __version__

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
SECTIONS = (
    ("scores", "Scores"),
    ("curves", "ROC curves"),
    ("calls", "Predicted melanomas"),
    ("probabilities", "Probabilities"),
)


def write_isic_page(scores: IsicScores, path: Path) -> Path:
    """Write the self-contained page, and return its path.

    Raises:
        RunError: The folder is missing or not writable, or the disk is full.
    """
    rows = [_threshold_row(scores, threshold) for threshold in sorted({*THRESHOLDS, scores.threshold})]
    figures = {
        "places": (plot_places(scores), "the three scores among those published"),
        "roc": (plot_roc(scores), "sensitivity against the false positive rate, for both tasks"),
        "specificity": (plot_roc(scores, specificity=True), "sensitivity against specificity, for both tasks"),
        "histogram": (plot_probabilities(scores), "histogram of the probability of melanoma for each type of lesion"),
    }
    page = (
        create_environment()
        .get_template("isic.html")
        .render(
            version=__version__,
            title="Skin lesions, ISIC 2017",
            kind="score",
            subject=f"{len(scores.truth):,} images: " + ", ".join(_counts(scores)),
            sections=SECTIONS,
            categories=scores.categories,
            best=[max(published) for published in PUBLISHED],
            threshold=scores.threshold,
            matrix=_matrix(scores),
            sentences=scores.sentences,
            thresholds=rows,
            figures={name: figure_to_svg(figure, name, description) for name, (figure, description) in figures.items()},
        )
    )
    write_text(path, page)
    return path


def _counts(scores: IsicScores) -> list[str]:
    return [f"{(scores.truth == lesion).sum():,} {name}" for lesion, name in enumerate(LESIONS)]


def _matrix(scores: IsicScores) -> list[tuple[str, list[dict[str, Any]]]]:
    counts = scores.confusion()
    parts = counts / counts.sum(axis=1, keepdims=True)
    return [
        (
            name,
            [{"number": counts[row, column], "part": parts[row, column], "right": row == column} for column in (0, 1)],
        )
        for row, name in enumerate(("melanoma", "any other lesion"))
    ]


def _threshold_row(scores: IsicScores, threshold: float) -> dict[str, Any]:
    (found, missed), (alarms, _) = scores.confusion(threshold).tolist()
    return {"threshold": threshold, "found": found, "missed": missed, "alarms": alarms, **scores.rates(threshold)}


def plot_places(scores: IsicScores) -> Figure:
    """Plot the three scores with their intervals among the published ones."""
    figure = new_figure(7.2, 1.9)
    axes = add_axes(figure, grid="x")
    for row, (category, published) in enumerate(zip(scores.categories, PUBLISHED, strict=True)):
        axes.plot(published, [row] * len(published), "|", color=MUTED, markersize=11, markeredgewidth=1.3)
        score = category.score
        axes.plot([score.low, score.high], [row, row], color=BLUE, linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot([score.value], [row], "o", color=BLUE, markersize=6.5, markeredgecolor=ON_BLUE, zorder=3)
    axes.set_yticks(range(3), [f"category {category.number}" for category in scores.categories], color=INK)
    axes.set_ylim(2.5, -0.5)
    label_x(axes, "area under the ROC curve")
    return figure


def plot_roc(scores: IsicScores, *, specificity: bool = False) -> Figure:
    """Plot the ROC curves of both tasks, with the threshold for melanoma.

    Args:
        scores: The scores.
        specificity: Whether the horizontal axis is the specificity instead of the false positive rate.
    """
    from sklearn.metrics import roc_curve

    figure = new_figure(4.6, 4.4)
    axes = add_axes(figure, title="Sensitivity", grid="both")
    axes.plot([0, 1], [1, 0] if specificity else [0, 1], color=MUTED, linewidth=1, dashes=(4, 2))
    for task, (color, style) in enumerate(((BLUE, "-"), (ORANGE, "--"))):
        alarms, found, _ = roc_curve(scores.truth == task, scores.probabilities[:, task])
        along = 1 - alarms if specificity else alarms
        label = f"{LESIONS[task]} {scores.categories[task].score.value:.3f}"
        axes.plot(along, found, style, color=color, linewidth=1.8, label=label)
    rates = scores.rates()
    along = rates["specificity"].value if specificity else 1 - rates["specificity"].value
    look: dict[str, Any] = {"markersize": 7, "color": BLUE, "markeredgecolor": ON_BLUE, "clip_on": False, "zorder": 3}
    axes.plot([along], [rates["sensitivity"].value], "o", **look)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.legend(loc="lower left" if specificity else "lower right", frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    label_x(axes, "specificity" if specificity else "false positive rate (1 − specificity)")
    return figure


def plot_probabilities(scores: IsicScores, bins: int = 20) -> Figure:
    """Plot a histogram of the probability of melanoma for each type of lesion."""
    figure = new_figure(7.2, 4.2)
    edges = np.linspace(0, 1, bins + 1)
    grid = figure.add_gridspec(len(LESIONS), 1)
    for lesion, (name, color) in enumerate(zip(LESIONS, (BLUE, ORANGE, MUTED), strict=True)):
        axes = add_axes(figure, grid[lesion], f"{name}, images", sharex=figure.axes[0] if lesion else None)
        counts, _ = np.histogram(scores.probabilities[scores.truth == lesion, 0], edges)
        axes.bar(edges[:-1], counts, width=0.92 / bins, align="edge", color=color, alpha=0.7, linewidth=0)
        label = f"threshold {scores.threshold:g}"
        axes.axvline(scores.threshold, color=INK, linewidth=1, dashes=(4, 2), label=label)
        axes.locator_params(axis="y", nbins=3)
        axes.tick_params(labelbottom=lesion == len(LESIONS) - 1)
        if not lesion:
            add_legend(axes)
    figure.axes[0].set_xlim(-0.01, 1.01)
    label_x(figure.axes[-1], "probability of melanoma")
    return figure
