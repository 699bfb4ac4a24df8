"""The evaluation of classification; see `opsin.evaluation.task.TaskEvaluation`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import ClassTargets
from opsin.evaluation.comparison.pairing import Paired
from opsin.evaluation.verdict.finding import Finding
from opsin.runs.folder import RunFolder
from opsin.tasks.classification.compare import ClassificationScores
from opsin.tasks.classification.explain import explain_classes
from opsin.tasks.classification.gallery import select
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.verdict import judge_classifier


class ClassificationEvaluation:
    """Gallery, heat maps, comparison and verdict of classification."""

    def gallery(self, targets: ClassTargets, predictions: Classifications) -> NDArray[np.int64]:
        """See `TaskEvaluation.gallery`."""
        return select(targets.values, predictions)

    def explained(
        self, targets: ClassTargets, predictions: Classifications, rows: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """See `TaskEvaluation.explained`."""
        return explain_classes(targets.values, predictions, rows)

    def compare(self, paired: Paired) -> ClassificationScores:
        """See `TaskEvaluation.compare`."""
        return ClassificationScores(paired)

    def verdict(self, run: RunFolder) -> list[Finding]:
        """See `TaskEvaluation.verdict`."""
        return judge_classifier(run)
