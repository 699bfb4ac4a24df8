"""The verdict on a segmentation, from its scores and its learning curves."""

from __future__ import annotations

from typing import Any

from opsin.evaluation.verdict.finding import Finding, number, with_interval
from opsin.evaluation.verdict.learning_curves import learning_findings
from opsin.evaluation.verdict.order import HARMLESS, circumstances, in_order
from opsin.evaluation.verdict.robustness import robustness_findings
from opsin.evaluation.verdict.uncertainty import certainty_findings, split_gap
from opsin.runs.folder import RunFolder

WIDE = 0.1  # half the width of the interval of Dice, from which on it is uncertain
USELESS = 0.1  # of Dice; below it a mask tells next to nothing
LOST = 0.1  # of IoU; a class whose interval ends below it is as good as not found
VISIBLE_CHECKERBOARD = 0.01  # part of the variation; gains of neighboring pixels then differ by about 6 %
WEAK = 0.15  # by so much a class's IoU lies below the mean

Scores = dict[str, dict[str, Any]]


def diagnose_masks(
    history: list[dict[str, Any]],
    scorecard: dict[str, Scores],
    info: dict[str, Any],
    robustness: dict[str, Any] | None = None,
) -> list[Finding]:
    """Read a run as an experienced person would; test is read where it is scored, else validation.

    Args:
        history: Rows of ``history.jsonl``, one per epoch.
        scorecard: ``scorecard.json``: split -> score -> value, low, high, method, n.
        info: ``run.json``; what it lacks is not commented on.
        robustness: ``robustness.json``, where the network was inspected.

    Returns:
        Findings, the most severe first; ``healthy`` where nothing is wrong.
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
                f"The network has not learned to find anything: its {split} Dice is "
                f"{'unknown' if dice['value'] is None else with_interval(dice)}.",
                f"On {dice['n']:,} images.",
                "Check in the gallery that images and masks belong together, look for a better learning rate "
                "(`opsin find-learning-rate`), and train longer (`--epochs`).",
            )
        ]
    found = _weak_classes(scores) + robustness_findings(robustness)
    checkerboard = scores["checkerboard"]
    if checkerboard["value"] is not None and checkerboard["low"] > VISIBLE_CHECKERBOARD:
        found.append(
            Finding(
                "checkerboard",
                "warning",
                f"The masks' probabilities show a checkerboard: {with_interval(checkerboard)} of their variation "
                "repeats every two pixels.",
                "Transposed convolutions whose kernels overlap unevenly leave it behind.",
                'Enlarge by interpolation instead: `--set network.options={upsampling="bilinear"}`.',
            )
        )
    return found


def _weak_classes(scores: Scores) -> list[Finding]:
    """Name up to three classes whose IoU lies below the mean by more than chance, or is near 0, worst first."""
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
            f"The class `{name}` is found poorly: IoU {with_interval(weak[name])}, where the mean of all classes is "
            f"{number(mean)}.",
            f"It is in truth or prediction of {weak[name]['n']:,} images.",
            "More images that show it help most; short of that, let it count more (`--balance weights`, or "
            "`--balance sampling`), or try `--loss focal+dice`.",
        )
        for name in sorted(weak, key=lambda name: weak[name]["value"])[:3]
    ]


def _healthy(scores: Scores, split: str) -> Finding:
    return Finding(
        "healthy",
        "good",
        f"Nothing looks wrong: its {split} Dice is {with_interval(scores['dice'])}.",
        f"Mean IoU {with_interval(scores['mean_iou'])}, boundary F-score {with_interval(scores['boundary_f'])}.",
        "Look through the gallery from its worst end before you rely on it.",
    )


def judge_masks(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a segmentation whose test or validation split is scored."""
    return diagnose_masks(folder.history, folder.scorecard, folder.info, folder.robustness)
