"""Verdict on a regression run: findings from its errors and curves."""

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

# Half-width of the interval of the mean absolute error, as a fraction of it, above which it is uncertain.
WIDE = 0.25
# Gap between training and validation error, as a fraction of the latter, above which the network overfits.
GAP, WIDE_GAP = 0.3, 0.6
# Underfitting: even in training, the error is less than this fraction below that of always predicting the mean.
POOR = 0.25
# Mean error that counts as bias: as a fraction of the mean absolute error, and in standard errors.
BIASED, CLEAR = 0.35, 3.0
GOOD = 0.5  # R² above which a network has learned, however wide the interval
EXTREME = 0.1  # fraction of the images at each end of the range
FEWEST = 8  # images needed at each end

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
    """Return the findings on a run.

    Args:
        history: Rows of ``history.jsonl``.
        scorecard: ``scorecard.json``; test is read where it is scored, else validation.
        info: ``run.json``.
        known: Mean and deviations of the training targets (`opsin.tasks.regression.learner.RegressionLearner.known`).
        values: float64 ``(N,)``, the true values of the split that is read.
        predictions: Predictions for the same images.
        robustness: ``robustness.json``, where the network was inspected.
        attributions: ``attributions.json``, where the network was inspected.

    Returns:
        Findings, most severe first; ``healthy`` if there is no problem.
    """
    split = "test" if "test" in scorecard else "validation"
    scores = scorecard[split]
    found: list[Finding | None] = [*circumstances(info), *certainty_findings(scores["mae"], "mae", split, WIDE)]
    explained = scores["r2"]
    # A good score on very few images is accepted.
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
                f"No problems found: on {split} the mean absolute error is {with_interval(scores['mae'])} and R² is "
                f"{with_interval(scores['r2'])}.",
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
        f"The network is not significantly better than always predicting the training mean: its mean absolute error on "
        f"{split} is {with_interval(scores['mae'])}, that of the mean is {number(naming)}.",
        f"R² {with_interval(scores['r2'])} on {scores['r2']['n']:,} images; always predicting the mean gives 0.",
        "Check that images and values match, find a better learning rate "
        "(`opsin find-learning-rate`), and train longer "
        "(`--epochs`).",
    )


def _overfitting(history: list[dict[str, Any]], info: dict[str, Any]) -> Finding | None:
    rise = rising_loss(history)
    train, validation = (last_scores(history, part, "mae") for part in ("train", "validation"))
    gap = 1 - train / validation if validation and not math.isnan(train + validation) else 0.0
    if rise is None and gap <= GAP:
        return None
    comparison = f"mean absolute error {number(train)} in training against {number(validation)} in validation"
    kept = info.get("best", {}).get("epoch")
    sentence, factor = rise or (f"The network is better on its training images than on new ones: {comparison}.", 1)
    evidence = [f"At the end: {comparison}."] if rise else []
    evidence += [f"The weights of epoch {kept} were kept."] if kept and rise else []
    return Finding(
        "overfitting",
        "warning" if factor >= 1.5 or gap > WIDE_GAP else "note",
        sentence,
        " ".join(evidence),
        "More training images help most. Otherwise augment more (`--augment 1.5`), stop early (`--early-stopping 5`) "
        "or regularize (`--dropout 0.2`).",
    )


def _underfitting(history: list[dict[str, Any]], known: dict[str, float]) -> Finding | None:
    train, validation = (last_scores(history, part, "mae") for part in ("train", "validation"))
    naming = known["absolute_deviation"]
    if math.isnan(train) or min(train, validation) < (1 - POOR) * naming:
        return None
    return Finding(
        "underfitting",
        "warning",
        f"The mean absolute error is high even on the training images: {number(train)} in training and "
        f"{number(validation)} in validation; always predicting the mean gives {number(naming)}.",
        f"{len(history)} epochs.",
        f"Train longer (`--epochs {2 * len(history)}`), find a better learning rate "
        "(`opsin find-learning-rate`), augment less "
        "(`--augment 0.5`), or choose a larger network (`--network`).",
    )


def _ends(values: NDArray[np.float64], predictions: Values) -> list[Finding]:
    """Return a finding if the largest values are predicted much too small or the smallest much too large."""
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
            f"Predictions regress to the mean at the ends of the range: on average {' and '.join(told)}.",
            f"The slope of predicted against true values is {number(slope)}. The mean absolute error is "
            f"{number(usual)}; an uncertain network minimizes its error by predicting near the mean.",
            "More images at the ends of the range help most; `--loss mse` penalizes large errors more.",
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
        f"Predictions are biased: {number(abs(mean))} too {'large' if mean > 0 else 'small'} on average, at a mean "
        f"absolute error of {number(usual)}.",
        f"{100 * float((errors > 0).mean()):.0f} % of the predictions are too large.",
        "Compare how training and test images were collected and measured; a constant offset can be subtracted.",
    )


def _clear(errors: NDArray[np.float64]) -> bool:
    """Whether the mean error differs significantly from 0."""
    deviation = float(errors.std(ddof=1)) / math.sqrt(len(errors)) if len(errors) > 1 else math.inf
    return abs(float(errors.mean())) > CLEAR * deviation


def judge_regression(folder: RunFolder) -> list[Finding]:
    """Return the verdict on a regression run whose test or validation split is scored."""
    scorecard = folder.scorecard
    predicted = folder.predicted(TEST if TEST in scorecard else VALIDATION)
    values, predictions = predicted.targets.values, predicted.predictions
    inspected = (folder.robustness, folder.attributions)
    return diagnose_regression(
        folder.history, scorecard, folder.info, folder.fitted_state, values, predictions, *inspected
    )
