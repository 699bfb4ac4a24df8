"""What a report asks of a task: headline, captions, questions to heat maps, and its sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from opsin.reporting.run_report.captions import Captions
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.questions import Questions
from opsin.reporting.run_report.section import Section
from opsin.tasks.base import AnySplit
from opsin.tasks.registry import task_spec


class TaskReport(Protocol):
    """The report of one task.

    Attributes:
        sections: The sections of the page, in order: shared ones (`opsin.reporting.sections`) and the task's own.
    """

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections of the page, in order."""

    def headline(self, page: Page, score: dict[str, Any], split: str) -> dict[str, Any]:
        """Return what the top of the page shows, the main score with its interval and baseline."""

    def captions(self, predicted: AnySplit, rows: NDArray[np.int64], classes: Sequence[str]) -> Captions:
        """Return the captions of the gallery's pictures."""

    def questions(
        self, predicted: AnySplit, rows: NDArray[np.int64], outputs: NDArray[np.int64], classes: Sequence[str]
    ) -> Questions:
        """Return in words what each heat map is asked; only for tasks with "attributions"."""


def report_of(task: str) -> TaskReport:
    """Return the report of a task, by its name in ``recipe.task``."""
    report: TaskReport = task_spec(task).report()
    return report
