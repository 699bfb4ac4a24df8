"""What helps training: small experiments, each a few lines that can be changed, each with numbers that can be drawn.

Most of them take images and labels, as a few hundred handwritten digits are enough to see everything here; three need
no data at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsin.scratch.functions import Array, sigmoid
from opsin.scratch.network import Layer, Network, Progress, one_hot, train

Labels = NDArray[np.integer]


@dataclass(frozen=True)
class Digits:
    """Images to experiment with.

    Attributes:
        X: ``(N, D)``; training images, a row each, float32 from 0 to 1.
        labels: ``(N,)``; their classes, from 0 on.
        new_X: ``(M, D)``; images that are never trained on.
        new_labels: ``(M,)``.
    """

    X: Array
    labels: Labels
    new_X: Array
    new_labels: Labels

    @property
    def validation(self) -> tuple[Array, Labels]:
        """Images and labels that are never trained on."""
        return self.new_X, self.new_labels

    def few(self, images: int) -> Digits:
        """Return the same with fewer training images."""
        return Digits(self.X[:images], self.labels[:images], self.new_X, self.new_labels)

    def network(self, units: Sequence[int] = (50,), **options: object) -> Network:
        """Return a fresh network of the right number of inputs and classes, with these numbers of hidden units."""
        return Network((self.X.shape[1], *units, int(self.labels.max()) + 1), **options)  # type: ignore[arg-type]


def early_stopping(digits: Digits, images: int = 60, epochs: int = 100) -> Progress:
    """Train on few images for long: the error on them falls and falls, the error on new ones turns and rises.

    `Progress.best_epoch` is where one should have stopped; ``patience`` of `train` does it.
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

    It is the same line. The larger weights have the smaller error, yet they are the worse: so sure of everything, they
    leave no slope to learn from, and a single point on the wrong side costs enormously. The penalty turns the order
    round.

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
    """A network that was trained in one of several ways.

    Attributes:
        name: What is different.
        network: As it is in the end.
        progress: How it got there.
    """

    name: str
    network: Network
    progress: Progress


def compare(digits: Digits, variants: dict[str, dict], epochs: int, **training: object) -> list[Variant]:
    """Train networks that differ in one thing; all else is equal, the first weights and the order too.

    Args:
        digits: The images.
        variants: Name -> options of `Network`; the key ``train`` holds options of `train` instead.
        epochs: Of each.
        training: Further options of `train` for all.
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
    """Train on few images without a penalty, with L1 and with L2: L1 empties weights, L2 shrinks them all."""
    variants: dict[str, dict] = {"none": {}, "L1": {"l1": 1e-3}, "L2": {"l2": 3e-3}}
    return compare(digits.few(images), variants, epochs, batch_size=20, rate=0.2)


def dropout(digits: Digits, epochs: int = 60) -> list[Variant]:
    """Train with all units, and with half of them left out at random in each step, so that none can rely on another."""
    wide = {"units": (200,)}
    return compare(digits, {"all units": wide, "dropout 0.5": wide | {"dropout": 0.5}}, epochs)


def batch_sizes(digits: Digits, epochs: int = 15) -> list[Variant]:
    """Train with all examples in each step, with 32, and with one: the smaller, the more steps an epoch has."""
    sizes = {"batch: all": len(digits.X), "mini-batch: 32": 32, "stochastic: 1": 1}
    return compare(digits, {name: {"train": {"batch_size": size}} for name, size in sizes.items()}, epochs, rate=0.02)


def learning_rate_decay(digits: Digits, epochs: int = 30) -> list[Variant]:
    """Train at a large rate, at a small one, and at a large one that shrinks: far leaps first, then careful steps."""
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
    """Train with the cross-entropy and with the squared error, which hardly corrects what is surely wrong."""
    return compare(digits, {"cross-entropy": {}, "squared error": {"error": "squared_error"}}, epochs)


def vanishing_gradients(digits: Digits, depth: int = 8, width: int = 30) -> dict[str, list[float]]:
    """Measure how large the gradient still is in each layer of a deep network that has not learned yet.

    The slope of a sigmoid is 1/4 at most, so that every layer on the way back takes at least three quarters away; tanh
    and ReLU have slopes of up to 1.

    Returns:
        For each kind of hidden unit, the root mean square of the weights' gradients, from the first layer to the last.
    """
    X, Y = digits.X[:100], one_hot(digits.labels[:100], int(digits.labels.max()) + 1, digits.X.dtype)
    sizes = {}
    for hidden in ("sigmoid", "tanh", "relu"):
        network = digits.network((width,) * depth, hidden=hidden)
        gradients = network.backpropagate(network.feed_forward(X), Y)
        sizes[hidden] = [float(np.sqrt((gradient.W**2).mean())) for gradient in gradients]
    return sizes


def momentum(curvatures: tuple[float, float] = (1.0, 60.0), rate: float = 0.03, steps: int = 60) -> dict[str, Array]:
    """Walk down a narrow valley, E = (c1 x² + c2 y²) / 2, without and with momentum of 0.9.

    Without, the way zigzags between the steep walls and hardly gets on along the floor.

    Returns:
        The way of each, ``(steps + 1, 2)``.
    """
    ways = {}
    for name, part in (("without", 0.0), ("momentum 0.9", 0.9)):
        place, speed = np.array([-10.0, 1.0]), np.zeros(2)  # (2,)
        way = [place]
        for _ in range(steps):
            speed = part * speed + np.array(curvatures) * place  # (2,), the gradient and what is left of the last step
            place = place - rate * speed
            way.append(place)
        ways[name] = np.array(way)
    return ways


def random_restarts(starts: int = 20, steps: int = 3000, rate: float = 1.0) -> Array:
    """Learn XOR with two hidden units from several random beginnings; some end in a dead end that is no solution.

    Returns:
        ``(starts,)``; the error (cross-entropy) that each ended with. The best of several is what one keeps.
    """
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)  # (4, 2)
    Y = one_hot(np.array([0, 1, 1, 0]), 2, float)  # (4, 2)
    errors = np.zeros(starts)
    for seed in range(starts):
        network = Network((2, 2, 2), hidden="sigmoid", seed=seed, dtype=np.float64)
        network.layers = [
            Layer(3 * layer.W, layer.b) for layer in network.layers
        ]  # far apart, so that beginnings differ
        for _ in range(steps):
            activations = network.feed_forward(X)
            network.update(network.backpropagate(activations, Y), rate)
        errors[seed] = network.error(network.predict(X), Y)
    return errors
