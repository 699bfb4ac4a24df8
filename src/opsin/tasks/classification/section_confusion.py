"""The confusion matrix."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from opsin.reporting.figures.confusion import most_confused
from opsin.reporting.figures.run import NUMBERED_CLASSES, order_by_confusion, plot_confusion_matrix
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.run_report.page import Page
from opsin.tasks.classification.confusion import confusion_of

Measure = Literal["both", "counts", "parts"]


def facts(page: Page) -> dict[str, Any] | None:
    """Draw the confusion matrix of test; None where there are no predictions yet."""
    if page.predicted is None or not len(page.predicted):
        return None
    matrix, names = most_confused(confusion_of(page.predicted), page.classes)
    numbered = len(names) <= NUMBERED_CLASSES
    orders = [False, True] if order_by_confusion(matrix).tolist() != list(range(len(names))) else [False]
    measures: tuple[Measure, ...] = ("both",) if numbered else ("counts", "parts")
    figures = [_draw(matrix, names, ordered, measure) for ordered in orders for measure in measures]
    return {
        "figures": figures,
        "numbered": numbered,
        "orders": len(orders),
        "hidden": len(names) < len(page.classes),
        "shown": len(names),
    }


def _draw(matrix: NDArray[np.int64], names: list[str], ordered: bool, measure: Measure) -> dict[str, Any]:
    figure = plot_confusion_matrix(matrix, names, ordered=ordered, measure=measure)
    order = "alike" if ordered else "listed"
    words = "sorted by confusion" if ordered else "classes in their order"
    return {
        "order": order,
        "measure": measure,
        "width": round(figure.get_size_inches()[0] * 96),
        "svg": figure_to_svg(
            figure, f"confusion-{order}-{measure}", f"confusion matrix: true class by predicted class, {words}"
        ),
    }
