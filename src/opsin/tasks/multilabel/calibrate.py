"""Temperature scaling and the threshold of each label, both chosen on validation images."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from opsin.tasks.multilabel import thresholds as label_thresholds
from opsin.tasks.multilabel.learner import MultilabelLearner
from opsin.tasks.multilabel.predictions import LabelSets


def choose_label_thresholds(learner: MultilabelLearner, predictions: LabelSets, truth: NDArray[Any]) -> dict[str, Any]:
    """Choose the threshold of each label, set them in the learner, and return ``calibration.json``.

    Args:
        learner: Its thresholds are replaced.
        predictions: Of the validation images.
        truth: bool ``(N, L)``, their labels.
    """
    thresholds, chosen = label_thresholds.choose_label_thresholds(truth, predictions.probabilities)
    few = label_thresholds.FEWEST
    decision = f"Each threshold is the one of the highest F1 on {len(truth):,} validation images."
    if not chosen.all():
        decision += f" Labels that fewer than {few} of them have, or have not, are given from one half on."
    learner.thresholds = thresholds
    return {"thresholds": thresholds.tolist(), "chosen": chosen.tolist(), "decision": decision}
