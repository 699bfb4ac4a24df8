"""The evaluation of multilabel; see `opsin.evaluation.task.TaskEvaluation`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import LabelTargets
from opsin.evaluation.comparison.pairing import Paired
from opsin.evaluation.verdict.finding import Finding
from opsin.runs.folder import RunFolder
from opsin.tasks.multilabel.compare import MultilabelScores
from opsin.tasks.multilabel.explain import explain_labels
from opsin.tasks.multilabel.gallery import select_by_likelihood
from opsin.tasks.multilabel.predictions import LabelSets
from opsin.tasks.multilabel.verdict import judge_labels


class MultilabelEvaluation:
    """Gallery, heat maps, comparison and verdict of multilabel."""

    def gallery(self, targets: LabelTargets, predictions: LabelSets) -> NDArray[np.int64]:
        """See `TaskEvaluation.gallery`."""
        return select_by_likelihood(targets.values, predictions)

    def explained(self, targets: LabelTargets, predictions: LabelSets, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `TaskEvaluation.explained`."""
        return explain_labels(targets.values, predictions, rows)

    def compare(self, paired: Paired) -> MultilabelScores:
        """See `TaskEvaluation.compare`."""
        return MultilabelScores(paired)

    def verdict(self, run: RunFolder) -> list[Finding]:
        """See `TaskEvaluation.verdict`."""
        return judge_labels(run)
