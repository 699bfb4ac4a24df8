"""Page of a cross-validation: pooled scores, folds, classes, confusion matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w
from markupsafe import Markup

from opsin.metrics.classification import confusion_matrix
from opsin.metrics.names import DETAILS, describe_score
from opsin.recipe.recipe import Recipe
from opsin.reporting.figures.confusion import most_confused
from opsin.reporting.figures.run import plot_confusion_matrix
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.formats import number_of, percent, score
from opsin.reporting.run_report.privacy import anonymous_recipe
from opsin.reporting.run_report.report import create_environment
from opsin.runs.cross_validation import CrossValidationFolder
from opsin.storage.atomic import write_text
from opsin.tasks.base import AnyTask
from opsin.tasks.registry import task_spec

SHOWN_DETAILS = 3  # scores of a class that fit in a row


def write_cross_validation_page(folder: CrossValidationFolder, path: Path | None = None) -> Path:
    """Write ``cross-validation.html`` from what the folder of a finished cross-validation holds, and return its path.

    The page is self-contained and links to the reports of the folds. For an anonymous cross-validation the names of
    data, files and columns are left out.

    Raises:
        RunError: A file of the folder is damaged.
    """
    path = path or folder.path / "cross-validation.html"
    write_text(path, render_cross_validation_page(folder))
    return path


def render_cross_validation_page(folder: CrossValidationFolder) -> str:
    """Return the page as HTML text; see `write_cross_validation_page`."""
    info = folder.info
    environment = create_environment()
    assert environment.loader is not None
    style = environment.loader.get_source(environment, "report.css")[0]
    recipe = Recipe.from_dict(info["recipe"])
    anonymous, task = bool(info.get("anonymous")), task_spec(info["task"])
    main = info["scores"][task.main_metric]
    return environment.get_template("cross-validation.html").render(
        style=Markup(style),
        version=info["opsin"],
        title="Cross-validation" if anonymous else info["name"],
        anonymous=anonymous,
        main=main,
        shown={name: (percent if task.exclusive else score)(main[name]) for name in ("value", "low", "high")},
        exclusive=task.exclusive,
        described=describe_score(task.main_metric),
        second=describe_score(task.compared[1]) if len(task.compared) > 1 else None,
        second_name=task.compared[1] if len(task.compared) > 1 else "",
        subject=number_of(len(info["classes"]), *task.outputs) if task.outputs[0] else info["classes"][0],
        reading=info["reading"],
        folds=info["folds"],
        repeats=info["repeats"],
        groups=info["groups"],
        runs=info["runs"],
        scores=_score_rows(info, task),
        output=task.outputs[0].capitalize(),
        details={name: DETAILS[name] for name in task.details[:SHOWN_DETAILS]},
        classes=_class_rows(info, task),
        confusion=_confusion(folder, info["classes"]) if task.exclusive else None,
        recipe=tomli_w.dumps(anonymous_recipe(recipe)) if anonymous else recipe.to_toml(),
    )


def _score_rows(info: dict[str, Any], task: AnyTask) -> list[dict[str, Any]]:
    """Return a row per score: its meaning, pooled value and spread over folds."""
    return [
        {
            "title": described.title,
            "meaning": described.meaning,
            "part": described.part,
            "pooled": info["scores"].get(name),
            "spread": info["spread"].get(name),
        }
        for name in task.metrics
        for described in [describe_score(name)]
    ]


def _class_rows(info: dict[str, Any], task: AnyTask) -> list[dict[str, Any]]:
    """Return a row per class or label with its first scores."""
    shown = task.details[:SHOWN_DETAILS]
    return [
        {"name": name, "scores": [info["scores"][f"{score}/{name}"] for score in shown]}
        for name in info["classes"]
        if shown
    ]


def _confusion(folder: CrossValidationFolder, classes: list[str]) -> dict[str, Any]:
    pooled = folder.out_of_fold()
    matrix, names = most_confused(
        confusion_matrix(pooled.split.targets.values, pooled.split.predictions.labels, len(classes)), classes
    )
    figure = plot_confusion_matrix(matrix, names)
    svg = figure_to_svg(figure, "confusion", "confusion matrix: true class by predicted class")
    return {"figure": svg, "width": round(figure.get_size_inches()[0] * 96)}
