"""Predicted against true values, and the distribution of the errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from opsin.evaluation.verdict.finding import number
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.run_report.page import Page
from opsin.tasks.regression.figures import plot_estimates, plot_residuals

RANGES = 5  # ranges with equal numbers of images


def facts(page: Page) -> dict[str, Any] | None:
    """Return the figures and a row for each fifth of the range; None if there are no predictions yet."""
    predicted = page.predicted
    if predicted is None or not len(predicted):
        return None
    values, estimates = predicted.targets.values, predicted.predictions.values
    errors = estimates - values
    name = page.classes[0]
    within = [float(np.quantile(np.abs(errors), part)) for part in (0.5, 0.9)]
    return {
        "name": name,
        "estimates": figure_to_svg(
            plot_estimates(values, estimates, name), "estimates", f"predicted against true {name}"
        ),
        "residuals": figure_to_svg(plot_residuals(values, errors, name), "residuals", f"errors against true {name}"),
        "half": number(within[0]),
        "most": number(within[1]),
        "bias": number(abs(float(errors.mean()))),
        "direction": "too large" if errors.mean() > 0 else "too small",
        "ranges": _ranges(values, errors),
    }


def _ranges(values: np.ndarray, errors: np.ndarray) -> list[dict[str, Any]]:
    """Return the errors in each fifth of the images by their true value; fewer rows if many values are equal."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, RANGES + 1)))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(0, len(edges) - 2))
    rows = []
    for at in np.unique(place):
        own = place == at
        rows.append(
            {
                "low": number(float(values[own].min())),
                "high": number(float(values[own].max())),
                "images": int(own.sum()),
                "error": number(float(np.abs(errors[own]).mean())),
                "bias": f"{'+' if errors[own].mean() > 0 else '−'}{number(abs(float(errors[own].mean())))}",
            }
        )
    return rows
