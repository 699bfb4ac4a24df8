"""Verdict on a segmentation run, from its scores and learning curves."""

from __future__ import annotations

from typing import Any

from opsin.evaluation.verdict.finding import Finding, number, with_interval
from opsin.evaluation.verdict.learning_curves import learning_findings
from opsin.evaluation.verdict.order import HARMLESS, circumstances, in_order
from opsin.evaluation.verdict.robustness import robustness_findings
from opsin.evaluation.verdict.uncertainty import certainty_findings, split_gap
from opsin.runs.folder import RunFolder

WIDE = 0.1  # half-width of the interval of Dice above which it is uncertain
USELESS = 0.1  # Dice below which a mask is useless
LOST = 0.1  # IoU; a class whose interval ends below it is practically not found
VISIBLE_CHECKERBOARD = 0.01  # fraction of the variance; gains of neighboring pixels then differ by about 6 %
WEAK = 0.15  # distance of a class's IoU below the mean

Scores = dict[str, dict[str, Any]]


def diagnose_masks(
    history: list[dict[str, Any]],
    scorecard: dict[str, Scores],
    info: dict[str, Any],
    robustness: dict[str, Any] | None = None,
) -> list[Finding]:
    """Return the findings on a run; test is read where it is scored, else validation.

    Args:
        history: Rows of ``history.jsonl``, one per epoch.
        scorecard: ``scorecard.json``: split -> score -> value, low, high, method, n.
        info: ``run.json``; missing entries are skipped.
        robustness: ``robustness.json``, where the network was inspected.

    Returns:
        Findings, most severe first; ``healthy`` if there is no problem.
    """
    split = "test" if "test" in scorecard else "validation"
    scores = scorecard.get(split)
    found = circumstances(info) + learning_findings(history, info, True)
    if scores:
        found += certainty_findings(scores["dice"], "dice", split, WIDE) + split_gap(scorecard, "dice")
        found += _score_findings(scores, split, robustness or {})
    if scores and all(finding.kind in HARMLESS and finding.severity == "note" for finding in found):
        found.append(_healthy(scores, split))
    return in_order(found)


def _score_findings(scores: Scores, split: str, robustness: dict[str, Any]) -> list[Finding]:
    dice = scores["dice"]
    if dice["value"] is None or dice["value"] < USELESS:
        return [
            Finding(
                "did-not-learn",
                "serious",
                f"The network finds next to nothing: its {split} Dice is "
                f"{'unknown' if dice['value'] is None else with_interval(dice)}.",
                f"On {dice['n']:,} images.",
                "Check in the report that images and masks match, find a better learning rate "
                "(`opsin find-learning-rate`), and "
                "train longer (`--epochs`).",
            )
        ]
    found = _weak_classes(scores) + robustness_findings(robustness)
    checkerboard = scores["checkerboard"]
    if checkerboard["value"] is not None and checkerboard["low"] > VISIBLE_CHECKERBOARD:
        found.append(
            Finding(
                "checkerboard",
                "warning",
                f"The predicted probabilities have checkerboard artifacts: {with_interval(checkerboard)} of their "
                "variance repeats every two pixels.",
                "Transposed convolutions with unevenly overlapping kernels cause them.",
                'Upsample by interpolation instead: `--set network.options={upsampling="bilinear"}`.',
            )
        )
    return found


def _weak_classes(scores: Scores) -> list[Finding]:
    """Return findings on up to three classes whose IoU is significantly below the mean or near 0, worst first."""
    mean = scores["mean_iou"]["value"]
    each = {name.removeprefix("iou/"): entry for name, entry in scores.items() if name.startswith("iou/")}
    weak = {
        name: entry
        for name, entry in each.items()
        if entry["value"] is not None
        and mean is not None
        and ((entry["value"] < mean - WEAK and entry["high"] < mean) or entry["high"] < LOST)
    }
    return [
        Finding(
            "weak-class",
            "warning",
            f"The class `{name}` is segmented poorly: IoU {with_interval(weak[name])}, against a mean of "
            f"{number(mean)} over all classes.",
            f"It occurs in the true or predicted mask of {weak[name]['n']:,} images.",
            "More images with this class help most. Otherwise weight it more (`--balance weights` or `--balance "
            "sampling`), or try `--loss focal+dice`.",
        )
        for name in sorted(weak, key=lambda name: weak[name]["value"])[:3]
    ]


def _healthy(scores: Scores, split: str) -> Finding:
    return Finding(
        "healthy",
        "good",
        f"No problems found: the {split} Dice is {with_interval(scores['dice'])}.",
        f"Mean IoU {with_interval(scores['mean_iou'])}, boundary F-score {with_interval(scores['boundary_f'])}.",
        "Look through the predicted masks, worst first, before you rely on it.",
    )


def judge_masks(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a segmentation run whose test or validation split is scored."""
    return diagnose_masks(folder.history, folder.scorecard, folder.info, folder.robustness)
