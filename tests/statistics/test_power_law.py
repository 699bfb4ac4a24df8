from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import least_squares

from opsin.statistics.power_law import PowerLaw, extrapolate, fit_power_laws

SIZES = np.array([250.0, 500, 1000, 1750, 2500])


def runs(law, repeats=3, validated=540, seed=0):
    generator = np.random.default_rng(seed)
    images = np.repeat(SIZES, repeats)
    return images.astype(int), generator.binomial(validated, law.error(images)) / validated


@pytest.mark.parametrize("law", [PowerLaw(0.02, 2.0, 0.5), PowerLaw(0.0, 1.0, 0.3), PowerLaw(0.1, 300.0, 1.2)])
def test_a_power_law_without_noise_is_found_again(law):
    (found,) = fit_power_laws(SIZES, law.error(SIZES)[None], np.full(5, 0.01))
    assert found.exponent == pytest.approx(law.exponent, rel=0.03)
    np.testing.assert_allclose(found.error(np.array([250, 5000])), law.error(np.array([250, 5000])), rtol=0.02)


@pytest.mark.parametrize("seed", range(8))
def test_the_fit_is_as_good_as_that_of_scipy(seed):
    generator = np.random.default_rng(seed)
    noise = generator.uniform(0.005, 0.02, 5)
    errors = PowerLaw(0.03, 3.0, 0.6).error(SIZES) + noise * generator.standard_normal(5)

    def residuals(values):
        return (values[0] + values[1] * (SIZES / 1000) ** -values[2] - errors) / noise

    starts = [(floor, 0.1, exponent) for floor in (0.0, 0.02) for exponent in (0.1, 0.5, 1.0, 1.8)]
    bounds = ([0, 0, 0.05], [1, 1, 2])
    best = min(2 * least_squares(residuals, start, bounds=bounds).cost for start in starts)
    (law,) = fit_power_laws(SIZES, errors[None], noise)
    assert law.floor >= 0 and law.scale >= 0
    assert (((law.error(SIZES) - errors) / noise) ** 2).sum() <= best * 1.01 + 1e-3


def test_intervals_hold_the_truth_as_often_as_they_say():
    law = PowerLaw(0.02, 2.0, 0.5)
    truth = 1 - law.error(2 * SIZES[-1])
    inside = 0
    for seed in range(150):
        found = extrapolate(*runs(law, seed=seed), 540)
        inside += found.low <= truth <= found.high
    assert 0.9 <= inside / 150 <= 0.99


def test_the_sentence_says_what_twice_as_many_would_bring():
    found = extrapolate(*runs(PowerLaw(0.0, 2.0, 0.5), validated=20_000), 20_000)
    assert found.conclusive and found.images == 5000
    assert found.sentence.startswith("Twice as many training images (5,000) would improve accuracy from 9")
    assert found.expected == pytest.approx(1 - 2 * 5000**-0.5, abs=0.005)
    assert "about 4 times as many" in found.sentence
    steep = extrapolate(*runs(PowerLaw(0.0, 478.0, 1.2), validated=20_000), 20_000)
    assert "about 1.8 times as many" in steep.sentence


def test_a_level_curve_is_no_reason_for_more_images():
    found = extrapolate(*runs(PowerLaw(0.05, 500.0, 2.0), validated=20_000), 20_000)
    assert "would hardly improve accuracy" in found.sentence


def test_few_images_tell_nothing_and_say_so():
    found = extrapolate(*runs(PowerLaw(0.0, 10.0, 0.5), repeats=1, validated=30), 30)
    assert not found.conclusive and "do not determine the gain" in found.sentence
    assert found.high - found.low > 0.1


def test_without_repeats_the_counting_error_of_validation_counts():
    images, errors = runs(PowerLaw(0.02, 2.0, 0.5), repeats=1)
    few, many = (extrapolate(images, errors, validated) for validated in (200, 5000))
    assert many.high - many.low < few.high - few.low


def test_no_mistakes_at_all_can_be_drawn_and_told():
    found = extrapolate(np.array([100, 200, 400]), np.zeros(3), 300)
    assert found.expected == pytest.approx(1, abs=0.01) and np.isfinite(found.band).all()
    assert found.law.images(0.5) == math.inf or found.law.images(0.5) >= 0


def test_two_sizes_are_no_curve():
    with pytest.raises(ValueError, match="three sizes"):
        extrapolate(np.array([100, 200, 200]), np.array([0.2, 0.1, 0.1]), 300)
