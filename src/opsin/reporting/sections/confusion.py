"""The confusion matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.reporting.figures import NUMBERED_CLASSES, plot_confusion_matrix
from opsin.reporting.page import Page
from opsin.reporting.style import figure_to_svg

DRAWN_CLASSES = 200


def facts(page: Page) -> dict[str, Any] | None:
    """Draw the confusion matrix of test; None where there are no predictions yet."""
    if page.predicted is None or not len(page.predicted.labels):
        return None
    matrix, names = most_confused(page.predicted.matrix, page.classes)
    figure = plot_confusion_matrix(matrix, names)
    return {
        "figure": figure_to_svg(figure, "confusion", "confusion matrix: true class by predicted class"),
        "width": round(figure.get_size_inches()[0] * 96),
        "reordered": len(names) > NUMBERED_CLASSES,
        "hidden": len(names) < len(page.classes),
        "shown": len(names),
    }


def most_confused(matrix: NDArray[np.int64], names: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Return the part of a confusion matrix that a page has room for: the classes with most mistakes, in order."""
    if len(names) <= DRAWN_CLASSES:
        return matrix, names
    mistakes = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diagonal(matrix)
    kept = np.sort(np.argsort(-mistakes, kind="stable")[:DRAWN_CLASSES])
    return matrix[np.ix_(kept, kept)], [names[index] for index in kept]
