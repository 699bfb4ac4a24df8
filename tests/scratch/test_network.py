import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from opsin.scratch.network import Layer, Network, numerical_gradients, one_hot, train


def example(seed, **options):
    generator = np.random.default_rng(seed)
    network = Network((5, 6, 4, 3), seed=seed, dtype=np.float64, **options)
    for layer in network.layers:  # a bias of 0 would put units that get nothing on the kink of ReLU
        layer.b += generator.normal(size=layer.b.shape)
    X, labels = generator.normal(size=(7, 5)), generator.integers(0, 3, 7)
    return network, X, labels, one_hot(labels, 3, float), network.draw_masks(7)


def gradients_of_torch(network, X, labels, masks):
    tensors = [
        (torch.tensor(layer.W, requires_grad=True), torch.tensor(layer.b, requires_grad=True))
        for layer in network.layers
    ]
    a = torch.tensor(X)
    function = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "linear": lambda z: z}[network.hidden]
    for number, (W, b) in enumerate(tensors):
        a = a @ W + b
        if number < len(tensors) - 1:
            a = function(a) if masks is None else function(a) * torch.tensor(masks[number])
    if network.error_name == "cross_entropy":
        error = torch.nn.functional.cross_entropy(a, torch.tensor(labels))
    else:
        error = ((a.softmax(1) - torch.eye(3, dtype=torch.float64)[torch.tensor(labels)]) ** 2).sum() / (2 * len(X))
    for W, _ in tensors:
        error = error + network.l1 * W.abs().sum() + network.l2 / 2 * (W**2).sum()
    error.backward()
    return error.item(), [Layer(W.grad.numpy(), b.grad.numpy()) for W, b in tensors]


@pytest.mark.parametrize("hidden", ["relu", "sigmoid", "tanh", "linear"])
@pytest.mark.parametrize("error", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize(
    "options", [{}, {"l1": 0.01}, {"l2": 0.03}, {"dropout": 0.4}], ids=["plain", "l1", "l2", "drop"]
)
def test_gradients_are_those_of_autograd_and_of_finite_differences(hidden, error, options):
    network, X, labels, Y, masks = example(1, hidden=hidden, error=error, **options)
    activations = network.feed_forward(X, masks)
    gradients = network.backpropagate(activations, Y, masks)
    value, reference = gradients_of_torch(network, X, labels, masks)
    assert network.error(activations[-1], Y) == pytest.approx(value, rel=1e-9)
    tried = numerical_gradients(network, X, Y, masks)
    for mine, theirs, differences in zip(gradients, reference, tried, strict=True):
        for part in ("W", "b"):
            np.testing.assert_allclose(getattr(mine, part), getattr(theirs, part), atol=1e-10)
            np.testing.assert_allclose(getattr(mine, part), getattr(differences, part), atol=1e-6)


def test_the_classic_network_has_79510_weights():
    assert Network((784, 100, 10)).size == 79_510


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100), st.sampled_from([0.0, 0.9]))
def test_training_is_that_of_torch_step_by_step(seed, momentum):
    network, X, labels, _, _ = example(seed)
    layers = [torch.nn.Linear(layer.W.shape[0], layer.W.shape[1]).double() for layer in network.layers]
    for mine, theirs in zip(network.layers, layers, strict=True):
        theirs.weight.data, theirs.bias.data = torch.tensor(mine.W.T.copy()), torch.tensor(mine.b.copy())
    model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
    generator = np.random.default_rng(4)
    for _ in range(3):
        order = generator.permutation(len(X))
        for start in range(0, len(X), 3):
            rows = order[start : start + 3]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(torch.tensor(X[rows])), torch.tensor(labels[rows])).backward()
            optimizer.step()
    train(network, X, labels, epochs=3, batch_size=3, rate=0.1, momentum=momentum, seed=4)
    for mine, theirs in zip(network.layers, layers, strict=True):
        np.testing.assert_allclose(mine.W, theirs.weight.detach().numpy().T, atol=1e-10)
        np.testing.assert_allclose(mine.b, theirs.bias.detach().numpy(), atol=1e-10)


def digits():
    data = load_digits()
    X, order = (data.data / 16).astype(np.float32), np.random.default_rng(0).permutation(len(data.data))
    return X[order[:1400]], data.target[order[:1400]], X[order[1400:]], data.target[order[1400:]]


def test_it_reads_digits_it_has_never_seen():
    X, labels, new, new_labels = digits()
    network = Network((64, 50, 10))
    progress = train(network, X, labels, epochs=30, batch_size=32, rate=0.2, validation=(new, new_labels))
    assert network.accuracy(new, new_labels) > 0.96
    assert progress.accuracy[-1] == network.accuracy(new, new_labels)
    assert progress.training[-1] < 0.1 < progress.training[0]


def test_patience_takes_back_the_best_weights():
    X, labels, new, new_labels = digits()
    few = Network((64, 30, 10))
    progress = train(
        few, X[:60], labels[:60], epochs=100, batch_size=20, momentum=0.9, validation=(new, new_labels), patience=10
    )
    assert len(progress.training) == progress.best_epoch + 10 < 100
    P = few.predict(new)
    error = -np.log(P[np.arange(len(new)), new_labels]).mean()
    assert error == pytest.approx(min(progress.validation), rel=1e-4)


def test_dropout_leaves_out_its_part_and_makes_up_for_it():
    network = Network((4, 1000, 3), dropout=0.25)
    (mask,) = network.draw_masks(20)
    assert set(np.unique(mask)) == {0, np.float32(1 / 0.75)}
    assert mask.mean() == pytest.approx(1, abs=0.02)
    assert Network((4, 5, 3)).draw_masks(20) is None


def test_equal_seeds_give_equal_weights():
    X, labels, _, _ = digits()
    networks = [Network((64, 20, 10), dropout=0.5, seed=3) for _ in range(2)]
    for network in networks:
        train(network, X[:200], labels[:200], epochs=2, seed=1)
    np.testing.assert_array_equal(networks[0].layers[0].W, networks[1].layers[0].W)
