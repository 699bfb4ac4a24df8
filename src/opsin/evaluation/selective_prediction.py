"""Leaving the hardest images to a person: how much more often a network is right when it answers fewer of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsin.statistics.bootstrap import Interval, wilson


@dataclass(frozen=True)
class Selective:
    """Coverage and accuracy at every threshold of the confidence.

    Attributes:
        thresholds: float32 ``(K,)``, falling; every confidence that occurs, once.
        answered: int64 ``(K,)``; images whose confidence is at least the threshold.
        right: int64 ``(K,)``; how many of these are right.
    """

    thresholds: NDArray[np.float32]
    answered: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Part of the images that is answered, float64 ``(K,)``, rising to 1."""
        return self.answered / self.answered[-1]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Part of the answered images that is right, float64 ``(K,)``."""
        return self.right / self.answered

    @property
    def area(self) -> float:
        """Area under the risk-coverage curve (Geifman and El-Yaniv 2017, Selective Classification).

        The mean over images of the part that is wrong among those at least as confident; 0 is perfect, and the part
        that is wrong of all images is what confidences without meaning give.
        """
        return float((np.diff(self.answered, prepend=0) * (1 - self.accuracy)).sum() / self.answered[-1])

    def at(self, threshold: float) -> Interval:
        """Return the accuracy of the images whose confidence is at least ``threshold``, with Wilson's interval."""
        place = int((self.thresholds >= threshold).sum())
        return wilson(self.right[place - 1], self.answered[place - 1]) if place else wilson(0, 0)


@dataclass(frozen=True)
class Threshold:
    """A confidence below which images are left to a person.

    Attributes:
        confidence: The threshold; above 1 where nothing can be answered.
        target: The accuracy that was asked for.
        shown: Whether the lower bound of the accuracy reaches the target; otherwise only the accuracy itself does.
        coverage: Part of the images that it was chosen on that is answered.
        accuracy: Of these.
    """

    confidence: float
    target: float
    shown: bool
    coverage: float
    accuracy: Interval

    def describe(self) -> str:
        """Return a sentence that says what was chosen on the validation images and how sure it is."""
        if not self.coverage:
            return f"No answer is sure enough: on validation, no confidence gives an accuracy of {self.target:g}."
        accuracy = self.accuracy
        sentence = (
            f"On validation, the {100 * self.coverage:.0f} % of answers with a confidence of at least "
            f"{self.confidence:.3f} are right {accuracy.value:.3f} of the time ({accuracy.low:.3f}–{accuracy.high:.3f})"
        )
        return f"{sentence}." if self.shown else f"{sentence}; too few to be sure of {self.target:g}."


def selective(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> Selective:
    """Return coverage and accuracy at every threshold.

    Args:
        confidence: float ``(N,)``, N above 0.
        correct: bool ``(N,)``, whether each answer is right.
    """
    thresholds, place = np.unique(-confidence, return_inverse=True)
    answered = np.bincount(place).cumsum()
    return Selective(-thresholds, answered, np.bincount(place, weights=correct).cumsum().astype(np.int64))


def choose_threshold(confidence: NDArray[np.floating], correct: NDArray[np.bool_], target: float) -> Threshold:
    """Choose the lowest confidence from which on the answers are right as often as they shall be.

    The lower bound of Wilson's 95 % interval has to reach the target, so that new images of the same kind will, too.
    Where no threshold is that sure, because the images are few or the target is high, the accuracy itself has to, and
    of all thresholds where it does the one with the highest lower bound is taken.

    Args:
        confidence: float ``(N,)``, of validation images.
        correct: bool ``(N,)``, whether each answer is right.
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
