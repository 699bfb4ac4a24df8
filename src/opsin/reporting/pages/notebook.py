"""Representation of a run in a notebook."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from opsin.reporting.run_report.page import class_names, training_facts
from opsin.reporting.run_report.report import create_environment
from opsin.reporting.sections.scores import score_rows
from opsin.reporting.sections.training import draw_learning_curves
from opsin.reporting.sections.verdict import findings
from opsin.runs.folder import RunFolder


def run_html(folder: RunFolder | Path) -> str:
    """Return a run as HTML for Jupyter: scores with intervals, curves, most severe finding, link to the report.

    It is a light card in any theme, without scripts or external resources.

    Args:
        folder: The run, finished or not.

    Raises:
        RunError: The folder is not a run, or one of its files is damaged.
    """
    run = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    listed = findings(run)
    return (
        create_environment()
        .get_template("notebook.html")
        .render(
            name=run.name,
            training=training_facts(run),
            finding=listed[0] if listed else None,
            scores=score_rows(run, len(class_names(run))),
            curves=list(draw_learning_curves(run, f"{run.recipe.hash}-").values()) if run.history else [],
            report=_address(run.path / "report.html"),
        )
    )


def _address(path: Path) -> str:
    """Return the path as a link from a notebook in the current folder; empty if there is no such file."""
    if not path.exists():
        return ""
    try:
        return quote(Path(os.path.relpath(path)).as_posix())
    except ValueError:  # on another drive than the notebook, so there is no relative path
        return path.resolve().as_uri()
