"""The page of a cross-validation: pooled scores, every fold, every class, and what was taken for what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w
from markupsafe import Markup

from opsin.crossvalfolder import CrossvalFolder
from opsin.files import write_text
from opsin.metrics.classification import confusion_matrix
from opsin.recipe import Recipe
from opsin.reporting.figures import plot_confusion_matrix
from opsin.reporting.privacy import anonymous_recipe
from opsin.reporting.report import create_environment
from opsin.reporting.sections.confusion import most_confused
from opsin.reporting.sections.scores import SCORES
from opsin.reporting.style import figure_to_svg


def write_crossval_page(folder: CrossvalFolder) -> Path:
    """Write ``crossval.html`` from what the folder of a finished cross-validation holds, and return its path.

    Like a report it loads nothing from anywhere; it leads to the reports of the folds beside it. Where the
    cross-validation is to be anonymous, the names of data, files and columns are left out.

    Raises:
        RunError: A file of the folder is damaged.
    """
    path = folder.path / "crossval.html"
    write_text(path, render_crossval_page(folder))
    return path


def render_crossval_page(folder: CrossvalFolder) -> str:
    """Return the page as HTML text; see `write_crossval_page`."""
    info = folder.info
    environment = create_environment()
    assert environment.loader is not None
    style = environment.loader.get_source(environment, "report.css")[0]
    recipe = Recipe.from_dict(info["recipe"])
    anonymous = bool(info.get("anonymous"))
    return environment.get_template("crossval.html").render(
        style=Markup(style),
        version=info["opsin"],
        title="Cross-validation" if anonymous else info["name"],
        anonymous=anonymous,
        accuracy=info["scores"]["accuracy"],
        reading=info["reading"],
        folds=info["folds"],
        repeats=info["repeats"],
        groups=info["groups"],
        runs=info["runs"],
        scores=_score_rows(info),
        classes=_class_rows(info),
        confusion=_confusion(folder, info["classes"]),
        recipe=tomli_w.dumps(anonymous_recipe(recipe)) if anonymous else recipe.to_toml(),
    )


def _score_rows(info: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row per score: what it is, its pooled value, and how it differs between folds."""
    return [
        {
            "title": title,
            "meaning": meaning,
            "part": name != "log_loss",
            "pooled": info["scores"].get(name),
            "spread": info["spread"].get(name),
        }
        for name, (title, meaning) in SCORES.items()
    ]


def _class_rows(info: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, **{score: info["scores"].get(f"{score}/{name}") for score in ("recall", "precision", "f1")}}
        for name in info["classes"]
    ]


def _confusion(folder: CrossvalFolder, classes: list[str]) -> dict[str, Any]:
    pooled = folder.out_of_fold()
    matrix, names = most_confused(confusion_matrix(pooled.labels, pooled.predictions.labels, len(classes)), classes)
    figure = plot_confusion_matrix(matrix, names)
    svg = figure_to_svg(figure, "confusion", "confusion matrix: true class by predicted class")
    return {"figure": svg, "width": round(figure.get_size_inches()[0] * 96)}
