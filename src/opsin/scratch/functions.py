"""The functions inside a network: what a unit does with its weighted sum, and how an error is measured.

Each comes with its derivative, because learning is nothing but derivatives multiplied along the way back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def step(z: Array) -> Array:
    """Return 1 where ``z`` is 0 or more, else 0: Rosenblatt's unit (1958). It has no slope to learn from."""
    return (z >= 0).astype(float)


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), between 0 and 1, without overflow for any ``z``."""
    z = np.asarray(z)
    small = np.exp(-np.abs(z))  # never above 1
    return np.where(z >= 0, 1, small) / (1 + small)


def sigmoid_slope(a: Array) -> Array:
    """Return the derivative of the sigmoid, written with its output: a (1 - a). It is never above 1/4."""
    return a * (1 - a)


def tanh_slope(a: Array) -> Array:
    """Return the derivative of tanh, written with its output: 1 - a²."""
    return 1 - a * a


def relu(z: Array) -> Array:
    """Return ``z`` where it is positive, else 0."""
    return np.maximum(z, 0)


def relu_slope(a: Array) -> Array:
    """Return the derivative of ReLU, written with its output: 1 where it is positive, else 0."""
    return (a > 0).astype(a.dtype)


def softmax(z: Array) -> Array:
    """Return exp(z) divided by its sum over the last axis: probabilities of K classes.

    The largest ``z`` is taken off first. That changes nothing, as numerator and denominator shrink alike, and exp
    cannot overflow.
    """
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class Activation:
    """What a layer does with its weighted sums.

    Attributes:
        function: z -> a, same shape.
        slope: a -> da/dz, written with the output because that is at hand on the way back.
    """

    function: Callable[[Array], Array]
    slope: Callable[[Array], Array]


ACTIVATIONS = {
    "sigmoid": Activation(sigmoid, sigmoid_slope),
    "tanh": Activation(np.tanh, tanh_slope),
    "relu": Activation(relu, relu_slope),
    "linear": Activation(lambda z: z, np.ones_like),
}


def cross_entropy(P: Array, Y: Array) -> float:
    """Return the mean of -log(probability of the truth), in nats.

    Args:
        P: ``(N, K)``; probabilities.
        Y: ``(N, K)``; 1 for the true class, 0 for all others.
    """
    smallest = np.finfo(P.dtype).tiny  # a probability that was rounded to 0 costs much, not infinitely much
    return float(-(Y * np.log(np.maximum(P, smallest))).sum() / len(P))


def squared_error(P: Array, Y: Array) -> float:
    """Return half the squared distance of outputs ``(N, K)`` from targets ``(N, K)``, mean over the N examples."""
    return float(((P - Y) ** 2).sum() / (2 * len(P)))


def softmax_delta(error: str, P: Array, Y: Array) -> Array:
    """Return the derivative of an error by the weighted sums of a softmax layer, for each example, ``(N, K)``.

    For the cross-entropy the two derivatives cancel to ``P - Y``: the most beautiful line of this package. For the
    squared error the slope of the softmax stays, and a network that is surely wrong hardly learns.

    Args:
        error: ``cross_entropy`` or ``squared_error``.
        P: ``(N, K)``; outputs of the softmax.
        Y: ``(N, K)``; targets.
    """
    if error == "cross_entropy":
        return P - Y
    G = P - Y  # (N, K), the derivative by the outputs
    return P * (G - (G * P).sum(axis=1, keepdims=True))


ERRORS: dict[str, Callable[[Array, Array], float]] = {"cross_entropy": cross_entropy, "squared_error": squared_error}
