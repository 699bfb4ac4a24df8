import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opsin.scratch import functions as f

NUMBERS = st.lists(st.floats(-50, 50), min_size=1, max_size=8).map(np.array)


@given(NUMBERS)
def test_functions_and_their_slopes_are_those_of_torch(z):
    for name, reference in (("sigmoid", torch.sigmoid), ("tanh", torch.tanh), ("relu", torch.relu)):
        values = torch.tensor(z, requires_grad=True)
        out = reference(values)
        out.sum().backward()
        a = f.ACTIVATIONS[name].function(z)
        np.testing.assert_allclose(a, out.detach().numpy(), atol=1e-12)
        np.testing.assert_allclose(f.ACTIVATIONS[name].slope(a), values.grad.numpy(), atol=1e-9)


def test_no_number_is_too_large_for_sigmoid_and_softmax():
    np.testing.assert_array_equal(f.sigmoid(np.array([-1e9, 0, 1e9])), [0, 0.5, 1])
    np.testing.assert_array_equal(f.softmax(np.array([[1e9, 0, -1e9]])), [[1, 0, 0]])


@given(st.integers(0, 1000))
def test_errors_and_their_slopes_are_those_of_torch(seed):
    generator = np.random.default_rng(seed)
    z, labels = generator.normal(size=(4, 3)) * 3, generator.integers(0, 3, 4)
    Y, P = np.eye(3)[labels], f.softmax(z)
    values = torch.tensor(z, requires_grad=True)
    for name, reference in (
        ("cross_entropy", torch.nn.functional.cross_entropy(values, torch.tensor(labels), reduction="sum")),
        ("squared_error", ((values.softmax(1) - torch.tensor(Y)) ** 2).sum() / 2),
    ):
        (slope,) = torch.autograd.grad(reference, values, retain_graph=True)
        assert f.ERRORS[name](P, Y) == pytest.approx(reference.item() / 4, rel=1e-9)
        np.testing.assert_allclose(f.softmax_delta(name, P, Y), slope.numpy(), atol=1e-9)


def test_a_probability_of_zero_costs_much_but_not_infinitely_much():
    assert 500 < f.cross_entropy(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])) < 1000


def test_a_step_is_one_from_zero_on():
    np.testing.assert_array_equal(f.step(np.array([-0.1, 0, 2])), [0, 1, 1])
