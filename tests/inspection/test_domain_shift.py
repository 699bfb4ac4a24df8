from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsin.inspection.domain_shift import Answers, estimate_from_answers

CLASSES = 4


def answers_at(labels, skill, seed):
    """Answers of which a part ``skill`` is right and sure, and the rest is class 0 and less sure."""
    generator = np.random.default_rng(seed)
    knows = generator.random(len(labels)) < skill
    confidence = np.where(knows, 0.95, 0.6) + generator.normal(0, 0.01, len(labels))
    return np.where(knows, labels, 0), confidence.astype(np.float32)


@pytest.fixture(scope="module")
def home():
    labels = np.arange(400) % CLASSES
    skills = [1.0, *np.random.default_rng(0).uniform(0.3, 1.0, 30)]
    told = [answers_at(labels, skill, number) for number, skill in enumerate(skills)]
    return Answers(np.stack([one for one, _ in told]), np.stack([one for _, one in told]), labels)


@pytest.mark.parametrize("skill", [0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("shares", [(1, 1, 1, 1), (0.1, 0.6, 0.2, 0.1), (0, 0, 1, 1)])
def test_what_answers_are_right_is_told_without_their_labels(home, skill, shares):
    labels = np.random.default_rng(1).choice(CLASSES, 1000, p=np.array(shares) / sum(shares))
    predicted, confidence = answers_at(labels, skill, 99)
    right = (predicted == labels).mean()
    for exact, known in ((False, shares), (True, np.bincount(labels, minlength=CLASSES))):
        told = estimate_from_answers(home, predicted, confidence, known, exact=exact)
        assert told.expected == pytest.approx(right, abs=0.07)
        assert 0 <= told.low <= told.expected <= told.high <= 1
        assert told.beyond == (told.expected < (home.predicted == home.labels).mean(axis=1).min()) or shares != (
            1,
            1,
            1,
            1,
        )


def test_of_other_shares_the_middle_laboratory_knows_nothing_and_the_answers_do(home):
    """All of class 0, which is what the network says when it knows nothing: every answer is right."""
    predicted, confidence = answers_at(np.zeros(200, np.int64), 0.3, 5)
    assert estimate_from_answers(home, predicted, confidence, [1, 0, 0, 0]).expected > 0.95
    assert estimate_from_answers(home, predicted, confidence, [1, 1, 1, 1]).expected < 0.7


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(0, CLASSES - 1), min_size=30, max_size=90),
    st.lists(st.floats(0, 10), min_size=CLASSES, max_size=CLASSES).filter(lambda shares: sum(shares) > 1e-3),
)
def test_no_accuracy_is_above_the_overlap(home, labels, shares):
    """However answers and labels go together, they agree at most where their shares do."""
    labels = np.array(labels)
    predicted, confidence = answers_at(labels[::-1], 0.6, len(labels))
    told = estimate_from_answers(home, predicted, confidence, np.bincount(labels, minlength=CLASSES), exact=True)
    assert (predicted == labels).mean() <= told.overlap + 1e-9
    other = estimate_from_answers(home, predicted, confidence, shares)
    assert 0 <= other.low <= other.expected <= other.high <= 1 and 0 <= other.overlap <= 1
    scaled = estimate_from_answers(home, predicted, confidence, 3 * np.array(shares))
    assert scaled.expected == pytest.approx(other.expected)


def test_classes_that_no_laboratory_had_are_left_out(home):
    told = estimate_from_answers(home, *answers_at(np.arange(100) % CLASSES, 1.0, 0), [1, 1, 1, 1, 5])
    assert told.expected > 0.9
    with pytest.raises(ValueError, match="a class with a frequency"):
        estimate_from_answers(home, *answers_at(np.arange(100) % CLASSES, 1.0, 0), [0, 0, 0, 0, 5])
    with pytest.raises(ValueError, match="There must be images"):
        estimate_from_answers(home, np.zeros(0, np.int64), np.zeros(0, np.float32), [1, 1, 1, 1])
