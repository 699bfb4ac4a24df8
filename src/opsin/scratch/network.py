"""Feed-forward network with layers of any width, trained by mini-batch gradient descent in four explicit steps.

    feed_forward      inputs -> activations of every layer; the last are the prediction
    error             prediction and target -> one number
    backpropagate     derivative of the error with respect to every weight
    update            one step of gradient descent

With widths (784, 10) it is softmax regression, whose ten columns of weights can be viewed as images; with (784, 100,
10) it is the classic network for handwritten digits with 79,510 parameters.
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
    """Weights and biases of one layer; also used for gradients and velocities of the same shapes.

    Attributes:
        W: ``(inputs, outputs)``.
        b: ``(outputs,)``.
    """

    W: Array
    b: Array


class Network:
    """Feed-forward network with a softmax output.

    Args:
        widths: Number of inputs, units of each hidden layer, and number of classes.
        hidden: Activation of the hidden units: ``relu``, ``sigmoid``, ``tanh`` or ``linear``.
        error: ``cross_entropy`` or ``squared_error``.
        l1: Weight of the L1 penalty, the sum of absolute weights (lasso): drives needless weights to exactly 0.
        l2: Weight of the L2 penalty, half the sum of squared weights (ridge): prefers many small weights.
        dropout: Fraction of hidden units dropped in each training step.
        seed: Random seed of the initial weights and dropout.
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
        # This standard deviation preserves the variance of the signals: He et al. (2015) for ReLU, Glorot & Bengio
        # (2010) for the others.
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
        """Number of parameters."""
        return sum(layer.W.size + layer.b.size for layer in self.layers)

    def feed_forward(self, X: Array, masks: Sequence[Array] | None = None) -> list[Array]:
        """Forward pass through all layers.

        Args:
            X: ``(N, widths[0])``.
            masks: For dropout: ``(N, H)`` for each hidden layer, 0 for dropped units, else the scale of the kept ones.

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
        """Return the error of probabilities ``(N, K)`` for targets ``(N, K)``, with the penalties for large weights."""
        error = ERRORS[self.error_name](P, Y)
        for layer in self.layers if self.l1 or self.l2 else ():
            error += self.l1 * float(np.abs(layer.W).sum()) + self.l2 / 2 * float((layer.W**2).sum())
        return error

    def backpropagate(self, activations: list[Array], Y: Array, masks: Sequence[Array] | None = None) -> list[Layer]:
        """Return the derivatives of the error with respect to all weights and biases.

        Args:
            activations: From `feed_forward`.
            Y: ``(N, K)``; targets.
            masks: The masks of `feed_forward`.
        """
        slope = ACTIVATIONS[self.hidden].slope
        delta = softmax_delta(self.error_name, activations[-1], Y)  # (N, K)
        delta /= len(Y)
        gradients: list[Layer] = []
        for number in reversed(range(len(self.layers))):
            layer, a = self.layers[number], activations[number]  # a: (N, inputs), the input of the layer
            gradient = Layer(a.T @ delta, delta.sum(axis=0))  # (inputs, outputs), (outputs,)
            if self.l1:
                gradient.W += self.l1 * np.sign(layer.W)
            if self.l2:
                gradient.W += self.l2 * layer.W
            gradients.insert(0, gradient)
            if number:
                delta = delta @ layer.W.T  # (N, H), the error backpropagated through the weights
                if masks is None:
                    delta *= slope(a)
                else:  # dropped units do not contribute to the error; the outputs of the others were scaled
                    mask = masks[number - 1]
                    delta *= mask * slope(np.divide(a, mask, out=np.zeros_like(a), where=mask > 0))
        return gradients

    def update(self, gradients: list[Layer], rate: float) -> None:
        """Gradient descent step: subtract ``rate`` times the gradient from each weight and bias."""
        for layer, gradient in zip(self.layers, gradients, strict=True):
            gradient.W *= rate
            gradient.b *= rate
            layer.W -= gradient.W
            layer.b -= gradient.b

    def draw_masks(self, number: int) -> list[Array] | None:
        """Draw the dropout masks for a step on ``number`` examples (Srivastava et al. 2014).

        The kept units are scaled up to preserve the expected input of the next layer (inverted dropout), so that
        prediction needs no correction.
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
        """Return the fraction of inputs ``(N, D)`` whose most probable class is the label ``(N,)``."""
        return float((self.predict(X).argmax(axis=1) == labels).mean())


@dataclass
class Progress:
    """Training history of a network.

    Attributes:
        training: Mean error of the batches of each epoch, during training.
        validation: Error on the validation examples after each epoch, without penalties; empty without validation.
        accuracy: Accuracy on them.
        best_epoch: Epoch with the lowest validation error, counted from 1; 0 without validation.
    """

    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    best_epoch: int = 0


def one_hot(labels: NDArray[np.integer], classes: int, dtype: Any = np.float32) -> Array:
    """Return targets ``(N, K)`` of labels ``(N,)``: 1 in the column of the label, else 0."""
    result: Array = np.eye(classes, dtype=dtype)[labels]
    return result


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
    """Train by mini-batch gradient descent; each epoch visits all examples in a new random order.

    Args:
        network: Trained in place.
        X: ``(N, D)``; inputs.
        labels: ``(N,)``; class indices.
        epochs: Passes over all examples.
        batch_size: Examples per step; N: batch gradient descent, 1: stochastic gradient descent.
        rate: Learning rate, or a function of the completed fraction of training (0 to 1).
        momentum: Fraction of the previous step added to the next; 0.9 damps oscillations in narrow valleys.
        validation: Held-out inputs and labels, to measure generalization.
        patience: Early stopping after this number of epochs without a lower validation error; the best weights are
            restored; 0: off.
        seed: Random seed of the order.
        watch: Called after each epoch with its number and the progress.
    """
    generator = np.random.default_rng(seed)
    Y = one_hot(labels, network.widths[-1], X.dtype)  # (N, K)
    velocities = [Layer(np.zeros_like(layer.W), np.zeros_like(layer.b)) for layer in network.layers]
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
                gradients = _with_momentum(velocities, gradients, momentum)
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


def _with_momentum(velocities: list[Layer], gradients: list[Layer], momentum: float) -> list[Layer]:
    """Update the velocities with the gradients in place, and return copies of them."""
    moves = []
    for speed, gradient in zip(velocities, gradients, strict=True):
        for mine, new in ((speed.W, gradient.W), (speed.b, gradient.b)):
            mine *= momentum
            mine += new
        moves.append(Layer(speed.W.copy(), speed.b.copy()))
    return moves


def numerical_gradients(network: Network, X: Array, Y: Array, masks: Sequence[Array] | None = None) -> list[Layer]:
    """Return the gradients by central differences, for checking `Network.backpropagate`.

    (E(w + h) - E(w - h)) / 2h with h = 1e-6 for each weight: accurate to about nine digits in float64, far too slow for
    training, and without any derivation that could be wrong.
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
