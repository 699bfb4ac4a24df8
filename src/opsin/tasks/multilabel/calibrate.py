"""Temperature scaling and the threshold of each label, both chosen on validation images."""

from __future__ import annotations

from numpy.typing import NDArray

from opsin.runs.folder import RunFolder
from opsin.tasks.multilabel import thresholds as label_thresholds
from opsin.tasks.multilabel.learner import MultilabelLearner
from opsin.tasks.multilabel.predictions import LabelSets


def choose_label_thresholds(
    folder: RunFolder, task: MultilabelLearner, predictions: LabelSets, truth: NDArray, groups: NDArray | None
) -> None:
    """Choose from which probability on each label is given, write ``calibration.json``, and let the task use it.

    Args:
        folder: The run.
        task: Its thresholds are replaced.
        predictions: Of the validation images.
        truth: bool ``(N, L)``, their labels.
        groups: ``(N,)``, or None; they make no difference.
    """
    thresholds, chosen = label_thresholds.choose_label_thresholds(truth, predictions.probabilities)
    few = label_thresholds.FEWEST
    decision = f"Each threshold is the one of the highest F1 on {len(truth):,} validation images."
    if not chosen.all():
        decision += f" Labels that fewer than {few} of them have, or have not, are given from one half on."
    found = {"thresholds": thresholds.tolist(), "chosen": chosen.tolist(), "decision": decision}
    folder.write("calibration.json", found)
    task.thresholds = thresholds
