from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from torch.nn.functional import cross_entropy

from opsin.evaluation.calibration import calibrate, fit_temperature, tempered

LOGITS = arrays.arrays(np.float32, (9, 4), elements=st.floats(-8, 8, width=32))
TEMPERATURES = st.floats(0.25, 4)


def drawn(temperature: float, n: int, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the softmax of normal logits, and the probabilities of a network whose logits are too large by
    the temperature."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (n, classes))
    edges = softmax(logits, axis=1).cumsum(axis=1)
    labels = np.minimum((random.random((n, 1)) > edges).sum(axis=1), classes - 1)
    return labels, softmax(logits * temperature, axis=1).astype(np.float32)


@given(LOGITS, TEMPERATURES)
def test_tempering_is_dividing_the_logits(logits: np.ndarray, temperature: float) -> None:
    expected = torch.softmax(torch.from_numpy(logits) / temperature, dim=1).numpy()
    made = tempered(softmax(logits.astype(np.float64), axis=1), temperature)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-7)


@given(LOGITS, TEMPERATURES)
def test_tempering_keeps_labels_and_is_undone_by_its_inverse(logits: np.ndarray, temperature: float) -> None:
    before = softmax(logits, axis=1)
    after = tempered(before, temperature)
    top = np.take_along_axis(after, before.argmax(axis=1)[:, None], axis=1)[:, 0]
    np.testing.assert_array_equal(top, after.max(axis=1))
    np.testing.assert_allclose(tempered(after, 1 / temperature), before, rtol=1e-3, atol=1e-6)


def test_probabilities_of_zero_stay_zero() -> None:
    np.testing.assert_array_equal(tempered(np.array([[0.0, 1.0]], np.float32), 3.0), [[0.0, 1.0]])


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5, 6.0])
def test_the_temperature_that_made_the_data_is_found(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature, 20_000)) == pytest.approx(temperature, rel=0.03)


def test_the_fit_is_the_minimum_of_the_log_loss() -> None:
    """With one of n + 2 images of the most probable other class, as the rule of succession has it."""
    labels, probabilities = drawn(3.0, 400)
    doubt = 1 / 402
    others = probabilities.copy()
    others[np.arange(400), labels] = 0
    targets = torch.zeros(400, 5)
    targets[torch.arange(400), torch.from_numpy(labels)] = 1 - doubt
    targets[torch.arange(400), torch.from_numpy(others.argmax(axis=1))] = doubt
    logits = torch.from_numpy(probabilities).double().log()
    best = minimize_scalar(lambda t: float(cross_entropy(logits / t, targets.double())), bounds=(0.1, 10)).x
    assert fit_temperature(labels, probabilities) == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("n", [6, 40, 1000])
def test_a_network_without_errors_does_not_become_certain(n: int) -> None:
    labels = np.arange(n) % 3
    probabilities = np.full((n, 3), 0.1, np.float32)
    probabilities[np.arange(n), labels] = 0.8
    for given_ in (probabilities, tempered(probabilities, 0.05)):
        sure = tempered(given_, fit_temperature(labels, given_)).max(axis=1)
        np.testing.assert_allclose(sure, 1 - 1 / (n + 2), atol=2e-3)


def test_overconfidence_is_mended_on_images_that_had_no_part_in_it() -> None:
    labels, probabilities = drawn(3.0, 600)
    found = calibrate(labels, probabilities)
    assert found.temperature == found.fitted == pytest.approx(3.0, rel=0.15)
    assert found.n == 600
    expected = float(cross_entropy(torch.from_numpy(probabilities).log(), torch.from_numpy(labels)))
    assert found.before["log_loss"] == pytest.approx(expected, rel=2e-3)  # no image counts more than 15.9
    assert found.gain == pytest.approx(found.before["log_loss"] - found.after["log_loss"])
    assert found.gain > 10 * found.gain_error / 3
    assert found.after["calibration_error"] < found.before["calibration_error"] / 2
    assert "lowers the cross-validated log loss" in found.decision
    assert calibrate(labels, probabilities) == found


def test_good_probabilities_are_nearly_always_left_as_they_are() -> None:
    kept = [calibrate(*drawn(1.0, 200, seed=seed)).temperature == 1 for seed in range(60)]
    assert sum(kept) >= 54
    for seed in range(10):
        found = calibrate(*drawn(1.0, 200, seed=seed))
        words = "not significant" if found.gain > 0 else "does not lower"
        assert words in found.decision or found.temperature != 1


def test_too_few_images_or_groups_choose_nothing() -> None:
    labels, probabilities = drawn(5.0, 4)
    found = calibrate(labels, probabilities)
    assert found.temperature == 1
    assert found.before == found.after
    assert "4 validation images are too few" in found.decision
    labels, probabilities = drawn(5.0, 400)
    assert "4 groups" in calibrate(labels, probabilities, np.arange(400) // 100).decision


def test_copies_of_an_image_in_one_group_count_once() -> None:
    """Forty copies of ten images are no surer than the ten images."""
    labels, probabilities = drawn(2.0, 10, seed=3)
    once = calibrate(labels, probabilities)
    labels, probabilities = np.tile(labels, 40), np.tile(probabilities, (40, 1))
    copied, alone = calibrate(labels, probabilities, np.tile(np.arange(10), 40)), calibrate(labels, probabilities)
    assert copied.gain == pytest.approx(once.gain, rel=1e-4)
    assert copied.gain_error == pytest.approx(once.gain_error, rel=1e-4)
    assert copied.fitted == pytest.approx(once.fitted, rel=1e-3)
    assert alone.gain_error < copied.gain_error / 2
