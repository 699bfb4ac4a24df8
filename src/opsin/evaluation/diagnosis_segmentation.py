"""The verdict on a segmentation, from its scores and its learning curves."""

from __future__ import annotations

import math
from typing import Any

from opsin.evaluation.diagnosis import HARMLESS, circumstances, in_order
from opsin.evaluation.diagnosis_learning import learning_findings
from opsin.evaluation.finding import Finding, number, with_interval

USELESS = 0.1  # of Dice; below it a mask tells next to nothing
VISIBLE_CHECKERBOARD = 0.01  # part of the variation; gains of neighboring pixels then differ by about 6 %
WEAK = 0.15  # by so much a class's IoU lies below the mean

Scores = dict[str, dict[str, Any]]


def diagnose_masks(history: list[dict[str, Any]], scorecard: dict[str, Scores], info: dict[str, Any]) -> list[Finding]:
    """Read a run as an experienced person would; test is read where it is scored, else validation.

    Args:
        history: Rows of ``history.jsonl``, one per epoch.
        scorecard: ``scorecard.json``: split -> score -> value, low, high, method, n.
        info: ``run.json``; what it lacks is not commented on.

    Returns:
        Findings, the most severe first; ``healthy`` where nothing is wrong.
    """
    split = "test" if "test" in scorecard else "validation"
    scores = scorecard.get(split)
    found = circumstances(info) + learning_findings(history, info, True)
    if scores:
        gap = _gap(scorecard)
        found += [gap] if gap else []
        found += _score_findings(scores, split)
    if scores and all(finding.kind in HARMLESS and finding.severity == "note" for finding in found):
        found.append(_healthy(scores, split))
    return in_order(found)


def _score_findings(scores: Scores, split: str) -> list[Finding]:
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
                "(`opsin lr-find`), and train longer (`--epochs`).",
            )
        ]
    found = _weak_classes(scores)
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
    if dice["high"] - dice["low"] > 0.2:
        found.append(
            Finding(
                "few-test-images",
                "warning",
                f"There are too few {split} images to be sure: Dice {with_interval(dice)}.",
                f"{dice['n']:,} images.",
                "More images with masks in that split narrow the interval.",
            )
        )
    return found


def _weak_classes(scores: Scores) -> list[Finding]:
    """Name up to three classes whose IoU lies below the mean by more than chance, worst first."""
    mean = scores["mean_iou"]["value"]
    each = {name.removeprefix("iou/"): entry for name, entry in scores.items() if name.startswith("iou/")}
    weak = {
        name: entry
        for name, entry in each.items()
        if entry["value"] is not None and mean is not None and entry["value"] < mean - WEAK and entry["high"] < mean
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


def _gap(scorecard: dict[str, Scores]) -> Finding | None:
    """Say where Dice on test and validation differ by more than chance."""
    if not {"validation", "test"} <= scorecard.keys():
        return None
    validation, test = scorecard["validation"]["dice"], scorecard["test"]["dice"]
    if validation["value"] is None or test["value"] is None:
        return None
    difference = validation["value"] - test["value"]
    deviation = math.hypot(validation["high"] - validation["low"], test["high"] - test["low"]) / (2 * 1.96)
    if abs(difference) < max(0.03, 2.58 * deviation):
        return None
    return Finding(
        "validation-test-gap",
        "warning" if difference > 0 else "note",
        f"Dice is {100 * abs(difference):.0f} points {'lower' if difference > 0 else 'higher'} on test "
        f"({with_interval(test)}) than on validation ({with_interval(validation)}), more than chance explains.",
        "Their images are not of the same kind, or the choice of the best epoch suited validation too well.",
        "Compare how the two were collected; where images come from patients, slides or videos, give `--group`.",
    )


def _healthy(scores: Scores, split: str) -> Finding:
    return Finding(
        "healthy",
        "good",
        f"Nothing looks wrong: its {split} Dice is {with_interval(scores['dice'])}.",
        f"Mean IoU {with_interval(scores['mean_iou'])}, boundary F-score {with_interval(scores['boundary_f'])}.",
        "Look through the gallery from its worst end before you rely on it.",
    )
