"""How far a score can be relied on, whichever task has it: its interval, its groups, and validation beside test."""

from __future__ import annotations

import math
from typing import Any

from opsin.evaluation.verdict.finding import Finding, with_interval
from opsin.metrics.names import describe_score
from opsin.statistics.clusters import ENOUGH_GROUPS, groups_behind

FEW = 20  # images, below which a narrow interval is no comfort
Z95, Z99 = 1.96, 2.58  # two-sided 95 % and 99 % quantiles of the normal distribution


def certainty_findings(score: dict[str, Any], name: str, split: str, wide: float) -> list[Finding]:
    """Say where a score rests on too few images or groups.

    Args:
        score: value, low, high, method and n, as in ``scorecard.json``.
        name: Which score (`opsin.metrics.names.SCORES`).
        split: Of which split.
        wide: Half the width of the interval from which on the score is called uncertain, as a part of the score's
            range from 0 to 1, or of its value where it has no such range.
    """
    found: list[Finding] = []
    if score["value"] is None:
        return found
    described = describe_score(name)
    groups = groups_behind(score["method"])
    half, allowed = (score["high"] - score["low"]) / 2, wide if described.part else wide * score["value"]
    if half > allowed > 0:
        kind, present = ("images", score["n"]) if groups is None else ("groups", groups)
        unit = "points" if described.part else "%"
        needed = math.ceil(present * (half / allowed) ** 2)
        found.append(
            Finding(
                "few-test-images",
                "warning",
                f"{present:,} {split} {kind if present != 1 else kind[:-1]} leave the {described.words} uncertain by "
                f"about {100 * wide * half / allowed:.0f} {unit} either way: {with_interval(score)}.",
                f"About {needed:,} {kind} would bring that down to {100 * wide:.0f} {unit}.",
                "Collect more labelled images for the test; with what there is, `--test 0.3` locks more of it away.",
            )
        )
    elif groups is None and score["n"] < FEW:
        found.append(
            Finding(
                "few-test-images",
                "note",
                f"The {described.words} rests on {score['n']:,} {split} image{'s' * (score['n'] != 1)} only.",
                "Intervals from so few images are indicative.",
                "Collect more labelled images for the test; with what there is, `--test 0.3` locks more of it away.",
            )
        )
    if groups is not None and groups < ENOUGH_GROUPS:
        found.append(
            Finding(
                "few-groups",
                "note",
                f"The {split} images come from only {groups} group{'s' * (groups != 1)}, so that all intervals are "
                "indicative.",
                f"Intervals hold their level from about {ENOUGH_GROUPS} groups on.",
                "Add images of further patients, slides or videos rather than more images of the same ones.",
            )
        )
    return found


def split_gap(scorecard: dict[str, dict[str, dict[str, Any]]], name: str, least: float = 0.03) -> list[Finding]:
    """Say where a score on test and validation differs by more than chance.

    Args:
        scorecard: ``scorecard.json``.
        name: Which score.
        least: The smallest difference that is told, as ``wide`` of `certainty_findings`.
    """
    if not {"validation", "test"} <= scorecard.keys():
        return []
    validation, test = scorecard["validation"][name], scorecard["test"][name]
    if validation["value"] is None or test["value"] is None:
        return []
    described = describe_score(name)
    difference = test["value"] - validation["value"]
    deviation = math.hypot(validation["high"] - validation["low"], test["high"] - test["low"]) / (2 * Z95)
    if abs(difference) < max(least if described.part else least * validation["value"], Z99 * deviation):
        return []
    worse = (difference > 0) == described.lower_is_better
    points = f"{100 * abs(difference):.0f} points " if described.part else ""
    return [
        Finding(
            "validation-test-gap",
            "warning" if worse else "note",
            f"{described.title} is {points}{'higher' if difference > 0 else 'lower'} on test ({with_interval(test)}) "
            f"than on validation ({with_interval(validation)}), more than chance explains.",
            "Their images are not of the same kind, or the choice of the best epoch suited validation too well.",
            "Compare how the two were collected; where images come from patients, slides or videos, name them in a "
            "column and give it as `--group`, so that the split is by group.",
        )
    ]
