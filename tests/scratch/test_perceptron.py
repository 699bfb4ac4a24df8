import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from opsin.scratch.perceptron import CORNERS, combine, gate, learn_by_gradient, learn_by_perceptron_rule, xor


@pytest.mark.parametrize(
    ("name", "answers"),
    [("and", [0, 0, 0, 1]), ("or", [0, 1, 1, 1]), ("nand", [1, 1, 1, 0]), ("not", [1, 0, 1, 0])],
)
def test_gates(name, answers):
    np.testing.assert_array_equal(gate(name).predict(CORNERS), answers)


def test_xor_takes_a_network():
    np.testing.assert_array_equal(xor(CORNERS), [0, 1, 1, 0])
    with pytest.raises(KeyError):
        gate("xor")


def test_combining_two_units_as_in_the_lesson():
    assert combine(0.4, 0.6, 3, 5, -2.2) == pytest.approx(0.88, abs=0.005)
    assert combine(0.4, 0.6, 2, 6, -2) != pytest.approx(0.88, abs=0.005)


@given(st.integers(0, 10_000))
def test_the_rule_finds_a_line_where_there_is_one(seed):
    generator = np.random.default_rng(seed)
    w = generator.normal(size=2)
    X = generator.uniform(-1, 1, size=(60, 2))
    X = X[np.abs(X @ w) > 0.15 * np.linalg.norm(w)]  # a gap between the classes
    y = (X @ w > 0).astype(float)
    lines = learn_by_perceptron_rule(X, y, passes=500, seed=seed)
    np.testing.assert_array_equal(lines.perceptron.predict(X), y)
    assert lines.mistakes[-1] == 0
    assert len(lines.moves) == 1 + sum(lines.mistakes)


def test_the_rule_never_comes_to_rest_on_xor():
    lines = learn_by_perceptron_rule(CORNERS, np.array([0.0, 1, 1, 0]), passes=300)
    assert len(lines.mistakes) == 300
    assert min(lines.mistakes) > 0


def test_a_wrong_point_pulls_the_line_by_itself():
    lines = learn_by_perceptron_rule(np.array([[2.0, 3.0]]), np.array([1.0]), rate=0.5, seed=3)
    if len(lines.moves) > 1:
        np.testing.assert_allclose(lines.moves[1] - lines.moves[0], [1.0, 1.5, 0.5])
    assert lines.perceptron.predict(np.array([[2.0, 3.0]]))[0] == 1


def test_the_gradient_leads_to_logistic_regression():
    generator = np.random.default_rng(0)
    y = np.arange(200) % 2.0
    X = generator.normal(size=(200, 2)) + 1.5 * y[:, None]
    lines, costs = learn_by_gradient(X, y, rate=1.0, passes=3000)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(lines.perceptron.w, reference.coef_[0], rtol=1e-4)
    assert lines.perceptron.b == pytest.approx(reference.intercept_[0], rel=1e-4)
    assert (np.diff(costs) < 1e-12).all()
