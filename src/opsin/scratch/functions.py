"""Activation and error functions of a network, each with its derivative.

Backpropagation multiplies these derivatives from the output back to the input (chain rule).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def step(z: Array) -> Array:
    """Return 1 where ``z`` is 0 or more, else 0: Rosenblatt's unit (1958). Its derivative is 0 almost everywhere."""
    return (z >= 0).astype(float)


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), between 0 and 1, without overflow for any ``z``."""
    z = np.asarray(z)
    small = np.exp(-np.abs(z))  # never above 1
    result: Array = np.where(z >= 0, 1, small) / (1 + small)
    return result


def sigmoid_slope(a: Array) -> Array:
    """Return the derivative of the sigmoid as a function of its output, a (1 - a); at most 1/4."""
    return a * (1 - a)


def tanh_slope(a: Array) -> Array:
    """Return the derivative of tanh as a function of its output, 1 - a²."""
    return 1 - a * a


def relu(z: Array) -> Array:
    """Return ``z`` where it is positive, else 0."""
    return np.maximum(z, 0)


def relu_slope(a: Array) -> Array:
    """Return the derivative of ReLU as a function of its output: 1 where positive, else 0."""
    return (a > 0).astype(a.dtype)


def softmax(z: Array) -> Array:
    """Return exp(z) divided by its sum over the last axis: probabilities of K classes.

    The largest ``z`` is subtracted first: the result is unchanged, and exp cannot overflow.
    """
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    result: Array = powers / powers.sum(axis=-1, keepdims=True)
    return result


@dataclass(frozen=True)
class Activation:
    """Activation function of a layer.

    Attributes:
        function: z -> a, same shape.
        slope: a -> da/dz as a function of the output, which backpropagation has at hand.
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
    """Return the cross-entropy, the mean of -log(probability of the true class), in nats.

    Args:
        P: ``(N, K)``; probabilities.
        Y: ``(N, K)``; 1 for the true class, 0 for all others.
    """
    smallest = np.finfo(P.dtype).tiny  # a probability rounded to 0 gives a large but finite error
    return float(-(Y * np.log(np.maximum(P, smallest))).sum() / len(P))


def squared_error(P: Array, Y: Array) -> float:
    """Return half the squared distance between outputs and targets ``(N, K)``, mean over the N examples."""
    return float(((P - Y) ** 2).sum() / (2 * len(P)))


def softmax_delta(error: str, P: Array, Y: Array) -> Array:
    """Return the derivative of an error with respect to the inputs of a softmax layer, ``(N, K)``.

    For the cross-entropy it simplifies to ``P - Y``. For the squared error the derivative of the softmax remains as a
    factor, so that confident mistakes are hardly corrected.

    Args:
        error: ``cross_entropy`` or ``squared_error``.
        P: ``(N, K)``; outputs of the softmax.
        Y: ``(N, K)``; targets.
    """
    if error == "cross_entropy":
        return P - Y
    G = P - Y  # (N, K), the derivative with respect to the outputs
    result: Array = P * (G - (G * P).sum(axis=1, keepdims=True))
    return result


ERRORS: dict[str, Callable[[Array, Array], float]] = {"cross_entropy": cross_entropy, "squared_error": squared_error}
