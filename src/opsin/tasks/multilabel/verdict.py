"""Verdict on a multilabel run: weak labels, and findings from its scores and curves."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from opsin.evaluation.verdict.attribution import looking_findings
from opsin.evaluation.verdict.finding import Finding, counts_of, images_of, number, with_interval
from opsin.evaluation.verdict.learning_curves import last_scores, rising_loss
from opsin.evaluation.verdict.order import circumstances, in_order
from opsin.evaluation.verdict.robustness import robustness_findings
from opsin.evaluation.verdict.uncertainty import certainty_findings, split_gap
from opsin.runs.folder import RunFolder

WIDE = 0.05  # half-width of the interval of mAP above which it is uncertain
WEAK = 0.05  # a label is weak if its ROC AUC is this far below the mean; three times as much is a warning
SHOWN = 3
GOOD = 0.75  # mean ROC AUC above which a network has learned, however wide the interval
FEW = 10  # test images with a label below which its scores are not informative
POOR = 0.75  # of the loss of always predicting label frequencies; above it in training, the network underfits

Scores = dict[str, dict[str, Any]]


def diagnose_labels(
    history: list[dict[str, Any]],
    scorecard: dict[str, Scores],
    info: dict[str, Any],
    classes: tuple[str, ...],
    robustness: dict[str, Any] | None = None,
    attributions: dict[str, Any] | None = None,
) -> list[Finding]:
    """Return the findings on a run.

    Args:
        history: Rows of ``history.jsonl``.
        scorecard: ``scorecard.json``; test is read where it is scored, else validation.
        info: ``run.json``.
        classes: Names of the labels.
        robustness: ``robustness.json``, where the network was inspected.
        attributions: ``attributions.json``, where the network was inspected.

    Returns:
        Findings, most severe first; ``healthy`` if there is no problem.
    """
    split = "test" if "test" in scorecard else "validation"
    scores = scorecard[split]
    found: list[Finding | None] = [*circumstances(info), *certainty_findings(scores["map"], "map", split, WIDE)]
    found.append(_few_positives(info, classes, split))
    area = scores["mean_auc"]
    # A good score on very few images is accepted.
    learned = area["value"] is None or area["low"] > 0.5 or area["value"] > GOOD
    if learned:
        found += [*_weak_labels(scores, info, classes), _underfitting(history, info)]
        found += robustness_findings(robustness or {}) + looking_findings(attributions or {})
    else:
        found.append(_nothing_learned(scores, split))
    found += [_overfitting(history, info), *split_gap(scorecard, "map")]
    kept = [finding for finding in found if finding is not None]
    harmless = ("few-groups", "starved", "weak-label", "few-positives")
    if all(finding.severity == "note" and finding.kind in harmless for finding in kept):
        kept.append(
            Finding(
                "healthy",
                "good",
                f"No problems found: the mAP on {split} is {with_interval(scores['map'])}, and "
                f"{100 * scores['exact_match']['value']:.0f} % of the images get exactly their labels (exact match).",
                "",
                "Look through the gallery and the co-occurring labels before you rely on it.",
            )
        )
    return in_order(kept)


def _few_positives(info: dict[str, Any], classes: tuple[str, ...], split: str) -> Finding | None:
    counts = counts_of(info, split)
    rare = [name for name, count in zip(classes, counts, strict=False) if count < FEW]
    if not rare:
        return None
    named = ", ".join(f"`{name}`" for name in rare[:SHOWN]) + (f" and {len(rare) - SHOWN} more" * (len(rare) > SHOWN))
    return Finding(
        "few-positives",
        "note",
        f"Fewer than {FEW} {split} images have the label{'s' * (len(rare) > 1)} {named}, so its scores are unreliable.",
        "",
        "Collect more images with these labels, or drop them.",
    )


def _nothing_learned(scores: Scores, split: str) -> Finding:
    return Finding(
        "did-not-learn",
        "serious",
        f"The network has not learned the labels: its mean ROC AUC on {split} {with_interval(scores['mean_auc'])} is "
        "not significantly above chance (0.5).",
        f"mAP {with_interval(scores['map'])}, on {scores['map']['n']:,} images.",
        "Check that images and labels match, find a better learning rate "
        "(`opsin find-learning-rate`), and train longer "
        "(`--epochs`).",
    )


def _weak_labels(scores: Scores, info: dict[str, Any], classes: tuple[str, ...]) -> list[Finding]:
    """Return findings on up to three labels with ROC AUC significantly below the mean (Bonferroni), worst first."""
    widening = NormalDist().inv_cdf(1 - 0.025 / max(len(classes), 1)) / NormalDist().inv_cdf(0.975)
    overall, weak = scores["mean_auc"]["value"], []
    for name in classes:
        area = scores[f"auc/{name}"]
        if area["value"] is None or overall - area["value"] < WEAK:
            continue
        if area["value"] + widening * (area["high"] - area["value"]) < overall:
            weak.append((area["value"], name))
    return [_weak_label(name, scores, info, classes) for _, name in sorted(weak)[:SHOWN]]


def _weak_label(name: str, scores: Scores, info: dict[str, Any], classes: tuple[str, ...]) -> Finding:
    area, overall = scores[f"auc/{name}"], scores["mean_auc"]["value"]
    unknown = area["low"] <= 0.5
    fails = "is predicted no better than chance" if unknown else "is predicted worse than the others"
    counts = counts_of(info, "train")
    images = counts[classes.index(name)] if len(counts) == len(classes) else None
    rare = images is not None and 2 * images <= float(np.mean(counts))
    evidence = [f"Average precision {number(scores[f'average_precision/{name}']['value'])}"]
    if scores[f"f1/{name}"]["value"] is not None:
        evidence.append(f"F1 {number(scores[f'f1/{name}']['value'])}")
    trained = "" if images is None else f"; {images:,} of {images_of(info, 'train'):,} training images have the label"
    advice = f"Check the images with `{name}` in the gallery for wrong labels and for missing variants."
    if rare:
        advice = f"Collect more images with `{name}`, or weight rare labels more: `--balance weights`."
    return Finding(
        "weak-label",
        "warning" if unknown or overall - area["value"] > 3 * WEAK else "note",
        f"The label `{name}` {fails}: ROC AUC {with_interval(area)} against a mean of {number(overall)}.",
        f"{', '.join(evidence)}{trained}.",
        advice,
    )


def _overfitting(history: list[dict[str, Any]], info: dict[str, Any]) -> Finding | None:
    rise = rising_loss(history)
    if rise is None:
        return None
    train, validation = (last_scores(history, part, "label_accuracy") for part in ("train", "validation"))
    kept = info.get("best", {}).get("epoch")
    evidence = (
        []
        if math.isnan(train + validation)
        else [
            f"At the end {100 * train:.0f} % of the label decisions are correct in training and "
            f"{100 * validation:.0f} % in validation."
        ]
    )
    evidence += [f"The weights of epoch {kept} were kept."] if kept else []
    return Finding(
        "overfitting",
        "warning" if rise[1] >= 1.5 else "note",
        rise[0],
        " ".join(evidence),
        "More training images help most. Otherwise augment more (`--augment 1.5`), stop early (`--early-stopping 5`) "
        "or regularize (`--dropout 0.2`, `--label-smoothing 0.1`).",
    )


def _underfitting(history: list[dict[str, Any]], info: dict[str, Any]) -> Finding | None:
    counts, images = np.array(counts_of(info, "train"), float), images_of(info, "train")
    if not len(counts) or not images:
        return None
    part = np.clip(counts / images, 1e-9, 1 - 1e-9)
    naming = float(-(part * np.log(part) + (1 - part) * np.log(1 - part)).mean())
    train, validation = (last_scores(history, split, "loss") for split in ("train", "validation"))
    if math.isnan(train) or min(train, validation) < POOR * naming:
        return None
    return Finding(
        "underfitting",
        "warning",
        f"The loss is high even on the training images: {number(train)} in training and {number(validation)} in "
        f"validation; always predicting the label frequencies gives {number(naming)}.",
        f"{len(history)} epochs.",
        f"Train longer (`--epochs {2 * len(history)}`), find a better learning rate "
        "(`opsin find-learning-rate`), augment less "
        "(`--augment 0.5`), or choose a larger network (`--network`).",
    )


def judge_labels(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a multilabel run whose test or validation split is scored."""
    inspected = (folder.robustness, folder.attributions)
    return diagnose_labels(folder.history, folder.scorecard, folder.info, folder.classes, *inspected)
