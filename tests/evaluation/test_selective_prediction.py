from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.evaluation.selective_prediction import choose_threshold, selective


def answers(confidences: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Confidences of answers (0.5 to 1), and whether each is right."""
    return np.array(confidences, np.float32), np.array(right, bool)


CASES = st.lists(
    st.tuples(st.sampled_from([0.55, 0.6, 0.7, 0.8, 0.9, 0.99]), st.booleans()), min_size=1, max_size=40
).map(lambda pairs: answers(*map(list, zip(*pairs, strict=True))))


@given(CASES)
def test_the_curve_is_what_counting_gives(case: tuple[np.ndarray, np.ndarray]) -> None:
    confidences, right = case
    curve = selective(confidences, right)
    risks = []
    for confidence in confidences:
        kept = confidences >= confidence
        place = np.flatnonzero(curve.thresholds == confidence)[0]
        assert curve.coverage[place] == pytest.approx(kept.mean())
        assert curve.accuracy[place] == pytest.approx(right[kept].mean())
        risks.append(1 - right[kept].mean())
    assert curve.area == pytest.approx(np.mean(risks))
    assert curve.at(0.0).value == pytest.approx(right.mean())
    assert (np.diff(curve.thresholds) < 0).all()


def test_confidences_without_meaning_have_the_area_of_the_errors() -> None:
    random = np.random.default_rng(0)
    confidences, right = answers(list(random.uniform(0.5, 1, 20_000)), list(random.random(20_000) < 0.8))
    assert selective(confidences, right).area == pytest.approx(0.2, abs=0.01)
    assert selective(*answers([0.7] * 10, [True] * 8 + [False] * 2)).area == pytest.approx(0.2)


@given(CASES, st.floats(0.3, 1.0))
def test_the_threshold_is_the_lowest_that_keeps_its_word(case: tuple[np.ndarray, np.ndarray], target: float) -> None:
    confidences, right = case
    chosen = choose_threshold(confidences, right, target)
    curve = selective(confidences, right)
    intervals = [curve.at(threshold) for threshold in curve.thresholds]
    sure = [threshold for threshold, one in zip(curve.thresholds, intervals, strict=True) if one.low >= target]
    measured = [
        (-one.low, -threshold)
        for threshold, one in zip(curve.thresholds, intervals, strict=True)
        if one.value >= target
    ]
    wanted = min(sure) if sure else -min(measured)[1] if measured else np.inf
    assert chosen.shown == bool(sure)
    assert chosen.confidence == wanted
    assert chosen.coverage == pytest.approx((confidences >= np.float32(wanted)).mean())


@given(CASES)
def test_a_higher_target_never_answers_more(case: tuple[np.ndarray, np.ndarray]) -> None:
    limits = [choose_threshold(*case, target).confidence for target in np.linspace(0.1, 1, 30)]
    assert limits == sorted(limits)


def test_what_was_chosen_is_said() -> None:
    confidences, right = answers([0.9] * 400 + [0.6] * 100, [True] * 400 + [False] * 100)
    sure = choose_threshold(confidences, right, 0.99)
    assert sure.shown
    assert sure.confidence == pytest.approx(0.9)
    assert "80 % of the images have a confidence of at least 0.900; their accuracy is 1.000" in sure.describe()
    few = choose_threshold(confidences[::10], right[::10], 0.99)
    assert not few.shown
    assert few.describe().endswith("too few to assure 0.99.")
    none = choose_threshold(*answers([0.9, 0.6], [False, True]), 0.99)
    assert none.coverage == 0
    assert "No confidence limit" in none.describe()


def test_nothing_is_answered_above_every_confidence() -> None:
    assert selective(*answers([0.9], [True])).at(0.95).n == 0
