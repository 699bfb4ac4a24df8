"""Verdict on a classification run: findings from its curves, scores and circumstances, with their numbers."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from opsin.data.images import TEST, VALIDATION
from opsin.evaluation.verdict.attribution import looking_findings
from opsin.evaluation.verdict.finding import Finding, counts_of, number, with_interval
from opsin.evaluation.verdict.learning_curves import last_scores, learning_findings
from opsin.evaluation.verdict.order import HARMLESS, circumstances, headline, in_order
from opsin.evaluation.verdict.robustness import robustness_findings
from opsin.evaluation.verdict.uncertainty import certainty_findings, split_gap
from opsin.metrics.classification import confusion_matrix, overconfidence
from opsin.runs.folder import RunFolder
from opsin.tasks.classification.leakage import leak_finding, measure_leak
from opsin.tasks.classification.verdict_scores import has_learned, nothing_learned, score_findings

__all__ = ["Finding", "diagnose", "headline"]

WIDE = 0.05  # half-width of the interval of accuracy above which it is uncertain


def diagnose(
    history: list[dict[str, Any]],
    scorecard: dict[str, dict[str, dict[str, Any]]],
    info: dict[str, Any],
    confusion: NDArray[Any] | None = None,
    overconfidence: float | None = None,
    robustness: dict[str, Any] | None = None,
    attributions: dict[str, Any] | None = None,
    leak: dict[str, Any] | None = None,
) -> list[Finding]:
    """Return the findings on a run.

    Scores are read from the test split where it is scored, else from validation.

    Args:
        history: Rows of ``history.jsonl``, one per epoch.
        scorecard: ``scorecard.json``: split -> score -> value, low, high, method, n.
        info: ``run.json``; missing entries are skipped.
        confusion: int64 ``(C, C)`` of the split that is read, to name the most frequent confusion of a class.
        overconfidence: Mean confidence minus accuracy on that split, to tell over- from underconfidence.
        robustness: ``robustness.json``, where the network was inspected.
        attributions: ``attributions.json``, where the network was inspected.
        leak: ``leak.json``, where test shares groups with training.

    Returns:
        Findings, most severe first; at least one where there are scores: ``healthy`` if there is no problem.
    """
    split = "test" if "test" in scorecard else "validation"
    scores = scorecard.get(split)
    found = circumstances(info)
    learned = True
    if scores:
        learned = has_learned(scores, counts_of(info, split))
        found += certainty_findings(scores["accuracy"], "accuracy", split, WIDE)
        if learned:
            found += score_findings(scores, info, confusion, overconfidence)
            found += robustness_findings(robustness or {})
            found += looking_findings(attributions or {})
        else:
            found.append(nothing_learned(scores, counts_of(info, split), split))
    found += [leak_finding(leak)] if leak else []
    found += split_gap(scorecard, "accuracy") + learning_findings(history, info, learned)
    if scores and all(finding.kind in HARMLESS and finding.severity == "note" for finding in found):
        found.append(_healthy(history, scores, split))
    return in_order(found)


def _healthy(history: list[dict[str, Any]], scores: dict[str, dict[str, Any]], split: str) -> Finding:
    train, validation = (last_scores(history, part, "accuracy") for part in ("train", "validation"))
    agreement = ""
    if not math.isnan(train + validation):
        agreement = f"Accuracy at the end: {number(train)} in training, {number(validation)} in validation."
    return Finding(
        "healthy",
        "good",
        f"No problems found: the {split} accuracy is {with_interval(scores['accuracy'])}, and the model generalizes to "
        "new images of the same kind.",
        agreement,
        "Look through the gallery and the confused classes before you rely on it.",
    )


def judge_classifier(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a run with a scored test or validation split, including the effect of a data leak."""
    scorecard = folder.scorecard
    split = TEST if TEST in scorecard else VALIDATION
    predicted = folder.predicted(split)
    labels, predictions = predicted.targets.values, predicted.predictions
    confusion = confusion_matrix(labels, predictions.labels, len(folder.classes))
    over = overconfidence(labels, predictions.probabilities)
    inspected = (folder.robustness, folder.attributions)
    leak = measure_leak(folder) if split == TEST else None
    return diagnose(folder.history, scorecard, folder.info, confusion, over, *inspected, leak)
