"""The evaluation of regression; see `opsin.evaluation.task.TaskEvaluation`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import ValueTargets
from opsin.evaluation.comparison.pairing import Paired
from opsin.evaluation.verdict.finding import Finding
from opsin.runs.folder import RunFolder
from opsin.tasks.regression.compare import RegressionScores
from opsin.tasks.regression.explain import explain_values
from opsin.tasks.regression.gallery import select_by_error
from opsin.tasks.regression.predictions import Values
from opsin.tasks.regression.verdict import judge_regression


class RegressionEvaluation:
    """Gallery, heat maps, comparison and verdict of regression."""

    def gallery(self, targets: ValueTargets, predictions: Values) -> NDArray[np.int64]:
        """See `TaskEvaluation.gallery`."""
        return select_by_error(targets.values, predictions)

    def explained(self, targets: ValueTargets, predictions: Values, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `TaskEvaluation.explained`."""
        return explain_values(targets.values, predictions, rows)

    def compare(self, paired: Paired) -> RegressionScores:
        """See `TaskEvaluation.compare`."""
        return RegressionScores(paired)

    def verdict(self, run: RunFolder) -> list[Finding]:
        """See `TaskEvaluation.verdict`."""
        return judge_regression(run)
