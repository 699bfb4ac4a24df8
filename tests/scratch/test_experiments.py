import numpy as np
import pytest
from sklearn.datasets import load_digits

from opsin.scratch import experiments


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    X, order = (data.data / 16).astype(np.float32), np.random.default_rng(0).permutation(len(data.data))
    return experiments.Digits(X[order[:1000]], data.target[order[:1000]], X[order[1000:]], data.target[order[1000:]])


def test_on_few_images_the_curves_part(digits):
    progress = experiments.early_stopping(digits)
    assert progress.best_epoch < 40
    assert progress.validation[-1] > 1.1 * min(progress.validation)
    assert progress.training[-1] < 0.01


def test_the_larger_weights_of_the_same_line_are_the_worse():
    small, large = experiments.why_small_weights()
    assert large["error"] < small["error"]
    assert large["penalized"] > small["penalized"]
    assert large["slope"] < 1e-6 * small["slope"]
    assert large["cost_of_a_mistake"] > 9 * small["cost_of_a_mistake"]


def test_l1_empties_weights_and_l2_shrinks_them(digits):
    none, l1, l2 = experiments.regularization(digits)
    zero = [float((np.abs(each.network.layers[0].W) < 1e-3).mean()) for each in (none, l1, l2)]
    size = [float((each.network.layers[0].W ** 2).sum()) for each in (none, l1, l2)]
    assert zero[1] > 0.5 > 0.05 > zero[0]
    assert size[2] < size[0]


def test_dropout_knows_more_of_new_images(digits):
    plain, dropped = experiments.dropout(digits, epochs=40)
    assert dropped.progress.validation[-1] < plain.progress.validation[-1]
    assert dropped.progress.training[-1] > plain.progress.training[-1]


def test_smaller_batches_get_further_in_as_many_epochs(digits):
    batch, mini, stochastic = experiments.batch_sizes(digits, epochs=5)
    assert batch.progress.validation[-1] > mini.progress.validation[-1] > stochastic.progress.validation[-1]


def test_a_rate_that_shrinks_ends_lower_than_a_large_or_a_small_one(digits):
    large, small, shrinking = experiments.learning_rate_decay(digits)
    assert shrinking.progress.validation[-1] < min(large.progress.validation[-1], small.progress.validation[-1])


def test_the_squared_error_learns_more_slowly(digits):
    entropy, squared = experiments.error_functions(digits)
    assert entropy.progress.accuracy[-1] > squared.progress.accuracy[-1] + 0.05


def test_gradients_vanish_through_sigmoids_alone(digits):
    sizes = experiments.vanishing_gradients(digits)
    assert sizes["sigmoid"][0] < 1e-3 * sizes["sigmoid"][-1]
    assert sizes["tanh"][0] > 0.03 * sizes["tanh"][-1]
    assert sizes["relu"][0] > 0.03 * sizes["relu"][-1]


def test_momentum_gets_further_along_a_narrow_valley():
    ways = experiments.momentum()
    plain, with_momentum = (float(np.linalg.norm(way[-1])) for way in ways.values())
    assert with_momentum < plain / 3


def test_some_beginnings_solve_xor_and_some_do_not():
    errors = experiments.random_restarts(starts=12)
    assert errors.min() < 0.01
    assert errors.max() > 0.1
