"""The verdict on a run that predicts a number: what its errors and curves mean, in plain sentences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.images import TEST, VALIDATION
from opsin.evaluation.verdict.attribution import looking_findings
from opsin.evaluation.verdict.finding import Finding, number, with_interval
from opsin.evaluation.verdict.learning_curves import last_scores, rising_loss
from opsin.evaluation.verdict.order import circumstances, in_order
from opsin.evaluation.verdict.robustness import robustness_findings
from opsin.evaluation.verdict.uncertainty import certainty_findings, split_gap
from opsin.runs.folder import RunFolder
from opsin.tasks.regression.predictions import Values

# Half the width of the interval of the mean absolute error, as a part of it, from which on it is uncertain.
WIDE = 0.25
# Training errors so much below those in validation, as a part of the latter, are learned by heart.
GAP, WIDE_GAP = 0.3, 0.6
# Less than this part of the error of always naming the mean is taken away, even in training: underfitting.
POOR = 0.25
# Mean errors so large, as a part of the mean absolute error, and so many standard errors from 0, are told.
BIASED, CLEAR = 0.35, 3.0
GOOD = 0.5  # R², above which a network has learned something, however wide the interval
EXTREME = 0.1  # part of the images at each end of the range
FEWEST = 8  # images at each end, below which nothing is said of it

Scores = dict[str, dict[str, Any]]


def diagnose_regression(
    history: list[dict[str, Any]],
    scorecard: dict[str, Scores],
    info: dict[str, Any],
    known: dict[str, float],
    values: NDArray[np.float64],
    predictions: Values,
    robustness: dict[str, Any] | None = None,
    attributions: dict[str, Any] | None = None,
) -> list[Finding]:
    """Read a run as an experienced person would.

    Args:
        history: Rows of ``history.jsonl``.
        scorecard: ``scorecard.json``; test is read where it is scored, else validation.
        info: ``run.json``.
        known: Mean and deviations of the training targets (`opsin.tasks.regression.learner.RegressionLearner.known`).
        values: float64 ``(N,)``, the true numbers of the split that is read.
        predictions: Of the same images.
        robustness: ``robustness.json``, where the network was inspected.
        attributions: ``attributions.json``, where the network was inspected.

    Returns:
        Findings, the most severe first; ``healthy`` where nothing is wrong.
    """
    split = "test" if "test" in scorecard else "validation"
    scores = scorecard[split]
    found: list[Finding | None] = [*circumstances(info), *certainty_findings(scores["mae"], "mae", split, WIDE)]
    explained = scores["r2"]
    # A good score on very few images is not held against a network.
    learned = explained["value"] is None or explained["low"] > 0 or explained["value"] > GOOD
    if learned:
        found += [_underfitting(history, known), *_ends(values, predictions), _biased(values, predictions)]
        found += robustness_findings(robustness or {}) + looking_findings(attributions or {})
    else:
        found.append(_no_better(scores, split, known, values))
    found += [_overfitting(history, info), *split_gap(scorecard, "mae", 0.1)]
    kept = [finding for finding in found if finding is not None]
    if all(finding.severity == "note" and finding.kind in ("few-groups", "starved", "shrunk") for finding in kept):
        kept.append(
            Finding(
                "healthy",
                "good",
                f"Nothing looks wrong: on {split} it is off by {with_interval(scores['mae'])} on average and explains "
                f"R² = {with_interval(scores['r2'])} of what varies.",
                "",
                "Look through the gallery and the largest errors before you rely on it.",
            )
        )
    return in_order(kept)


def _no_better(scores: Scores, split: str, known: dict[str, float], values: NDArray[np.float64]) -> Finding:
    naming = float(np.abs(values - known["mean"]).mean())
    return Finding(
        "no-better-than-mean",
        "serious",
        f"The network has not learned to tell images apart: its {split} error of {with_interval(scores['mae'])} cannot "
        f"be told from always naming the mean of the training images, which is off by {number(naming)} on average.",
        f"R² {with_interval(scores['r2'])} on {scores['r2']['n']:,} images; always naming the mean has 0.",
        "Check that images and values belong together, look for a better learning rate (`opsin find-learning-rate`), "
        "and train longer (`--epochs`).",
    )


def _overfitting(history: list[dict[str, Any]], info: dict[str, Any]) -> Finding | None:
    rise = rising_loss(history)
    train, validation = (last_scores(history, part, "mae") for part in ("train", "validation"))
    gap = 1 - train / validation if validation and not math.isnan(train + validation) else 0.0
    if rise is None and gap <= GAP:
        return None
    comparison = f"off by {number(train)} on average in training against {number(validation)} in validation"
    kept = info.get("best", {}).get("epoch")
    sentence, factor = rise or (f"The network does better on the images it has seen than on new ones: {comparison}.", 1)
    evidence = [f"At the end it is {comparison}."] if rise else []
    evidence += [f"The weights kept are those of epoch {kept}."] if kept and rise else []
    return Finding(
        "overfitting",
        "warning" if factor >= 1.5 or gap > WIDE_GAP else "note",
        sentence,
        " ".join(evidence),
        "More training images help most; short of that, vary them more (`--augment 1.5`), stop in time "
        "(`--early-stopping 5`), or regularize (`--dropout 0.2`).",
    )


def _underfitting(history: list[dict[str, Any]], known: dict[str, float]) -> Finding | None:
    train, validation = (last_scores(history, part, "mae") for part in ("train", "validation"))
    naming = known["absolute_deviation"]
    if math.isnan(train) or min(train, validation) < (1 - POOR) * naming:
        return None
    return Finding(
        "underfitting",
        "warning",
        f"The network does poorly even on the images it was trained on: it is off by {number(train)} on average in "
        f"training and {number(validation)} in validation, where always naming the mean is off by {number(naming)}.",
        f"{len(history)} epochs.",
        f"Train longer (`--epochs {2 * len(history)}`), look for a better learning rate (`opsin find-learning-rate`), "
        "vary the images less (`--augment 0.5`), or choose a larger network (`--network`).",
    )


def _ends(values: NDArray[np.float64], predictions: Values) -> list[Finding]:
    """Say where the largest values are predicted too small and the smallest too large, by much more than others."""
    low, high = np.quantile(values, [EXTREME, 1 - EXTREME])
    errors = predictions.values - values
    bottom, top = errors[values <= low], errors[values >= high]
    if min(len(bottom), len(top)) < FEWEST or low >= high:
        return []
    usual = float(np.abs(errors).mean())
    shrunk = [_clear(top) and float(top.mean()) < -usual / 2, _clear(bottom) and float(bottom.mean()) > usual / 2]
    if not any(shrunk):
        return []
    told = []
    if shrunk[0]:
        told.append(
            f"the largest values (from {number(float(high))} on) are predicted {number(-float(top.mean()))} too small"
        )
    if shrunk[1]:
        told.append(f"the smallest (up to {number(float(low))}) {number(float(bottom.mean()))} too large")
    slope = float(np.polyfit(values, predictions.values, 1)[0])
    return [
        Finding(
            "shrunk",
            "note",
            f"The ends of the range are drawn to its middle: on average {' and '.join(told)}.",
            f"Predictions rise by {number(slope)} where true values rise by 1. Errors are {number(usual)} on average; "
            "a network that is unsure does best near the mean, so some of this is the price of a small error.",
            "More images at the ends of the range help most; `--loss mse` minds large errors more.",
        )
    ]


def _biased(values: NDArray[np.float64], predictions: Values) -> Finding | None:
    errors = predictions.values - values
    mean, usual = float(errors.mean()), float(np.abs(errors).mean())
    if not usual or not _clear(errors) or abs(mean) < BIASED * usual:
        return None
    return Finding(
        "biased",
        "warning",
        f"Predictions are {number(abs(mean))} too {'large' if mean > 0 else 'small'} on average, a good part of their "
        f"mean absolute error of {number(usual)}.",
        f"{100 * float((errors > 0).mean()):.0f} % of the predictions are too large.",
        "Compare how training and test images were collected and measured; a constant difference can be taken off.",
    )


def _clear(errors: NDArray[np.float64]) -> bool:
    """Whether the mean of errors is further from 0 than chance explains."""
    deviation = float(errors.std(ddof=1)) / math.sqrt(len(errors)) if len(errors) > 1 else math.inf
    return abs(float(errors.mean())) > CLEAR * deviation


def judge_regression(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a run that predicts a number, whose test or validation split is scored."""
    scorecard = folder.scorecard
    _, values, predictions = folder.predictions(TEST if TEST in scorecard else VALIDATION)
    inspected = (folder.robustness, folder.attributions)
    return diagnose_regression(folder.history, scorecard, folder.info, folder.known, values, predictions, *inspected)
