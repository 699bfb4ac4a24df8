"""Small experiments on training techniques; each returns numbers for a plot.

Most need images and labels, for which a few hundred handwritten digits suffice; three need no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.scratch.functions import Array, sigmoid
from opsin.scratch.network import Layer, Network, Progress, one_hot, train

Labels = NDArray[np.integer]


@dataclass(frozen=True)
class Digits:
    """Images for the experiments.

    Attributes:
        X: ``(N, D)``; training images, a row each, float32 from 0 to 1.
        labels: ``(N,)``; class indices from 0.
        new_X: ``(M, D)``; held-out images.
        new_labels: ``(M,)``.
    """

    X: Array
    labels: Labels
    new_X: Array
    new_labels: Labels

    @property
    def validation(self) -> tuple[Array, Labels]:
        """Held-out images and labels."""
        return self.new_X, self.new_labels

    def few(self, images: int) -> Digits:
        """Return a copy with fewer training images."""
        return Digits(self.X[:images], self.labels[:images], self.new_X, self.new_labels)

    def network(self, units: Sequence[int] = (50,), **options: object) -> Network:
        """Return a new network with matching inputs and classes, and the given hidden layers."""
        return Network((self.X.shape[1], *units, int(self.labels.max()) + 1), **options)  # type: ignore[arg-type]


def early_stopping(digits: Digits, images: int = 60, epochs: int = 100) -> Progress:
    """Train long on few images: the training error keeps falling, the validation error turns and rises.

    `Progress.best_epoch` is the best epoch to stop; ``patience`` of `train` does so.
    """
    few = digits.few(images)
    return train(
        few.network((30,)),
        few.X,
        few.labels,
        epochs=epochs,
        batch_size=20,
        rate=0.1,
        momentum=0.9,
        validation=few.validation,
    )


def why_small_weights(scales: Sequence[float] = (1.0, 10.0), l2: float = 0.01) -> list[dict[str, float]]:
    """Compare the lines x1 + x2 = 0 and 10 x1 + 10 x2 = 0 on the points (1, 1) of class 1 and (-1, -1) of class 0.

    It is the same line. The larger weights have the smaller error but are worse: the sigmoid saturates, so that
    gradients vanish, and a single point on the wrong side is very costly. The L2 penalty reverses the order.

    Returns:
        For each scale: ``weight``, ``error`` (cross-entropy), ``penalized`` (with l2/2 · Σw²), ``slope`` of the
        sigmoid at (1, 1), and ``cost_of_a_mistake``, the error at (1, 1) had its class been 0.
    """
    rows = []
    for scale in scales:
        z = scale * 2.0  # at (1, 1); -z at (-1, -1)
        p = float(sigmoid(np.array(z)))
        error = float(np.log1p(np.exp(-z)))  # -log p, the same for both points
        rows.append(
            {
                "weight": scale,
                "error": error,
                "penalized": error + l2 / 2 * 2 * scale**2,
                "slope": p * (1 - p),
                "cost_of_a_mistake": float(np.log1p(np.exp(z))),
            }
        )
    return rows


@dataclass(frozen=True)
class Variant:
    """A trained network of a comparison.

    Attributes:
        name: The difference from the others.
        network: The trained network.
        progress: Its training history.
    """

    name: str
    network: Network
    progress: Progress


def compare(digits: Digits, variants: dict[str, dict[Any, Any]], epochs: int, **training: object) -> list[Variant]:
    """Train networks that differ in one setting; initial weights and order of the examples are the same.

    Args:
        digits: The images.
        variants: Name -> options of `Network`; the key ``train`` holds options of `train`.
        epochs: Epochs of each.
        training: Options of `train` for all.
    """
    results = []
    for name, options in variants.items():
        own = dict(options)
        chosen = {"batch_size": 32, "rate": 0.1, **training, **own.pop("train", {})}
        network = digits.network(own.pop("units", (50,)), **own)
        progress = train(
            network,
            digits.X,
            digits.labels,
            epochs=epochs,
            validation=digits.validation,
            **chosen,
        )
        results.append(Variant(name, network, progress))
    return results


def regularization(digits: Digits, images: int = 100, epochs: int = 300) -> list[Variant]:
    """Train on few images without penalty, with L1 and with L2: L1 sets weights to 0, L2 shrinks all."""
    variants: dict[str, dict[Any, Any]] = {"none": {}, "L1": {"l1": 1e-3}, "L2": {"l2": 3e-3}}
    return compare(digits.few(images), variants, epochs, batch_size=20, rate=0.2)


def dropout(digits: Digits, epochs: int = 60) -> list[Variant]:
    """Train with and without dropout of half of the hidden units, which prevents co-adaptation."""
    wide = {"units": (200,)}
    return compare(digits, {"all units": wide, "dropout 0.5": wide | {"dropout": 0.5}}, epochs)


def batch_sizes(digits: Digits, epochs: int = 15) -> list[Variant]:
    """Train with batches of all, 32 and 1 examples: smaller batches give more steps per epoch."""
    sizes = {"batch: all": len(digits.X), "mini-batch: 32": 32, "stochastic: 1": 1}
    return compare(digits, {name: {"train": {"batch_size": size}} for name, size in sizes.items()}, epochs, rate=0.02)


def learning_rate_decay(digits: Digits, epochs: int = 30) -> list[Variant]:
    """Train at a large, a small and a decaying learning rate: large steps first, small ones at the end."""
    return compare(
        digits,
        {
            "large": {"train": {"rate": 1.0}},
            "small": {"train": {"rate": 0.03}},
            "large, shrinking": {"train": {"rate": lambda done: 1.0 * (1 - done)}},
        },
        epochs,
        batch_size=16,
    )


def error_functions(digits: Digits, epochs: int = 15) -> list[Variant]:
    """Train with the cross-entropy and with the squared error, which hardly corrects confident mistakes."""
    return compare(digits, {"cross-entropy": {}, "squared error": {"error": "squared_error"}}, epochs)


def vanishing_gradients(digits: Digits, depth: int = 8, width: int = 30) -> dict[str, list[float]]:
    """Measure the size of the gradient in each layer of an untrained deep network.

    The derivative of a sigmoid is at most 1/4, so that each layer reduces the backpropagated gradient by at least three
    quarters; the derivatives of tanh and ReLU reach 1.

    Returns:
        Activation -> root mean square gradient of the weights of each layer, first to last.
    """
    X, Y = digits.X[:100], one_hot(digits.labels[:100], int(digits.labels.max()) + 1, digits.X.dtype)
    sizes = {}
    for hidden in ("sigmoid", "tanh", "relu"):
        network = digits.network((width,) * depth, hidden=hidden)
        gradients = network.backpropagate(network.feed_forward(X), Y)
        sizes[hidden] = [float(np.sqrt((gradient.W**2).mean())) for gradient in gradients]
    return sizes


def momentum(curvatures: tuple[float, float] = (1.0, 60.0), rate: float = 0.03, steps: int = 60) -> dict[str, Array]:
    """Gradient descent in a narrow valley, E = (c1 x² + c2 y²) / 2, without and with momentum of 0.9.

    Without momentum, the path oscillates between the steep walls and progresses slowly along the valley.

    Returns:
        The path of each, ``(steps + 1, 2)``.
    """
    ways = {}
    for name, part in (("without", 0.0), ("momentum 0.9", 0.9)):
        place, speed = np.array([-10.0, 1.0]), np.zeros(2)  # (2,)
        way = [place]
        for _ in range(steps):
            speed = part * speed + np.array(curvatures) * place  # (2,), the gradient plus a fraction of the last step
            place = place - rate * speed
            way.append(place)
        ways[name] = np.array(way)
    return ways


def random_restarts(starts: int = 20, steps: int = 3000, rate: float = 1.0) -> Array:
    """Train XOR with two hidden units from several random initializations; some end in a poor local minimum.

    Returns:
        ``(starts,)``; final error (cross-entropy) of each. In practice the best of several is kept.
    """
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)  # (4, 2)
    Y = one_hot(np.array([0, 1, 1, 0]), 2, float)  # (4, 2)
    errors = np.zeros(starts)
    for seed in range(starts):
        network = Network((2, 2, 2), hidden="sigmoid", seed=seed, dtype=np.float64)
        network.layers = [Layer(3 * layer.W, layer.b) for layer in network.layers]  # large, so that the starts differ
        for _ in range(steps):
            activations = network.feed_forward(X)
            network.update(network.backpropagate(activations, Y), rate)
        errors[seed] = network.error(network.predict(X), Y)
    return errors
