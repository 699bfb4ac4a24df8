"""Findings from the learning curves: overfitting, underfitting, stopped too early, slow start."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.evaluation.verdict.finding import Finding, chance_level, counts_of, number

# Smallest rise of the validation loss that counts: as a fraction of its minimum, and in nats.
LOSS_RISE, LOSS_RISE_NATS = 0.15, 0.02
STEEP = 0.5  # fraction of the minimum; a rise this large also counts if the training loss stays level
ACCURACY_GAP = 0.05
# Halfway from chance to perfect; a network below it on training images underfits.
POOR_SKILL = 0.5


def learning_findings(history: list[dict[str, Any]], info: dict[str, Any], learned: bool) -> list[Finding]:
    """Return the findings from the curves of a run.

    Args:
        history: Rows of ``history.jsonl``.
        info: ``run.json``.
        learned: Whether the network is better than chance; if not, an underfitting finding would add nothing.
    """
    if not history:
        return []
    found = [_overfitting(history, info), _still_improving(history), _slow_start(history, info)]
    if learned:
        found.append(_underfitting(history, info))
    return [finding for finding in found if finding]


def last_scores(history: list[dict[str, Any]], part: str, score: str) -> float:
    """Return the mean of a score over the last three epochs (fewer in a short run); nan if it was not measured."""
    return float(_curve(history, part, score)[-min(3, len(history)) :].mean()) if history else math.nan


def _curve(history: list[dict[str, Any]], part: str, score: str) -> NDArray[np.float64]:
    values = [row.get(part, {}).get(score) for row in history]
    return np.array([math.nan if value is None else value for value in values], np.float64)


def _overfitting(history: list[dict[str, Any]], info: dict[str, Any]) -> Finding | None:
    rise = rising_loss(history)
    train, validation = (last_scores(history, part, "accuracy") for part in ("train", "validation"))
    images = sum(counts_of(info, "validation"))
    noise = 2 * math.sqrt(validation * (1 - validation) / images) if images else 0.0
    gap = train - validation
    wide = gap > max(ACCURACY_GAP, noise)
    if rise is None and not wide:
        return None
    comparison = f"accuracy {number(train)} in training against {number(validation)} in validation"
    kept = info.get("best", {}).get("epoch")
    evidence = [f"At the end: {comparison}."] if rise and not math.isnan(gap) else []
    evidence += ["Training accuracy is measured on augmented images, which lowers it."] if wide else []
    evidence += [f"The weights of epoch {kept} were kept."] if kept and rise else []
    sentence, factor = rise or (f"The network is better on its training images than on new ones: {comparison}.", 1)
    return Finding(
        "overfitting",
        "warning" if factor >= 1.5 or gap > 2 * ACCURACY_GAP else "note",
        sentence,
        " ".join(evidence),
        "More training images help most. Otherwise augment more (`--augment 1.5`), stop early (`--early-stopping 5`) "
        "or regularize (`--dropout 0.2`, `--label-smoothing 0.1`).",
    )


def rising_loss(history: list[dict[str, Any]]) -> tuple[str, float] | None:
    """Return a sentence if validation loss rises while training loss does not, and the ratio of end to minimum."""
    validation, train = (_curve(history, part, "loss") for part in ("validation", "train"))
    if not history or np.isnan(validation).any() or np.isnan(train).any():
        return None
    lowest = int(validation.argmin())
    after = len(validation) - 1 - lowest
    if after < 2:
        return None
    last = min(3, after)
    least, end = float(validation[lowest]), float(validation[-last:].mean())
    # Independent noise of deviation s makes the median step 0.95 s; the lowest of many epochs lies 2 or 3 s too low.
    noise = float(np.median(np.abs(np.diff(validation[lowest:])))) / 0.95
    trained = float(train[-last:].mean()) / max(float(train[lowest]), 1e-9)
    fell, stayed = trained < 0.95, trained < 1.05
    rise = LOSS_RISE if fell else STEEP
    if not stayed or end - least < max(rise * least, LOSS_RISE_NATS, 3 * noise):
        return None
    meanwhile = f"kept falling, from {number(train[lowest])} to {number(train[-1])}"
    if not fell:
        meanwhile = f"stayed at {number(float(train[-last:].mean()))}"
    sentence = (
        f"Validation loss has risen from {number(least)} (epoch {history[lowest]['epoch']}) to {number(end)} (epoch "
        f"{history[-1]['epoch']}) while training loss {meanwhile}."
    )
    return sentence, end / max(least, 1e-9)


def _underfitting(history: list[dict[str, Any]], info: dict[str, Any]) -> Finding | None:
    train, validation = (last_scores(history, part, "accuracy") for part in ("train", "validation"))
    chance = chance_level(counts_of(info, "train"), len(info.get("data", {}).get("classes", [])))
    poor = chance + POOR_SKILL * (1 - chance)
    if math.isnan(train) or train >= poor or validation >= poor:
        return None
    weights = info.get("network", {}).get("weights", "random")
    pretrained = ", start from pretrained weights (`--pretrained`)" if weights == "random" else ""
    return Finding(
        "underfitting",
        "warning",
        f"Accuracy is low even on the training images: {number(train)} in training and {number(validation)} in "
        f"validation; always predicting the most common class gives {number(chance)}.",
        f"{len(history)} epochs.",
        f"Train longer (`--epochs {2 * len(history)}`), find a better learning rate "
        "(`opsin find-learning-rate`), augment less "
        f"(`--augment 0.5`){pretrained}, or choose a larger network (`--network`).",
    )


def _still_improving(history: list[dict[str, Any]]) -> Finding | None:
    """Return a finding from the trend of the validation curve over its last quarter, at least three epochs."""
    epochs = min(len(history), max(3, math.ceil(len(history) / 4)))
    loss, accuracy = (_curve(history, "validation", score) for score in ("loss", "accuracy"))
    if epochs < 2 or np.isnan(loss).any() or np.isnan(accuracy).any():
        return None
    fall, gain = _trend(-loss, epochs), _trend(accuracy, epochs)
    loss, accuracy = loss[-epochs:], accuracy[-epochs:]
    if fall < 0.1 * loss[0] or gain < 0.01 or loss.argmin() < epochs - 2:
        return None
    first = history[-epochs]["epoch"]
    return Finding(
        "still-improving",
        "note",
        f"Validation was still improving when training ended: from epoch {first} to {history[-1]['epoch']} its loss "
        f"fell from {number(loss[0])} to {number(loss[-1])} and its accuracy rose from {number(accuracy[0])} to "
        f"{number(accuracy[-1])}.",
        f"The trend over these {epochs} epochs exceeds the scatter between epochs.",
        f"Train longer: `--epochs {2 * len(history)}`.",
    )


def _trend(curve: NDArray[np.float64], epochs: int) -> float:
    """Return the rise of a straight line fitted to the last epochs; 0 if it is within three standard errors."""
    steps = np.arange(epochs)
    rise = float(np.polyfit(steps, curve[-epochs:], 1)[0]) * (epochs - 1)
    # Independent noise of deviation s makes the median second difference 1.65 s; a smooth trend hardly adds to it.
    bends = np.abs(np.diff(curve[-max(5, len(curve) // 2) :], 2))
    noise = float(np.median(bends)) / 1.65 if len(bends) >= 3 else 0.0
    return rise if rise > 3 * noise * (epochs - 1) / math.sqrt(epochs * (epochs**2 - 1) / 12) else 0.0


def _slow_start(history: list[dict[str, Any]], info: dict[str, Any]) -> Finding | None:
    accuracy = _curve(history, "validation", "accuracy")
    counts = counts_of(info, "validation")
    chance = chance_level(counts, len(info.get("data", {}).get("classes", [])))
    noise = 2 * math.sqrt(chance * (1 - chance) / sum(counts)) if sum(counts) else 0.0
    guessing = accuracy <= chance + max(noise, min(0.02, chance / 2))
    waited = len(guessing) if guessing.all() else int(guessing.argmin())
    if waited < 2 or waited == len(history) or accuracy[-1] < chance + 0.3 * (1 - chance):
        return None
    return Finding(
        "slow-start",
        "note",
        f"Validation accuracy stayed at chance ({number(chance)}) for the first {waited} epochs; it first rose in "
        f"epoch {history[waited]['epoch']} and ended at {number(accuracy[-1])}.",
        "Validation accuracy began with " + ", ".join(number(value) for value in accuracy[: min(waited + 1, 6)]) + ".",
        "Find a better learning rate (`opsin find-learning-rate`). In your own network, ReLU instead of sigmoid and "
        "batch "
        "normalization shorten such a start.",
    )
