"""Selective prediction: accuracy when the least confident images are left to a person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsin.statistics.bootstrap import Interval, wilson


@dataclass(frozen=True)
class Selective:
    """Coverage and accuracy at every threshold of the confidence.

    Attributes:
        thresholds: float32 ``(K,)``, descending; each distinct confidence.
        answered: int64 ``(K,)``; images whose confidence is at least the threshold.
        right: int64 ``(K,)``; number of these that are correct.
    """

    thresholds: NDArray[np.float32]
    answered: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Fraction of the images that are answered, float64 ``(K,)``, rising to 1."""
        result: NDArray[np.float64] = self.answered / self.answered[-1]
        return result

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Fraction of the answered images that are correct, float64 ``(K,)``."""
        return self.right / self.answered

    @property
    def area(self) -> float:
        """Area under the risk-coverage curve (Geifman and El-Yaniv 2017, Selective Classification).

        Mean over images of the error rate among those at least as confident. 0 is perfect; uninformative confidences
        give the error rate of all images.
        """
        return float((np.diff(self.answered, prepend=0) * (1 - self.accuracy)).sum() / self.answered[-1])

    def at(self, threshold: float) -> Interval:
        """Return the accuracy of the images whose confidence is at least ``threshold``, with Wilson's interval."""
        place = int((self.thresholds >= threshold).sum())
        return wilson(self.right[place - 1], self.answered[place - 1]) if place else wilson(0, 0)


@dataclass(frozen=True)
class Threshold:
    """Confidence limit below which images are left to a person.

    Attributes:
        confidence: The threshold; above 1 if nothing can be answered.
        target: Required accuracy.
        shown: Whether the lower bound of the accuracy reaches the target; otherwise only the accuracy itself does.
        coverage: Fraction of the validation images that are answered.
        accuracy: Accuracy on these.
    """

    confidence: float
    target: float
    shown: bool
    coverage: float
    accuracy: Interval

    def describe(self) -> str:
        """Return a sentence on the limit chosen on validation images and its certainty."""
        if not self.coverage:
            return f"No confidence limit reaches an accuracy of {self.target:g} on validation."
        accuracy = self.accuracy
        sentence = (
            f"On validation, {100 * self.coverage:.0f} % of the images have a confidence of at least "
            f"{self.confidence:.3f}; their accuracy is {accuracy.value:.3f} ({accuracy.low:.3f}–{accuracy.high:.3f})"
        )
        return f"{sentence}." if self.shown else f"{sentence}, too few to assure {self.target:g}."


def selective(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> Selective:
    """Return coverage and accuracy at every threshold.

    Args:
        confidence: float ``(N,)``, N above 0.
        correct: bool ``(N,)``, whether each answer is correct.
    """
    thresholds, place = np.unique(-confidence, return_inverse=True)
    answered = np.bincount(place).cumsum()
    return Selective(-thresholds, answered, np.bincount(place, weights=correct).cumsum().astype(np.int64))


def choose_threshold(confidence: NDArray[np.floating], correct: NDArray[np.bool_], target: float) -> Threshold:
    """Choose the lowest confidence limit at which the answers reach a target accuracy.

    The lower bound of Wilson's 95 % interval must reach the target, so that new images of the same kind reach it too.
    If no threshold does, because the images are few or the target is high, the accuracy itself must reach the target;
    of all such thresholds the one with the highest lower bound is chosen.

    Args:
        confidence: float ``(N,)``, of validation images.
        correct: bool ``(N,)``, whether each answer is correct.
        target: Accuracy above 0, at most 1.
    """
    curve = selective(confidence, correct)
    intervals = [wilson(right, n) for right, n in zip(curve.right, curve.answered, strict=True)]
    lows = np.array([interval.low for interval in intervals])
    sure, measured = np.flatnonzero(lows >= target), np.flatnonzero(curve.accuracy >= target)
    if len(measured):
        place = int(sure[-1] if len(sure) else measured[lows[measured].argmax()])
        lowest = float(curve.thresholds[place])
        return Threshold(lowest, target, len(sure) > 0, float(curve.coverage[place]), intervals[place])
    return Threshold(float("inf"), target, False, 0.0, wilson(0, 0))
