"""Paired tests and intervals for two classifiers on the same images, and correction for multiple tests."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

PERMUTATIONS = 9_999
FLIPS = 500_000_000  # maximum number of coin flips per test, which limits the permutations
CHUNK = 8_000_000


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the mid-p value of McNemar's test that two classifiers have the same accuracy.

    The exact binomial test on the images that only one classifier gets right, with half the probability of the observed
    outcome: its level is close to nominal, while the exact test is conservative (Fagerland, Lydersen and Laake
    2013, BMC Medical Research Methodology 13:91).

    Args:
        only_first: Images that only the first classifier gets right.
        only_second: Images that only the second gets right.
    """
    number, fewer = only_first + only_second, min(only_first, only_second)
    if not number:
        return 1.0
    reached = special.bdtr(fewer, number, 0.5)  # twice this, less half of twice the last term
    return min(1.0, float(reached + (special.bdtr(fewer - 1, number, 0.5) if fewer else 0)))


def paired_proportions(only_first: int, only_second: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the bounds of the difference of two proportions of the same n images.

    Wald's interval after adding one disagreement of each kind, which has nominal coverage even for few (Bonett and
    Price 2012, Journal of Educational and Behavioral Statistics 37:479).

    Args:
        only_first: Images that only the first classifier gets right.
        only_second: Images that only the second gets right.
        n: Number of images.
        level: Confidence level.
    """
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    half = special.ndtri(0.5 + level / 2) * math.sqrt((first + second - (first - second) ** 2) / (n + 2))
    return max(-1.0, float(first - second - half)), min(1.0, float(first - second + half))


def wald_bounds(value: float, squared_error: float, units: int, level: float = 0.95) -> tuple[float, float]:
    """Return symmetric Student's t bounds of an estimate from a number of images or groups."""
    half = float(special.stdtrit(max(1, units - 1), 0.5 + level / 2)) * math.sqrt(squared_error)
    return value - half, value + half


def wald_p_value(value: float, squared_error: float, units: int) -> float:
    """Return the two-sided p-value that corresponds to `wald_bounds`; 1 without variation."""
    if squared_error < 1e-24:
        return 1.0
    return float(2 * special.stdtr(max(1, units - 1), -abs(value) / math.sqrt(squared_error)))


def sign_flip(
    first: sparse.csr_array,
    second: sparse.csr_array,
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    tests: int = 1,
) -> NDArray[np.float64]:
    """Return two-sided p-values for the differences of the scores of two classifiers on the same units.

    Paired permutation test: under the null hypothesis the predictions of an image (or group) are exchangeable between
    the classifiers, so they are swapped for random halves of the units. The p-value is the fraction of permutations,
    including the observed one, with a difference at least as large (Phipson and Smyth 2010, Statistical Applications in
    Genetics and Molecular Biology 9:39). Results are deterministic.

    Args:
        first: Sparse ``(U, M)``; contribution of each unit to the sums of the first classifier.
        second: The same for the second.
        score: Maps sums ``(..., M)`` to scores ``(..., S)``.
        tests: Total number of such tests; many reduce the permutations of each.

    Returns:
        float64 ``(S,)``.
    """
    sums = [np.asarray(terms.sum(axis=0), np.float64) for terms in (first, second)]
    observed = np.abs(score(sums[0]) - score(sums[1]))
    exchanged = sparse.csr_array(second - first)
    exchanged = sparse.csr_array(exchanged[np.diff(exchanged.indptr) > 0].T)
    units = exchanged.shape[1]
    permutations = int(np.clip(FLIPS // max(1, units * tests), 1_999, PERMUTATIONS))
    generator, reached = np.random.default_rng(0), np.ones(len(observed))
    step = max(1, CHUNK // max(1, units, *exchanged.shape))
    for start in range(0, permutations, step):
        rows = min(step, permutations - start)
        random = generator.integers(0, 256, (rows, -(-units // 8)), dtype=np.uint8)
        flips = np.unpackbits(random, axis=1, count=units).astype(np.float64)
        shift = (exchanged @ flips.T).T
        differences = np.abs(score(sums[0] + shift) - score(sums[1] - shift))
        reached += (differences >= observed - 1e-12).sum(axis=0)
    return reached / (permutations + 1)


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values adjusted for multiple tests (Holm 1979, Scandinavian Journal of Statistics 6:65).

    Rejecting those below 0.05 controls the family-wise error rate at 0.05.
    """
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return corrected
