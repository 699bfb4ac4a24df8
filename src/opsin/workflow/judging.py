"""The verdict on a run, from everything that its folder holds, one function for each task."""

from __future__ import annotations

from opsin.data.dataset import TEST, VALIDATION
from opsin.metrics.classification import confusion_matrix, overconfidence
from opsin.runs.folder import RunFolder
from opsin.tasks.classification.leaking import measure_leak
from opsin.tasks.classification.verdict import Finding, diagnose
from opsin.tasks.multilabel.verdict import diagnose_labels
from opsin.tasks.regression.verdict import diagnose_regression
from opsin.tasks.segmentation.verdict import diagnose_masks


def judge_classifier(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a run whose test or validation split is scored, and what its score owes to a leak."""
    scorecard = folder.scorecard
    split = TEST if TEST in scorecard else VALIDATION
    _, labels, predictions = folder.predictions(split)
    confusion = confusion_matrix(labels, predictions.labels, len(folder.classes))
    over = overconfidence(labels, predictions.probabilities)
    examined = (folder.robustness, folder.attributions)
    leak = measure_leak(folder) if split == TEST else None
    return diagnose(folder.history, scorecard, folder.info, confusion, over, *examined, leak)


def judge_regression(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a run that predicts a number, whose test or validation split is scored."""
    scorecard = folder.scorecard
    _, values, predictions = folder.predictions(TEST if TEST in scorecard else VALIDATION)
    examined = (folder.robustness, folder.attributions)
    return diagnose_regression(folder.history, scorecard, folder.info, folder.known, values, predictions, *examined)


def judge_masks(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a segmentation whose test or validation split is scored."""
    return diagnose_masks(folder.history, folder.scorecard, folder.info, folder.robustness)


def judge_labels(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a run that gives several labels, whose test or validation split is scored."""
    examined = (folder.robustness, folder.attributions)
    return diagnose_labels(folder.history, folder.scorecard, folder.info, folder.classes, *examined)
