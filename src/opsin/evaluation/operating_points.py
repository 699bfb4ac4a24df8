"""Operating points: thresholds chosen on validation and measured on test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.metrics.thresholds import Calls, all_calls, calls_at
from opsin.runs.folder import RunFolder
from opsin.statistics.bootstrap import Interval, bca, bootstrap, bounded, wilson
from opsin.statistics.clusters import group_method, membership_of
from opsin.storage.atomic import damage_explained

EVEN = 0.5
SCORES = ("sensitivity", "specificity", "precision", "f1")


@dataclass(frozen=True)
class Aims:
    """Criteria for choosing a threshold.

    Attributes:
        sensitivity: Minimum sensitivity, above 0 and at most 1.
        cost_of_miss: Cost of a false negative in any unit, 0 or more.
        cost_of_false_alarm: Cost of a false positive in the same unit, 0 or more.
    """

    sensitivity: float = 0.95
    cost_of_miss: float = 1.0
    cost_of_false_alarm: float = 1.0


def read_aims(folder: RunFolder) -> Aims:
    """Return the criteria set for a run, or the defaults.

    Raises:
        RunError: ``run.json`` is damaged.
    """
    with damage_explained(folder.path / "run.json"):
        return Aims(**{name: float(value) for name, value in folder.info.get("aims", {}).items()})


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold measured on images not used for choosing it.

    Attributes:
        threshold: Images are classified as positive from this probability on.
        true_positives: Number of true positives.
        false_positives: Number of false positives.
        scores: ``sensitivity``, ``specificity``, ``precision`` and ``f1``, each with its 95 % interval.
    """

    threshold: float
    true_positives: int
    false_positives: int
    scores: dict[str, Interval]


def choose_thresholds(positive: NDArray[np.bool_], scores: NDArray[np.floating], aims: Aims) -> dict[str, float]:
    """Choose thresholds on validation images, each midway between two scores that occur.

    Args:
        positive: bool ``(N,)``.
        scores: float ``(N,)``; probabilities.
        aims: Criteria.

    Returns:
        ``youden`` (sensitivity + specificity is largest; Youden 1950, Cancer 3:32), ``sensitive`` (largest specificity
        among those that reach the required sensitivity) and ``cheapest`` (least expected cost). Empty without
        images of both classes.
    """
    calls = all_calls(positive, scores)
    if not calls.positives or not calls.negatives:
        return {}
    occurring = calls.thresholds[1:]
    none = (occurring[0] + 1) / 2 if occurring[0] < 1 else np.nextafter(1, 2)
    between = np.concatenate([[none], (occurring + np.append(occurring[1:], 0)) / 2])
    chosen = {
        "youden": int(np.argmax(calls.sensitivity + calls.specificity)),
        "sensitive": int(np.argmax(calls.sensitivity >= aims.sensitivity - 1e-12)),
        "cheapest": int(np.argmin(expected_cost(calls, aims))),
    }
    return {rule: float(between[index]) for rule, index in chosen.items()}


def expected_cost(calls: Calls, aims: Aims, prevalence: float | None = None) -> NDArray[np.float64]:
    """Return the expected cost of an image at each threshold, float64 ``(K,)``.

    Args:
        calls: Counts at K thresholds, with images of both classes.
        aims: The costs.
        prevalence: Prevalence of the positive class among future images. Default: as counted.
    """
    part = calls.positives / (calls.positives + calls.negatives) if prevalence is None else prevalence
    misses, alarms = part * (1 - calls.sensitivity), (1 - part) * (1 - calls.specificity)
    return aims.cost_of_miss * misses + aims.cost_of_false_alarm * alarms


def measure(
    thresholds: Sequence[float],
    positive: NDArray[np.bool_],
    scores: NDArray[np.floating],
    groups: NDArray[Any] | None = None,
) -> list[OperatingPoint]:
    """Measure thresholds on images not used for choosing them.

    Args:
        thresholds: K thresholds.
        positive: bool ``(N,)``.
        scores: float ``(N,)``; probabilities.
        groups: ``(N,)``, source of each image; intervals then come from resampling whole groups. Default: Wilson, for
            F1 via the fraction of true positives among all images that are positive or predicted positive.

    Returns:
        A point per threshold. Undefined scores are nan between 0 and 1.
    """
    calls = calls_at(positive, scores, np.asarray(thresholds, np.float64))
    true, false = calls.true_positives, calls.false_positives
    membership = membership_of(groups)
    if membership is None:
        found = [_by_image(int(t), int(f), calls.positives, calls.negatives) for t, f in zip(true, false, strict=True)]
    else:
        found = _by_group(calls.thresholds, np.asarray(positive, bool), scores, membership)
    return [
        OperatingPoint(float(threshold), int(t), int(f), each)
        for threshold, t, f, each in zip(calls.thresholds, true, false, found, strict=True)
    ]


def _by_image(true: int, false: int, positives: int, negatives: int) -> dict[str, Interval]:
    either = wilson(true, positives + false)
    value, low, high = (2 * part / (1 + part) for part in (either.value, either.low, either.high))
    return {
        "sensitivity": wilson(true, positives),
        "specificity": wilson(negatives - false, negatives),
        "precision": wilson(true, true + false),
        "f1": Interval(value, low, high, "Wilson", either.n),
    }


def _by_group(
    thresholds: NDArray[np.float64],
    positive: NDArray[np.bool_],
    scores: NDArray[np.floating],
    membership: sparse.csr_array,
) -> list[dict[str, Interval]]:
    called, true, number = scores[:, None] >= thresholds, positive[:, None], len(thresholds)
    # Columns: hits, right rejections, calls at each threshold; then positive and negative images.
    images = np.concatenate([called & true, ~called & ~true, called, true, ~true], axis=1).astype(np.float64)
    terms = sparse.csr_array(membership @ images)
    result = bootstrap(terms, _rates)
    holding = terms.toarray() > 0
    either = holding[:, 2 * number : 3 * number] | holding[:, [-2]]
    units = np.concatenate([_of(holding.sum(axis=0))[: 3 * number], either.sum(axis=0)])
    of = _of(terms.sum(axis=0)).astype(np.int64)
    lows, highs = bca(result, units=units)
    found: list[dict[str, Interval]] = [{} for _ in range(number)]
    for index, value in enumerate(result.values):
        kind, place = divmod(index, number)
        method = group_method(int(units[index]))
        found[place][SCORES[kind]] = bounded(
            float(value), lows[index], highs[index], method, int(of[index]), float(units[index])
        )
    return found


def _of(sums: NDArray[Any]) -> NDArray[Any]:
    """Return the denominators of ``(..., 4 K)`` scores from sums ``(..., 3 K + 2)``."""
    called, number = np.split(sums[..., :-2], 3, axis=-1)[2], (sums.shape[-1] - 2) // 3
    positives, negatives = (np.repeat(sums[..., [place]], number, axis=-1) for place in (-2, -1))
    return np.concatenate([positives, negatives, called, called + positives], axis=-1)


def _rates(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sensitivities, specificities, precisions and F1s ``(..., 4 K)`` of sums ``(..., 3 K + 2)``."""
    hits, rejections, _ = np.split(sums[..., :-2], 3, axis=-1)
    of = _of(sums)
    return np.concatenate([hits, rejections, hits, 2 * hits], axis=-1) / np.where(of > 0, of, np.nan)
