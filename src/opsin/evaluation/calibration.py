"""Temperature scaling: calibration of probabilities by one number fitted on validation images."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from opsin.metrics.classification import calibration_error, log_losses

FOLDS = 5
LARGEST = 20.0  # of a temperature; the smallest is 1 / 20
CLEAR = 2.0  # standard errors by which a temperature must lower the loss


@dataclass(frozen=True)
class Calibration:
    """Temperature of a network and its effect on the validation images.

    Attributes:
        temperature: Divisor of the logits; 1 if no other value was significantly better.
        fitted: Best temperature on all validation images, adopted or not.
        n: Number of validation images.
        gain: Reduction of the mean log loss on images not used for fitting.
        gain_error: Standard error of the gain.
        before: ``{"log_loss", "calibration_error"}`` at temperature 1.
        after: The same for each image at the temperature fitted on the other folds.
        decision: A sentence on what was decided and why.
    """

    temperature: float
    fitted: float
    n: int
    gain: float
    gain_error: float
    before: dict[str, float]
    after: dict[str, float]
    decision: str

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes for JSON."""
        return dataclasses.asdict(self)


def tempered(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Return the probabilities after dividing the logits by a temperature.

    Softmax of logits / T is proportional to p^(1/T), so that ``tempered(tempered(p, T), 1 / T)`` is p again, except
    for probabilities that underflow to 0.

    Args:
        probabilities: float ``(N, C)``, rows sum to 1.
        temperature: Above 0. Above 1 flattens the probabilities of a row, below 1 sharpens them; their order stays.

    Returns:
        float32 ``(N, C)``, rows sum to 1.
    """
    with np.errstate(divide="ignore"):
        scaled = np.exp(np.log(probabilities.astype(np.float64)) / temperature)
    result: NDArray[np.float32] = (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def fit_temperature(labels: NDArray[np.int64], probabilities: NDArray[np.floating], groups: int | None = None) -> float:
    """Return the temperature with the least log loss (Guo et al. 2017, On Calibration of Modern Neural Networks).

    The true class of each image counts as ``1 - 1 / (n + 2)`` and the most probable other class as the rest, as if one
    of n + 2 images or groups had that label (after Platt 1999, section 2.2). Without that, a network that is right on
    all n images would get a confidence of 1 everywhere.

    Args:
        labels: int64 ``(N,)``, N above 0.
        probabilities: float ``(N, C)`` at temperature 1, C above 1; softmax needs no more than their logarithms.
        groups: Number of groups the images come from. Default: every image is independent.

    Returns:
        A number between 1 / 20 and 20.
    """
    smallest = np.finfo(np.float32).tiny
    logits = np.log(np.maximum(probabilities.astype(np.float64), smallest))
    logits -= logits.max(axis=1, keepdims=True)
    own = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    np.put_along_axis(logits, labels[:, None], -np.inf, axis=1)
    other = logits.max(axis=1)
    np.put_along_axis(logits, labels[:, None], own[:, None], axis=1)
    doubt = 1 / ((groups or len(labels)) + 2)
    target = float(((1 - doubt) * own + doubt * other).mean())

    def loss(log_temperature: float) -> float:
        factor = math.exp(-log_temperature)
        return float(np.log(np.exp(logits * factor).sum(axis=1)).mean()) - target * factor

    widest = math.log(LARGEST)
    return math.exp(minimize_scalar(loss, bounds=(-widest, widest), method="bounded", options={"xatol": 1e-4}).x)


def calibrate(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], groups: NDArray[Any] | None = None
) -> Calibration:
    """Fit a temperature, and adopt it only if it helps images not used for fitting.

    The images are divided into five folds with whole groups; each fold is scored at the temperature fitted on the
    others. The temperature fitted on all is adopted if that lowers the mean log loss by at least two standard errors.

    Args:
        labels: int64 ``(N,)``, of validation images, N above 0.
        probabilities: float32 ``(N, C)`` at temperature 1.
        groups: ``(N,)``, source of each image (patient, slide), or None if every image is independent.
    """
    names, group_of = np.unique(np.arange(len(labels)) if groups is None else groups, return_inverse=True)
    fold_of = (np.random.default_rng(0).permutation(len(names)) % FOLDS)[group_of]
    crossed = probabilities.copy()
    if len(names) >= FOLDS:
        for fold in range(FOLDS):
            held = fold_of == fold
            others = len(np.unique(group_of[~held]))
            temperature = fit_temperature(labels[~held], probabilities[~held], others)
            crossed[held] = tempered(probabilities[held], temperature)
    gains = log_losses(labels, probabilities) - log_losses(labels, crossed)
    gain = float(gains.mean())
    error = _standard_error(gains, group_of)
    fitted = fit_temperature(labels, probabilities, len(names))
    taken = len(names) >= FOLDS and gain > CLEAR * error
    before, after = (
        {"log_loss": float(log_losses(labels, some).mean()), "calibration_error": calibration_error(labels, some)}
        for some in (probabilities, crossed)
    )
    units = f"{len(names):,} {'validation images' if groups is None else 'groups of validation images'}"
    if taken:
        decision = (
            f"Temperature scaling by {fitted:.2f} lowers the cross-validated log loss on validation images from "
            f"{before['log_loss']:.3f} to {after['log_loss']:.3f}."
        )
    elif len(names) < FOLDS:
        decision = f"No temperature scaling: {units} are too few to fit a temperature."
    else:
        decision = _left(units, fitted, gain, error)
    return Calibration(fitted if taken else 1.0, fitted, len(labels), gain, error, before, after, decision)


def _left(units: str, fitted: float, gain: float, error: float) -> str:
    """Return a sentence on why the best temperature was not adopted."""
    result = "does not lower the cross-validated log loss."
    if gain > 0:
        result = (
            f"lowers the cross-validated log loss by {gain:.4f} with a standard error of {error:.4f}, which is not "
            "significant."
        )
    return f"No temperature scaling: on {units} the best temperature, {fitted:.2f}, {result}"


def _standard_error(values: NDArray[np.float64], group_of: NDArray[np.int64]) -> float:
    """Return the standard error of a mean clustered by group; 0 for one group."""
    deviations = np.bincount(group_of, weights=values - values.mean())
    groups = len(deviations)
    return float(np.sqrt((deviations**2).sum() * groups / max(groups - 1, 1)) / len(values))
