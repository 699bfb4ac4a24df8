"""A neural network of one's own: layers of any widths, trained by mini-batch gradient descent, in four visible steps.

    feed_forward      inputs -> activations of every layer, the last of them the prediction
    error             prediction and truth -> one number
    backpropagate     that number's derivative by every weight
    update            a small step down

With widths (784, 10) it is softmax regression, and its ten columns of weights can be looked at as pictures; with
(784, 100, 10) it is the classic network for handwritten digits, 79,510 numbers that are learned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.scratch.functions import ACTIVATIONS, ERRORS, Array, softmax, softmax_delta


@dataclass
class Layer:
    """Weights and biases of one layer; also used for anything of the same shapes (gradients, velocities).

    Attributes:
        W: ``(inputs, outputs)``.
        b: ``(outputs,)``.
    """

    W: Array
    b: Array


class Network:
    """A feed-forward network that ends in a softmax.

    Args:
        widths: Numbers of inputs, of units in each hidden layer, and of classes.
        hidden: What hidden units do: ``relu``, ``sigmoid``, ``tanh`` or ``linear``.
        error: ``cross_entropy`` or ``squared_error``.
        l1: How much the sum of absolute weights adds to the error (lasso): drives needless weights to exactly 0.
        l2: How much half the sum of squared weights adds (ridge): prefers many small weights to few large ones.
        dropout: Part of each hidden layer's units that a training step leaves out.
        seed: Of the first weights and of dropout.
        dtype: float32, or float64 for checking gradients.
    """

    def __init__(
        self,
        widths: Sequence[int],
        hidden: str = "relu",
        error: str = "cross_entropy",
        l1: float = 0.0,
        l2: float = 0.0,
        dropout: float = 0.0,
        seed: int = 0,
        dtype: Any = np.float32,
    ):
        self.widths, self.hidden, self.error_name = tuple(widths), hidden, error
        self.l1, self.l2, self.dropout = l1, l2, dropout
        self.generator = np.random.default_rng(seed)
        # The spread keeps signals as large as they came: He et al. (2015) for ReLU, Glorot & Bengio (2010) for the
        # rest.
        gain = 2.0 if hidden == "relu" else 1.0
        self.layers = [
            Layer(
                (self.generator.normal(size=(fan_in, fan_out)) * math.sqrt(gain / fan_in)).astype(dtype),
                np.zeros(fan_out, dtype),
            )
            for fan_in, fan_out in zip(self.widths, self.widths[1:], strict=False)
        ]

    @property
    def size(self) -> int:
        """How many numbers are learned."""
        return sum(layer.W.size + layer.b.size for layer in self.layers)

    def feed_forward(self, X: Array, masks: Sequence[Array] | None = None) -> list[Array]:
        """Send inputs through all layers.

        Args:
            X: ``(N, widths[0])``.
            masks: For dropout: ``(N, H)`` for each hidden layer, 0 for units left out, else what makes up for them.

        Returns:
            ``X`` itself, then the activations ``(N, width)`` of each layer; the last are probabilities.
        """
        function = ACTIVATIONS[self.hidden].function
        activations = [X]
        for number, layer in enumerate(self.layers):
            z = activations[-1] @ layer.W  # (N, width)
            z += layer.b
            if layer is self.layers[-1]:
                activations.append(softmax(z))  # (N, K)
                break
            a = function(z)  # (N, H)
            activations.append(a if masks is None else a * masks[number])
        return activations

    def error(self, P: Array, Y: Array) -> float:
        """Return how wrong probabilities ``(N, K)`` are for targets ``(N, K)``, and what large weights add to it."""
        error = ERRORS[self.error_name](P, Y)
        for layer in self.layers if self.l1 or self.l2 else ():
            error += self.l1 * float(np.abs(layer.W).sum()) + self.l2 / 2 * float((layer.W**2).sum())
        return error

    def backpropagate(self, activations: list[Array], Y: Array, masks: Sequence[Array] | None = None) -> list[Layer]:
        """Return the derivative of the error by every weight and bias.

        Args:
            activations: From `feed_forward`.
            Y: ``(N, K)``; targets.
            masks: As `feed_forward` had them.
        """
        slope = ACTIVATIONS[self.hidden].slope
        delta = softmax_delta(self.error_name, activations[-1], Y)  # (N, K)
        delta /= len(Y)
        gradients: list[Layer] = []
        for number in reversed(range(len(self.layers))):
            layer, a = self.layers[number], activations[number]  # a: (N, inputs), what came into the layer
            gradient = Layer(a.T @ delta, delta.sum(axis=0))  # (inputs, outputs), (outputs,)
            if self.l1:
                gradient.W += self.l1 * np.sign(layer.W)
            if self.l2:
                gradient.W += self.l2 * layer.W
            gradients.insert(0, gradient)
            if number:
                delta = delta @ layer.W.T  # (N, H), the error sent back through the weights
                if masks is None:
                    delta *= slope(a)
                else:  # a unit that was left out has no part in the error; the others' outputs were scaled
                    mask = masks[number - 1]
                    delta *= mask * slope(np.divide(a, mask, out=np.zeros_like(a), where=mask > 0))
        return gradients

    def update(self, gradients: list[Layer], rate: float) -> None:
        """Step down the slope: each weight and bias loses ``rate`` times its gradient."""
        for layer, gradient in zip(self.layers, gradients, strict=True):
            gradient.W *= rate
            gradient.b *= rate
            layer.W -= gradient.W
            layer.b -= gradient.b

    def draw_masks(self, number: int) -> list[Array] | None:
        """Choose at random which hidden units a step on ``number`` examples leaves out (Srivastava et al. 2014).

        The others are scaled up so that the next layer gets as much as before, and nothing need change afterwards.
        """
        if not self.dropout:
            return None
        dtype = self.layers[0].W.dtype
        keep = 1 - self.dropout
        return [
            (self.generator.random((number, width)) < keep).astype(dtype) / dtype.type(keep)  # (N, H)
            for width in self.widths[1:-1]
        ]

    def predict(self, X: Array) -> Array:
        """Return probabilities ``(N, K)`` of inputs ``(N, D)``."""
        return self.feed_forward(X)[-1]

    def accuracy(self, X: Array, labels: NDArray[np.integer]) -> float:
        """Return the part of inputs ``(N, D)`` whose most probable class is the label ``(N,)``."""
        return float((self.predict(X).argmax(axis=1) == labels).mean())


@dataclass
class Progress:
    """What was measured while a network learned.

    Attributes:
        training: Mean error of the batches of each epoch, as they were met.
        validation: Error on the validation examples after each epoch, without penalties; empty where there were none.
        accuracy: Accuracy on them.
        best_epoch: The epoch, counted from 1, after which the validation error was lowest; 0: none was.
    """

    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    best_epoch: int = 0


def one_hot(labels: NDArray[np.integer], classes: int, dtype: Any = np.float32) -> Array:
    """Return targets ``(N, K)`` of labels ``(N,)``: 1 in the column of the label, else 0."""
    return np.eye(classes, dtype=dtype)[labels]


def train(
    network: Network,
    X: Array,
    labels: NDArray[np.integer],
    *,
    epochs: int,
    batch_size: int = 128,
    rate: float | Callable[[float], float] = 0.1,
    momentum: float = 0.0,
    validation: tuple[Array, NDArray[np.integer]] | None = None,
    patience: int = 0,
    seed: int = 0,
    watch: Callable[[int, Progress], None] | None = None,
) -> Progress:
    """Train by mini-batch gradient descent: in each epoch, every example once, in a new order.

    Args:
        network: Is changed.
        X: ``(N, D)``; inputs.
        labels: ``(N,)``; numbers of classes.
        epochs: Passes over all examples.
        batch_size: Examples whose gradients are averaged for one step; N: batch descent, 1: stochastic descent.
        rate: The learning rate, or a function of the part of training that is done (0 to 1).
        momentum: Part of the last step that is taken again; 0.9 smooths the way down a narrow valley.
        validation: Inputs and labels that are never trained on, to see how the network does on what is new to it.
        patience: Stop early after so many epochs without a lower validation error, and take back the best weights; 0:
            never.
        seed: Of the order.
        watch: Called after each epoch with its number and the progress.
    """
    generator = np.random.default_rng(seed)
    Y = one_hot(labels, network.widths[-1], X.dtype)  # (N, K)
    speed_of = [Layer(np.zeros_like(layer.W), np.zeros_like(layer.b)) for layer in network.layers]
    progress, best, lowest = Progress(), network.layers, math.inf
    steps, done = epochs * math.ceil(len(X) / batch_size), 0
    for epoch in range(1, epochs + 1):
        order, errors = generator.permutation(len(X)), []  # (N,)
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            x, y = X.take(rows, axis=0), Y.take(rows, axis=0)  # (batch, D), (batch, K); faster than X[rows]
            masks = network.draw_masks(len(x))
            activations = network.feed_forward(x, masks)
            errors.append(network.error(activations[-1], y))
            gradients = network.backpropagate(activations, y, masks)
            if momentum:
                gradients = _with_momentum(speed_of, gradients, momentum)
            network.update(gradients, rate(done / steps) if callable(rate) else rate)
            done += 1
        progress.training.append(float(np.mean(errors)))
        if validation is not None:
            P = network.predict(validation[0])
            progress.validation.append(ERRORS[network.error_name](P, one_hot(validation[1], P.shape[1], P.dtype)))
            progress.accuracy.append(float((P.argmax(axis=1) == validation[1]).mean()))
            if progress.validation[-1] < lowest:
                lowest, progress.best_epoch = progress.validation[-1], epoch
                if patience:
                    best = [Layer(layer.W.copy(), layer.b.copy()) for layer in network.layers]
        if watch:
            watch(epoch, progress)
        if patience and epoch - progress.best_epoch >= patience:
            break
    if patience:
        network.layers = best
    return progress


def _with_momentum(speed_of: list[Layer], gradients: list[Layer], momentum: float) -> list[Layer]:
    """Add each gradient to what is left of the speed, in place, and return copies of the speeds."""
    moves = []
    for speed, gradient in zip(speed_of, gradients, strict=True):
        for mine, new in ((speed.W, gradient.W), (speed.b, gradient.b)):
            mine *= momentum
            mine += new
        moves.append(Layer(speed.W.copy(), speed.b.copy()))
    return moves


def numerical_gradients(network: Network, X: Array, Y: Array, masks: Sequence[Array] | None = None) -> list[Layer]:
    """Return the gradients by trying it out: how the error changes when one weight changes a little, for each weight.

    Central differences, (E(w + h) - E(w - h)) / 2h with h = 1e-6: right to about nine digits in float64 and far too
    slow to learn by, but with no mathematics that could be wrong. `Network.backpropagate` must give the same.
    """
    gradients = []
    for layer in network.layers:
        found = Layer(np.zeros_like(layer.W), np.zeros_like(layer.b))
        for values, slopes in ((layer.W, found.W), (layer.b, found.b)):
            for place in np.ndindex(values.shape):
                here = values[place]
                values[place] = here + 1e-6
                above = network.error(network.feed_forward(X, masks)[-1], Y)
                values[place] = here - 1e-6
                below = network.error(network.feed_forward(X, masks)[-1], Y)
                values[place] = here
                slopes[place] = (above - below) / 2e-6
        gradients.append(found)
    return gradients
