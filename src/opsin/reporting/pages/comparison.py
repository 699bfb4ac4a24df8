"""Page of a comparison: differences, learning curves, differing recipe keys, images with disagreement."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.evaluation.comparison.measure import Measure
from opsin.evaluation.comparison.pairing import pair_runs
from opsin.evaluation.comparison.result import Comparison
from opsin.evaluation.comparison.wording import p_words
from opsin.evaluation.task import evaluation_of
from opsin.evaluation.verdict.finding import score_words
from opsin.metrics.names import describe_score
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.pages.comparison_figures import plot_curves, plot_differences
from opsin.reporting.run_report.gallery import PIXEL_ART, encode
from opsin.reporting.run_report.privacy import naming_keys
from opsin.reporting.run_report.report import create_environment
from opsin.runs.folder import RunFolder
from opsin.storage.atomic import write_text
from opsin.tasks.registry import task_spec
from opsin.version import __version__

DRAWN_PAIRS = 15
SHOWN_IMAGES = 48
SIDE = 128  # pixels of a picture


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the self-contained page and return its path.

    Raises:
        RunError: A run is damaged or gone, or the page cannot be written.
    """
    folders = [RunFolder(run) for run in comparison.runs]
    anonymous = any(folder.info.get("anonymous") for folder in folders)
    paired = pair_runs(folders, comparison.split)
    first_runs = np.cumsum([0, *(len(recipe.runs) for recipe in comparison.recipes[:-1])]).tolist()
    task = evaluation_of(paired.task).compare(paired)
    disputed = _disputed(task, first_runs)
    pictures = _pictures(comparison, folders, task, disputed, first_runs, anonymous=anonymous)
    hidden = naming_keys() if anonymous else set()
    facts: dict[str, Any] = {
        "comparison": comparison,
        "command": "" if anonymous else shlex.join(["opsin", "compare", *map(str, comparison.runs)]),
        "differences": [_row(comparison, number) for number in range(len(comparison.differences))],
        "keys": {key: values for key, values in comparison.keys.items() if key not in hidden},
        "figures": _figures(comparison, folders),
        "hidden_pairs": max(0, _pairs(comparison) - DRAWN_PAIRS),
        "agreement": _agreement(comparison, task.right(first_runs)),
        "pictures": pictures,
        "disputed": len(disputed),
        "task": task,
    }
    sections = [
        ("scores", "Scores", True),
        ("differences", "Differences", comparison.differences),
        ("recipes", "Recipes", facts["keys"]),
        ("training", "Training", facts["figures"]["curves"]),
        ("disputes", "Disagreements", len(comparison.recipes) > 1),
    ]
    page = (
        create_environment()
        .get_template("comparison.html")
        .render(
            facts,
            words=score_words,
            version=__version__,
            title=" or ".join(recipe.name for recipe in comparison.recipes[:4]) + "…" * (len(comparison.recipes) > 4),
            kind="comparison",
            subject=comparison.methods[0],
            sections=[(anchor, title) for anchor, title, there in sections if there],
        )
    )
    write_text(path, page)
    return path


def _pairs(comparison: Comparison) -> int:
    return len(comparison.recipes) * (len(comparison.recipes) - 1) // 2


def _row(comparison: Comparison, number: int) -> dict[str, Any]:
    difference = comparison.differences[number]
    first, second = (comparison.recipes[each].name for each in (difference.first, difference.second))
    return {
        "pair": f"{first} − {second}",
        "score": score_words(difference.score),
        "value": f"{difference.value:+.3f}",
        "interval": f"{difference.low:+.3f} to {difference.high:+.3f}",
        "p": p_words(difference.p_value),
        "corrected": p_words(difference.corrected),
        "outcome": "not significant" if difference.better is None else comparison.recipes[difference.better].name,
    }


def _figures(comparison: Comparison, folders: list[RunFolder]) -> dict[str, Any]:
    """Draw the differences of each score and the curves of all runs."""
    named = [recipe.name for recipe in comparison.recipes]
    scores = dict.fromkeys(difference.score for difference in comparison.differences)
    forests = []
    for score in scores:
        own = [difference for difference in comparison.differences if difference.score == score][:DRAWN_PAIRS]
        description = f"difference in {score_words(score)} of each pair of recipes, with its interval"
        forests.append(figure_to_svg(plot_differences(own, named), f"difference-{score}", description))
    histories = [folder.history for folder in folders]
    recipe_of = [number for number, recipe in enumerate(comparison.recipes) for _ in recipe.runs]
    curves = []
    for score in ("loss", task_spec(folders[0].task).main_metric):
        title = f"Validation {describe_score(score).words}"
        if any(score in row.get("validation", {}) for history in histories for row in history):
            figure = plot_curves(histories, recipe_of, named, score, title)
            curves.append(
                figure_to_svg(figure, f"curves-{score}", f"{title[0].lower()}{title[1:]} of each run in each epoch")
            )
    return {"differences": forests, "curves": curves}


def _disputed(task: Measure, runs: list[int]) -> NDArray[np.int64]:
    """Return the images that only some runs predict correctly, most disagreement first."""
    right = task.right(runs)
    merits = np.array([task.merit(run) for run in runs])
    images = np.flatnonzero(right.any(axis=0) & ~right.all(axis=0))
    return images[np.argsort(-np.ptp(merits, axis=0)[images], kind="stable")]


def _agreement(comparison: Comparison, answers: NDArray[np.bool_]) -> list[tuple[str, int]]:
    """Return the number of images for each set of correct recipes, most frequent first."""
    cases, counts = np.unique(answers, axis=1, return_counts=True)
    rows = []
    for case, count in zip(cases.T, counts, strict=True):
        names = [recipe.name for recipe, right in zip(comparison.recipes, case, strict=True) if right]
        who = "all" if case.all() else "none" if not case.any() else "only " + " and ".join(names)
        rows.append((who, int(count)))
    return sorted(rows, key=lambda row: -row[1])


def _pictures(
    comparison: Comparison,
    folders: list[RunFolder],
    task: Measure,
    disputed: NDArray[np.int64],
    runs: list[int],
    *,
    anonymous: bool,
) -> list[dict[str, Any]]:
    """Return pictures of images with disagreement, if any run stored them for its report."""
    if len(runs) < 2:
        return []
    paired = task.paired
    right = task.right(runs)
    kept: dict[int, NDArray[np.uint8]] = {}
    for folder, rows in zip(folders, paired.rows, strict=True):
        image_of = {int(row): image for image, row in enumerate(rows)}
        for row, pixels in zip(*folder.thumbnails(comparison.split), strict=False):
            if int(row) in image_of:
                kept.setdefault(image_of[int(row)], pixels)
    pictures = []
    for image in [image for image in disputed.tolist() if image in kept][:SHOWN_IMAGES]:
        source, width, height = encode(kept[image], SIDE)
        said = []
        for place, (recipe, run) in enumerate(zip(comparison.recipes, runs, strict=True)):
            label, sure = task.said(run, image)
            said.append({"recipe": recipe.name, "label": label, "sure": sure, "right": bool(right[place, image])})
        pictures.append(
            {
                "source": source,
                "width": width,
                "height": height,
                "tiny": max(width, height) <= PIXEL_ART,
                "truth": paired.targets.text(image, paired.classes),
                "said": said,
                "name": "" if anonymous else paired.names[image],
            }
        )
    return pictures
