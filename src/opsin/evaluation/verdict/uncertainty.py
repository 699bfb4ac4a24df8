"""Findings on the reliability of a score: wide interval, few groups, gap between validation and test."""

from __future__ import annotations

import math
from typing import Any

from opsin.evaluation.verdict.finding import Finding, with_interval
from opsin.metrics.names import describe_score
from opsin.statistics.clusters import ENOUGH_GROUPS, groups_behind

FEW = 20  # images, below which even a narrow interval is not reliable
Z95, Z99 = 1.96, 2.58  # two-sided 95 % and 99 % quantiles of the normal distribution


def certainty_findings(score: dict[str, Any], name: str, split: str, wide: float) -> list[Finding]:
    """Return findings where a score is based on too few images or groups.

    Args:
        score: value, low, high, method and n, as in ``scorecard.json``.
        name: Name of the score (`opsin.metrics.names.SCORES`).
        split: Name of the split.
        wide: Half-width of the interval above which the score is called uncertain, as a fraction of the score's
            range from 0 to 1, or of its value if it has no such range.
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
                f"With {present:,} {split} {kind if present != 1 else kind[:-1]} the {described.words} is uncertain by "
                f"about ±{100 * wide * half / allowed:.0f} {unit}: {with_interval(score)}.",
                f"About {needed:,} {kind} would reduce this to ±{100 * wide:.0f} {unit}.",
                "Collect more labelled test images; with the present data, `--test 0.3` holds out more of them.",
            )
        )
    elif groups is None and score["n"] < FEW:
        found.append(
            Finding(
                "few-test-images",
                "note",
                f"The {described.words} is based on only {score['n']:,} {split} image{'s' * (score['n'] != 1)}.",
                "Intervals from so few images are indicative.",
                "Collect more labelled test images; with the present data, `--test 0.3` holds out more of them.",
            )
        )
    if groups is not None and groups < ENOUGH_GROUPS:
        found.append(
            Finding(
                "few-groups",
                "note",
                f"The {split} images come from only {groups} group{'s' * (groups != 1)}, so all intervals are "
                "indicative only.",
                f"Intervals reach their nominal coverage from about {ENOUGH_GROUPS} groups.",
                "Add images of more patients, slides or videos rather than more images of the same ones.",
            )
        )
    return found


def split_gap(scorecard: dict[str, dict[str, dict[str, Any]]], name: str, least: float = 0.03) -> list[Finding]:
    """Return a finding where the scores on test and validation differ significantly.

    Args:
        scorecard: ``scorecard.json``.
        name: Name of the score.
        least: Smallest difference that is reported, in the unit of ``wide`` of `certainty_findings`.
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
            f"than on validation ({with_interval(validation)}), more than sampling explains.",
            "The two splits differ in their images, or the choice of the best epoch overfitted validation.",
            "Compare how the images of both were collected. If images come from patients, slides or videos, list these "
            "in a column and pass it as `--group`, so that the split is by group.",
        )
    ]
