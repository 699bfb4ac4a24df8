import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from opsin.scratch.regression import Scale, closed_form, cost, descend, explained, largest_rate, steps_needed


def problem(seed, inputs=3):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(40, inputs)) * 10.0 ** generator.integers(-1, 2, inputs) + generator.normal(size=inputs)
    return X, X @ generator.normal(size=inputs) + generator.normal() + generator.normal(size=40)


@given(st.integers(0, 1000))
def test_the_formula_is_that_of_scikit_learn(seed):
    X, y = problem(seed)
    fit, reference = closed_form(X, y), LinearRegression().fit(X, y)
    np.testing.assert_allclose(fit.w, reference.coef_, rtol=1e-8)
    assert fit.b == pytest.approx(reference.intercept_, rel=1e-6, abs=1e-9)
    assert explained(fit, X, y) == pytest.approx(r2_score(y, reference.predict(X)), rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 200))
def test_descent_reaches_what_the_formula_gives(seed):
    X, y = problem(seed)
    scaled = Scale.of(X).apply(X)
    fit = descend(scaled, y, 0.9 * largest_rate(scaled), 3000)
    np.testing.assert_allclose(fit.w, closed_form(scaled, y).w, atol=1e-6)
    assert fit.costs[-1] == pytest.approx(cost(scaled, y, fit.w, fit.b))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200))
def test_the_largest_rate_parts_ways_down_from_ways_up(seed):
    X, y = problem(seed)
    scaled = Scale.of(X).apply(X)
    most = largest_rate(scaled)
    below, above = descend(scaled, y, 0.95 * most, 400), descend(scaled, y, 1.1 * most, 400)
    assert (np.diff(below.costs) <= 1e-9).all()
    assert above.costs[-1] > above.costs[0]


def test_a_way_that_leads_beyond_all_numbers_is_ended():
    X, y = problem(0)
    fit = descend(X, y, 1e3, 10_000)
    assert len(fit.costs) < 100
    assert np.isfinite(fit.costs).all() or fit.costs[-1] == np.inf


def test_scaling_makes_the_way_shorter():
    X, _ = problem(1)
    X = X * [1, 100, 10_000]
    scaled = Scale.of(X).apply(X)
    assert steps_needed(X, largest_rate(X) / 2) > 1000 * steps_needed(scaled, largest_rate(scaled) / 2)


def test_the_predicted_number_of_steps_is_what_it_takes():
    X, y = problem(2)
    scaled = Scale.of(X).apply(X)
    rate = largest_rate(scaled) / 2
    needed = int(np.ceil(steps_needed(scaled, rate)))
    exact = closed_form(scaled, y)
    left = np.linalg.norm(descend(scaled, y, rate, needed).w - exact.w)
    assert left <= 0.011 * np.hypot(np.linalg.norm(exact.w), exact.b)


def test_an_input_that_never_changes_is_left_alone():
    scaled = Scale.of(np.array([[1.0, 5], [3, 5]])).apply(np.array([[1.0, 5], [3, 5]]))
    np.testing.assert_array_equal(scaled, [[-1, 0], [1, 0]])
