"""Page of a study: table of variants, effect of each change, curves, best run."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from opsin.evaluation.verdict.finding import capitalized, score_words
from opsin.metrics.classification import confusion_matrix
from opsin.reporting.figures.confusion import most_confused
from opsin.reporting.figures.run import NUMBERED_CLASSES, plot_confusion_matrix
from opsin.reporting.figures.style import (
    BLUE,
    FONT_SIZE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    add_axes,
    figure_to_svg,
    label_x,
    new_figure,
    plain_ticks,
    shorten,
    whole_numbers,
)
from opsin.reporting.formats import number_of
from opsin.reporting.pages.comparison_figures import COLORS, DASHES
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.privacy import naming_keys
from opsin.reporting.run_report.report import create_environment
from opsin.reporting.sections import gallery
from opsin.reporting.task import report_of
from opsin.runs.folder import RunFolder
from opsin.runs.study import StudyFolder
from opsin.storage.atomic import write_text

PICTURES = 400_000  # bytes of the best run's gallery
DRAWN = 12  # variants whose curves are drawn in one figure


def write_study_page(folder: StudyFolder, path: Path | None = None) -> Path:
    """Write ``study.html`` from the folder of a study, and return its path.

    Raises:
        RunError: A run of the study is damaged or gone.
    """
    path = path or folder.page
    write_text(path, render_study_page(folder))
    return path


def render_study_page(folder: StudyFolder) -> str:
    """Return the page as HTML text; see `write_study_page`."""
    info = folder.info
    anonymous = bool(info.get("anonymous"))
    rows = info["rows"]
    runs = {row["name"]: [RunFolder(folder.path / name) for name in row["runs"]] for row in rows}
    best = runs[info["best"]][0]
    environment = create_environment()
    page = replace(Page.read(best, anonymous=anonymous), room=PICTURES)
    applies = {section.anchor for section in report_of(best.task).sections}
    shown = gallery.facts(page) if "gallery" in applies else None
    confusion = _confusion(page) if "confusion" in applies else None
    hidden = naming_keys() if anonymous else set()
    score = info["score"]
    sections = [
        ("results", "Results", True),
        ("answers", "Effects", any(row["asks"] or row["difference"] for row in rows)),
        ("training", "Training", True),
        ("verdicts", "Verdicts", True),
        ("best", "Best run", bool(confusion or shown)),
        ("again", "Reproduce", True),
    ]
    return environment.get_template("study.html").render(
        title=info["name"],
        kind="study",
        version=info["opsin"],
        question=info["question"],
        subject=_subject(info),
        sentence=info["sentence"],
        score=score_words(score),
        key=score,
        rows=[_table_row(row, info, hidden) for row in rows],
        published=any(score in row["published"] for row in rows),
        figures=_figures(info, runs),
        best=info["best"],
        best_run=best.name,
        confusion=confusion,
        gallery=None if shown is None else Markup(_best_gallery(environment, shown, anonymous)),
        failed=_failed(info["runs"]),
        unfinished=sum(row["state"] not in ("finished", "failed") for row in info["runs"]),
        notes=[] if anonymous else info["notes"],
        methods=info["methods"],
        folds=info["folds"],
        several=any(len(row["values"]) > 1 for row in rows),
        anonymous=anonymous,
        command=f"opsin study run {info['name']}",
        sections=[(anchor, title) for anchor, title, there in sections if there],
    )


def _failed(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each reason of failure once, with the variant and the seeds."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for row in runs:
        if row["state"] == "failed":
            seeds.setdefault((row["variant"], row["why"]), []).append(row["seed"])
    return [{"variant": variant, "why": why, "seeds": found} for (variant, why), found in seeds.items()]


def _subject(info: dict[str, Any]) -> str:
    machine, threads = info["machine"], {row["threads"] for row in info["rows"]}
    parts = [number_of(len(info["rows"]), "variant"), number_of(len(info["seeds"]), "seed")]
    parts += [number_of(info["folds"], "fold")] if info["folds"] else []
    if machine.get("device_name"):
        told = machine["device"] == "cpu" and len(threads) == 1
        parts.append(machine["device_name"] + (f", {number_of(min(threads), 'thread')} a run" if told else ""))
    return " · ".join(parts)


def _table_row(row: dict[str, Any], info: dict[str, Any], hidden: set[str]) -> dict[str, Any]:
    """Return the table row of a variant."""
    changes = [
        f"{key} = {'(default)' if value is None else value}"
        for key, value in row["changes"].items()
        if key not in hidden
    ]
    published = row["published"].get(info["score"])
    return row | {
        "changes": changes,
        "published": published,
        "beyond": None if published is None else row["mean"] - published,
        "inside": published is not None and row["interval"] and row["interval"][0] <= published <= row["interval"][1],
        "is_best": row["name"] == info["best"],
    }


def _confusion(page: Page) -> dict[str, Any] | None:
    if page.predicted is None or not len(page.predicted):
        return None
    matrix, names = most_confused(
        confusion_matrix(page.predicted.targets.values, page.predicted.predictions.labels, len(page.classes)),
        page.classes,
    )
    measure: Any = "counts" if len(names) <= NUMBERED_CLASSES else "parts"
    figure = plot_confusion_matrix(matrix, names, ordered=len(names) > NUMBERED_CLASSES, measure=measure)
    svg = figure_to_svg(figure, "confusion", "confusion matrix: true class by predicted class")
    return {"svg": svg, "width": round(figure.get_size_inches()[0] * 96)}


def _best_gallery(environment: Any, facts: dict[str, Any], anonymous: bool) -> str:
    result: str = environment.get_template("sections/gallery.html").render(facts, anonymous=anonymous)
    return result


def _figures(info: dict[str, Any], runs: dict[str, list[RunFolder]]) -> dict[str, Any]:
    score = info["score"]
    histories = {name: [run.history for run in found] for name, found in runs.items()}
    curves = []
    for each, title in dict.fromkeys(((score, score_words(score)), ("loss", "loss"))):
        for split in ("validation", "train"):
            figure = plot_study_curves(histories, each, split, f"{capitalized(title)}, {split} images")
            if figure is not None:
                curves.append(figure_to_svg(figure, f"{each}-{split}", f"{title} on {split} images by epoch"))
    svg = figure_to_svg(plot_results(info["rows"], score), "results", f"{score_words(score)} of all variants")
    return {"results": svg, "curves": curves}


def plot_results(rows: list[dict[str, Any]], score: str) -> Figure:
    """Plot the score of every variant with its interval, single seeds and published value.

    Args:
        rows: Rows of ``study.json``.
        score: Name of the score.
    """
    figure = new_figure(7.2, 0.95 + 0.34 * len(rows))
    axes = add_axes(figure, grid="x", title=capitalized(f"{score_words(score)} on test"))
    for place, row in enumerate(rows):
        if row["interval"]:
            axes.plot(row["interval"], [place, place], color=BLUE, linewidth=4, alpha=0.35)
        if len(row["values"]) > 1:
            axes.plot(row["values"], [place] * len(row["values"]), "|", color=MUTED, markersize=8)
        axes.plot([row["mean"]], [place], "o", color=BLUE, markersize=5.5, label="ours" if not place else None)
        if score in row["published"]:
            axes.plot([row["published"][score]], [place], "D", color=ORANGE, markersize=5, mfc="none")
    axes.set_yticks(range(len(rows)), [shorten(row["name"], 26) for row in rows], parse_math=False, color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    there = any(score in row["published"] for row in rows)
    label_x(axes, "dot: mean with 95 % interval; strokes: seeds" + ("; diamond: published" if there else ""))
    return figure


def plot_study_curves(
    histories: dict[str, list[list[dict[str, Any]]]], score: str, split: str, title: str
) -> Figure | None:
    """Plot a score by epoch for all variants: mean over seeds, and band from minimum to maximum.

    Args:
        histories: Variant -> a history for each seed, as in ``history.jsonl``.
        score: A score of the histories.
        split: "train" or "validation".
        title: Title of the figure.

    Returns:
        None if no run has the score of that split.
    """
    drawn = []
    for place, (name, runs) in enumerate(list(histories.items())[:DRAWN]):
        length = max(map(len, runs))
        if not length:  # an ensemble was not trained
            continue
        values = np.full((len(runs), length), math.nan)
        for run, history in enumerate(runs):
            values[run, : len(history)] = [row.get(split, {}).get(score, math.nan) for row in history]
        known = np.isfinite(values).all(axis=0)
        if known.any():
            drawn.append((place, name, np.flatnonzero(known) + 1, values[:, known]))
    if not drawn:
        return None
    figure = new_figure(4.8, 3.3 + 0.18 * math.ceil(len(drawn) / 2))
    axes = add_axes(figure, title=title)
    for place, name, epochs, values in drawn:
        color, dashes = COLORS[place % len(COLORS)], DASHES[(place // len(COLORS) + place) % len(DASHES)]
        marker = "o" if len(epochs) < 4 else ""
        axes.plot(
            epochs,
            values.mean(axis=0),
            color=color,
            linestyle=dashes,
            linewidth=1.5,
            marker=marker,
            markersize=4,
            label=shorten(name, 24),
        )
        if len(values) > 1:
            axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=color, alpha=0.12, linewidth=0)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=False, fontsize=FONT_SIZE - 0.5, labelcolor=INK
    )
    axes.grid(color=GRID)
    _zoom(axes, [values for *_, values in drawn], score)
    whole_numbers(axes)
    plain_ticks(axes)
    label_x(axes, "epoch")
    return figure


def _zoom(axes: Any, values: list[Any], score: str) -> None:
    """Limit the axis to the bulk of the curves; a variant far off may leave the plot.

    Otherwise one slow starter would squeeze the others into a line.
    """
    ends = np.array([each[:, -1].mean() for each in values])
    everything = np.concatenate([each.ravel() for each in values])
    low, high = np.quantile(everything, [0.05, 0.98] if score != "loss" else [0.0, 0.93])
    low, high = min(low, ends.min()), max(high, ends.max())
    if score != "loss":
        high = everything.max()
    room = 0.06 * (high - low) or 0.01
    axes.set_ylim(low - room, high + room)
