"""What evaluation asks of a task: rows of the gallery, explained outputs, comparison, verdict."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import Targets
from opsin.evaluation.comparison.measure import Measure
from opsin.evaluation.comparison.pairing import Paired
from opsin.evaluation.verdict.finding import Finding
from opsin.runs.folder import RunFolder
from opsin.tasks.registry import task_spec


class TaskEvaluation(Protocol):
    """The evaluation of one task."""

    def gallery(self, targets: Targets, predictions: Any) -> NDArray[np.int64]:
        """Return the rows of the gallery, int64 ``(K,)``, the worst first."""

    def explained(self, targets: Targets, predictions: Any, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the outputs that heat maps explain, int64 ``(K, 2)``, -1 for none; only with "attributions"."""

    def compare(self, paired: Paired) -> Measure:
        """Return the scores of several runs on the same images."""

    def verdict(self, run: RunFolder) -> list[Finding]:
        """Return the findings on a run whose test or validation split is scored."""


def evaluation_of(task: str) -> TaskEvaluation:
    """Return the evaluation of a task, by its name in ``recipe.task``."""
    evaluation: TaskEvaluation = task_spec(task).evaluation()
    return evaluation
