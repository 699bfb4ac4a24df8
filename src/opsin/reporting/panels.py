"""The figures of a report, drawn from a run folder and turned into parts of the page."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray

from opsin.evaluation.intervals import wilson
from opsin.evaluation.scorecard import groups_behind
from opsin.metrics.classification import reliability
from opsin.reporting.contents import Predicted, class_names
from opsin.reporting.figures import (
    NUMBERED_CLASSES,
    plot_confusion_matrix,
    plot_learning_curves,
    plot_recalls,
    plot_reliability,
)
from opsin.reporting.style import figure_to_svg
from opsin.runfolder import RunFolder

DRAWN_RECALLS = 25
DRAWN_CLASSES = 200


def draw_panels(run: RunFolder, rows: list[dict[str, Any]], predicted: Predicted | None) -> dict[str, Any]:
    """Draw every figure that the run has come to.

    Args:
        run: The run.
        rows: As from `opsin.reporting.contents.class_rows`.
        predicted: Predictions on test, where there are any.

    Returns:
        What the template needs: ``figures`` (name -> SVG, empty where there is none) and what to say beside them.
    """
    figures = dict.fromkeys(("recalls", "confusion", "reliability", "loss", "accuracy"), Markup(""))
    content: dict[str, Any] = {
        "figures": figures,
        "hidden_recalls": 0,
        "hidden_matrix": False,
        "shown_matrix": 0,
        "matrix_shown": predicted is not None,
        "matrix_width": 0,
        "reordered": False,
        "whiskers": False,
    }
    if run.history:
        figures.update(draw_learning_curves(run))
    measured = [row for row in rows if row["recall"] and row["recall"]["value"] is not None]
    if measured:
        weakest = sorted(measured, key=lambda row: row["recall"]["value"])[:DRAWN_RECALLS]
        figures["recalls"] = _recalls(weakest)
        content["hidden_recalls"] = len(measured) - len(weakest)
    if predicted is not None and len(predicted.labels):
        method = run.scorecard.get("test", {}).get("accuracy", {}).get("method", "")
        # Wilson's intervals would be too short where images of one group resemble each other.
        content["whiskers"] = groups_behind(method) is None
        figures["reliability"] = _reliability(predicted, intervals=content["whiskers"])
        matrix, names = most_confused(predicted.matrix, class_names(run))
        figure = plot_confusion_matrix(matrix, names)
        figures["confusion"] = _svg(figure, "confusion", "confusion matrix: true class by predicted class")
        content["matrix_width"] = round(figure.get_size_inches()[0] * 96)
        content["reordered"] = len(names) > NUMBERED_CLASSES
        content["hidden_matrix"] = len(names) < len(predicted.matrix)
        content["shown_matrix"] = len(names)
    return content


def draw_learning_curves(run: RunFolder, prefix: str = "") -> dict[str, Markup]:
    """Return the curves of loss (with the learning rate below) and, where it was measured, of accuracy.

    Args:
        run: A run with at least one epoch.
        prefix: Keeps the figures of several runs on one page apart.
    """
    history, best = run.history, (run.info.get("best") or {}).get("epoch")
    loss = plot_learning_curves(history, scores=("loss",), best_epoch=best)
    curves = {"loss": _svg(loss, f"{prefix}loss", "loss on training and validation images in each epoch")}
    if any("accuracy" in row.get(split, {}) for row in history for split in ("train", "validation")):
        accuracy = plot_learning_curves(history, scores=("accuracy",), best_epoch=best, learning_rate=False)
        accuracy.set_size_inches(*loss.get_size_inches())
        text = "accuracy on training and validation images in each epoch"
        curves["accuracy"] = _svg(accuracy, f"{prefix}accuracy", text)
    return curves


def most_confused(matrix: NDArray[np.int64], names: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Return the part of a confusion matrix that a page has room for: the classes with most mistakes, in order."""
    if len(names) <= DRAWN_CLASSES:
        return matrix, names
    mistakes = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diagonal(matrix)
    kept = np.sort(np.argsort(-mistakes, kind="stable")[:DRAWN_CLASSES])
    return matrix[np.ix_(kept, kept)], [names[index] for index in kept]


def _recalls(rows: list[dict[str, Any]]) -> Markup:
    entries = [row["recall"] for row in rows]
    figure = plot_recalls(
        [row["name"] for row in rows],
        np.array([entry["value"] for entry in entries]),
        np.array([[entry["low"], entry["high"]] for entry in entries], dtype=float),
        np.array([entry["n"] for entry in entries]),
    )
    return _svg(figure, "recalls", "recall of each class with its 95 % interval, weakest first")


def _reliability(predicted: Predicted, *, intervals: bool) -> Markup:
    bins = reliability(predicted.labels, predicted.result.probabilities)
    bounds = None
    if intervals:
        found = [wilson(right, int(n)) for right, n in zip(bins.accuracy * bins.counts, bins.counts, strict=True)]
        bounds = np.array([(interval.low, interval.high) for interval in found])
    figure = plot_reliability(bins.confidence, bins.accuracy, bins.counts, bounds)
    return _svg(
        figure, "reliability", "part of right answers against the probability stated, above the number of images"
    )


def _svg(figure: Figure, name: str, description: str) -> Markup:
    # Safe: the text of the figure was escaped when it was written as XML.
    return Markup(figure_to_svg(figure, name, description))
