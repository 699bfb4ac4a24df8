"""Score to expect under domain shift, estimated from simulated laboratories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from opsin.metrics.names import describe_score

COVERAGE = 0.8  # fraction of the laboratories between the reported bounds
ANSWERS_FILE = "laboratories.npz"  # of a run folder: the attributes of `Answers`
SAMPLES = 100  # random draws for the overlap of a sample with its population


@dataclass(frozen=True)
class Answers:
    """Answers of a network on the same n images, unaltered (first row) and in L simulated laboratories.

    Attributes:
        predicted: int64 ``(1 + L, n)``, the classes.
        confidence: float32 ``(1 + L, n)``, their probabilities.
        labels: int64 ``(n,)``, the true classes.
    """

    predicted: NDArray[np.int64]
    confidence: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, predictions: Sequence[Any], labels: NDArray[np.int64]) -> Self:
        """Select from predictions, unaltered and in each laboratory, what `estimate_from_answers` needs."""
        return cls(
            np.stack([each.labels for each in predictions]), np.stack([each.confidence for each in predictions]), labels
        )


@dataclass(frozen=True)
class EstimatedAccuracy:
    """Accuracy to expect on unlabelled images.

    Attributes:
        expected: Accuracy, 0 to 1.
        low: With ``high`` the bounds of the central 80 % of the simulated laboratories.
        high: See ``low``.
        overlap: Overlap of the class frequencies of the answers with the true ones, 0 to 1. With correct frequencies
            it is an upper bound of the accuracy.
        confidence: Mean confidence of the answers.
        home_overlap: Overlap on unaltered images.
        home_confidence: Mean confidence on unaltered images.
        beyond: Whether the estimate is below the accuracy in all laboratories, and thus an extrapolation.
    """

    expected: float
    low: float
    high: float
    overlap: float
    confidence: float
    home_overlap: float
    home_confidence: float
    beyond: bool


def laboratory_scores(laboratories: dict[str, Any], counts: Sequence[int] = ()) -> NDArray[np.float64]:
    """Return the score in each simulated laboratory, sorted, float64 ``(laboratories,)``.

    Args:
        laboratories: From `opsin.inspection.robustness.simulate_laboratories`.
        counts: int ``(classes,)``; for a classifier, known numbers of images per class. Classes without images in
            the simulation are ignored.

    Returns:
        nan everywhere if none of the classes was in the simulation.
    """
    if "scores" in laboratories:
        return np.sort(np.array(laboratories["scores"], float))
    images = np.array(laboratories["images"], float)
    weights = np.where(images > 0, np.array(counts, float), 0)
    recalls = np.array(laboratories["right"], float) / np.maximum(images, 1)
    return np.sort(recalls @ weights / weights.sum()) if weights.sum() else np.full(len(recalls), math.nan)


def estimate_accuracy(
    laboratories: dict[str, Any], counts: Sequence[int] = (), *, score: str = "accuracy"
) -> dict[str, float]:
    """Return the score to expect in another laboratory; see `laboratory_scores`.

    Returns:
        ``expected`` (median laboratory), ``low`` and ``high`` (bounds of the central 80 %), and ``worst``.
    """
    scores = laboratory_scores(laboratories, counts)
    low, expected, high = np.quantile(scores, [0.5 - COVERAGE / 2, 0.5, 0.5 + COVERAGE / 2])
    worst = scores[-1] if describe_score(score).lower_is_better else scores[0]
    return {"expected": float(expected), "low": float(low), "high": float(high), "worst": float(worst)}


def estimate_from_answers(
    home: Answers,
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float32],
    shares: ArrayLike,
    *,
    exact: bool = False,
) -> EstimatedAccuracy:
    """Estimate the accuracy on images without labels.

    A network that fails under domain shift is less confident and predicts some classes too often. Both can be measured
    without labels: by the mean confidence, and by the overlap of the class frequencies of its answers with the true
    ones. Their relation to accuracy is fitted on the simulated laboratories, by a ridge regression between logits.
    Estimating accuracy from synthetically shifted data follows Deng and Zheng (2021, Are Labels Always Necessary for
    Classifier Accuracy Evaluation?); the two measures and the laboratories are new here.

    Args:
        home: Answers on unaltered images and in the laboratories.
        predicted: int64 ``(N,)``; answers on N images.
        confidence: float32 ``(N,)``; their probabilities.
        shares: float ``(classes,)``, of any sum; class frequencies among these images. Classes without images in the
            laboratories are ignored.
        exact: Whether the frequencies were counted on exactly these images. Otherwise they are those of the population
            from which these images are a sample.

    Raises:
        ValueError: There are no images, or no class with a frequency was in the laboratories.
    """
    from sklearn.linear_model import Ridge

    counts = np.bincount(home.labels, minlength=np.size(shares))
    given = np.where(counts > 0, np.asarray(shares, np.float64), 0)
    if not len(predicted) or not given.sum() > 0:
        raise ValueError("There must be images, and a class with a frequency that was in the laboratories.")
    given = given / given.sum()
    weights = (given / np.maximum(counts, 1))[home.labels]
    even = np.full(len(predicted), 1 / len(predicted))

    rows = [_tell(*each, weights, given) for each in zip(home.predicted, home.confidence, strict=True)]
    own = _tell(predicted, confidence, even, given)
    if not exact:
        # Even correct answers have the class frequencies of the sample, not of the population.
        sample = np.random.default_rng(0).multinomial(len(predicted), given, SAMPLES) / len(predicted)
        own = own[0], min(own[1] / float(np.minimum(sample, given).sum(axis=1).mean()), 1.0)
    accuracies = (home.predicted == home.labels) @ weights
    seen, middle, spread = _logits(rows), _logits(rows).mean(axis=0), _logits(rows).std(axis=0) + 1e-9
    inputs, outputs = (seen - middle) / spread, _logits(accuracies)

    def expect(fitted: Any, row: NDArray[np.float64], overlap: float) -> float:
        return min(float(expit(fitted.predict(row[None])[0])), overlap)

    everything = Ridge(alpha=1.0).fit(inputs, outputs)
    expected = expect(everything, (_logits(own) - middle) / spread, own[1])
    errors = []
    for left_out in range(1, len(inputs)):
        others = np.arange(len(inputs)) != left_out
        fitted = Ridge(alpha=1.0).fit(inputs[others], outputs[others])
        errors.append(accuracies[left_out] - expect(fitted, inputs[left_out], rows[left_out][1]))
    low, high = expected + np.quantile(errors, [0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2])
    return EstimatedAccuracy(
        expected,
        low=max(min(float(low), expected), 0.0),
        high=min(max(float(high), expected), own[1]),
        overlap=own[1],
        confidence=own[0],
        home_overlap=rows[0][1],
        home_confidence=rows[0][0],
        beyond=bool(expected < accuracies.min()),
    )


def _tell(
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float32],
    weights: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> tuple[float, float]:
    """Return the mean confidence of answers and the overlap of their class frequencies with the true ones."""
    answered = np.bincount(predicted, weights=weights, minlength=len(shares))
    return float(confidence @ weights), float(np.minimum(answered, shares).sum())


def _logits(values: ArrayLike) -> NDArray[np.float64]:
    """Return logits of fractions, clipped to 0.3 % from 0 and 1."""
    result: NDArray[np.float64] = logit(np.clip(np.asarray(values, np.float64), 0.003, 0.997))
    return result
