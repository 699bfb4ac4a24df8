"""The evaluation of segmentation; see `opsin.evaluation.task.TaskEvaluation`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.data.targets import DecodedMasks
from opsin.evaluation.comparison.pairing import Paired
from opsin.evaluation.verdict.finding import Finding
from opsin.runs.folder import RunFolder
from opsin.tasks.segmentation.compare import SegmentationScores
from opsin.tasks.segmentation.gallery import select_masks
from opsin.tasks.segmentation.predictions import SegmentationMasks
from opsin.tasks.segmentation.verdict import judge_masks


class SegmentationEvaluation:
    """Gallery, heat maps, comparison and verdict of segmentation."""

    def gallery(self, targets: DecodedMasks, predictions: SegmentationMasks) -> NDArray[np.int64]:
        """See `TaskEvaluation.gallery`."""
        return select_masks(targets.values, predictions)

    def explained(
        self, targets: DecodedMasks, predictions: SegmentationMasks, rows: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Refuse: masks have no heat maps.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("segmentation has no heat maps")

    def compare(self, paired: Paired) -> SegmentationScores:
        """See `TaskEvaluation.compare`."""
        return SegmentationScores(paired)

    def verdict(self, run: RunFolder) -> list[Finding]:
        """See `TaskEvaluation.verdict`."""
        return judge_masks(run)
