"""Page of a learning curve: score by number of training images, and extrapolation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from opsin.metrics.names import describe_score
from opsin.recipe.recipe import Recipe
from opsin.reporting.figures.style import (
    BLUE,
    FONT_SIZE,
    ORANGE,
    add_axes,
    add_legend,
    figure_to_svg,
    label_x,
    new_figure,
)
from opsin.reporting.run_report.privacy import anonymous_recipe
from opsin.reporting.run_report.report import create_environment
from opsin.storage.atomic import write_text


def write_curve_page(folder: Path, info: dict[str, Any]) -> Path:
    """Write ``learning-curve.html`` from what ``learning-curve.json`` holds, and return its path.

    The page is self-contained and links to the reports of the runs.
    """
    path = folder / "learning-curve.html"
    write_text(path, render_curve_page(info))
    return path


def render_curve_page(info: dict[str, Any]) -> str:
    """Return the page as HTML text; see `write_curve_page`."""
    environment = create_environment()
    assert environment.loader is not None
    style = environment.loader.get_source(environment, "report.css")[0]
    recipe, anonymous = Recipe.from_dict(info["recipe"]), bool(info["anonymous"])
    score = describe_score(info["score"])
    figure = figure_to_svg(plot_curve(info), "curve", f"validation {score.words} against the number of training images")
    return environment.get_template("learning-curve.html").render(
        style=Markup(style),
        figure=figure,
        version=info["opsin"],
        title="Learning curve" if anonymous else info["name"],
        anonymous=anonymous,
        sentence=info["sentence"],
        validated=info["validated"],
        doubled=info["doubled"],
        reached=info["reached"],
        words=score.words,
        title_of_score=score.title,
        law=info["law"],
        sizes=_size_rows(info["runs"]),
        recipe=tomli_w.dumps(anonymous_recipe(recipe)) if anonymous else recipe.to_toml(),
    )


def _size_rows(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per size: its runs, and mean and range of their scores."""
    rows = []
    for images in sorted({run["images"] for run in runs}):
        own = [run for run in runs if run["images"] == images]
        values = [run["score"]["value"] for run in own]
        mean = float(np.mean(values))
        rows.append({"images": images, "runs": own, "mean": mean, "lowest": min(values), "highest": max(values)})
    return rows


def plot_curve(info: dict[str, Any]) -> Figure:
    """Plot the error of each run by number of training images on logarithmic axes, with the fit and its 95 % band.

    Args:
        info: ``learning-curve.json``.
    """
    figure = new_figure(6.4, 3.8)
    axes = add_axes(figure, title="Error on validation", grid="both")
    axes.set_xscale("log")
    axes.set_yscale("log")
    # The logarithm of zero errors is undefined; half an error is drawn instead.
    least = 0.5 / max(info["validated"], 1)
    images = np.array([run["images"] for run in info["runs"]])
    errors = np.array([1 - run["score"]["value"] for run in info["runs"]])
    grid, low, high = np.array(info["band"])
    law = info["law"]
    fit = law["floor"] + law["scale"] * grid ** -law["exponent"]
    axes.fill_between(grid, np.maximum(low, least), np.maximum(high, least), color=BLUE, alpha=0.15, linewidth=0)
    axes.plot(grid, np.maximum(fit, least), color=BLUE, linewidth=1.8, label="fit, with 95 % band")
    axes.plot(images, np.maximum(errors, least), "o", color=ORANGE, markersize=5.5, alpha=0.85, label="runs")
    axes.axvline(images.max(), color=BLUE, linewidth=1, dashes=(2, 3))
    axes.annotate(
        "all images",
        (images.max(), 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=FONT_SIZE - 0.5,
        color=BLUE,
    )
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)
    label_x(axes, "training images (both axes logarithmic)")
    add_legend(axes)
    return figure
