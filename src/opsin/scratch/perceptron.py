"""Perceptrons: a unit with a linear decision boundary, its learning rule, and combinations of units.

The unit outputs 1 where ``w · x + b`` is 0 or more. AND, OR and NOT are linearly separable; XOR is not, and needs two
units whose outputs feed a third. This is the step from a perceptron to a network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from opsin.scratch.functions import Array, sigmoid, step

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)  # (4, 2), all inputs of a gate


@dataclass
class Perceptron:
    """One unit: ``step(w · x + b)``.

    Attributes:
        w: ``(D,)``; weights.
        b: The bias.
    """

    w: Array
    b: float

    def score(self, X: Array) -> Array:
        """Return ``w · x + b`` of inputs ``(N, D)``: positive on one side of the line, negative on the other."""
        return X @ self.w + self.b  # (N,)

    def predict(self, X: Array) -> Array:
        """Return 0 or 1 for inputs ``(N, D)``."""
        return step(self.score(X))  # (N,)


def gate(name: str) -> Perceptron:
    """Return a perceptron that computes "and", "or", "nand" of two inputs, or "not" of the second.

    Raises:
        KeyError: There is no such gate; "xor" is none, whatever the weights (see `xor`).
    """
    weights = {
        "and": ([1.0, 1.0], -1.5),
        "or": ([1.0, 1.0], -0.5),
        "nand": ([-1.0, -1.0], 1.5),
        "not": ([0.0, -1.0], 0.5),
    }
    w, b = weights[name]
    return Perceptron(np.array(w), b)


def xor(X: Array) -> Array:
    """Return 1 where exactly one of two inputs ``(N, 2)`` is 1: the AND of OR and NAND."""
    hidden = np.column_stack([gate("or").predict(X), gate("nand").predict(X)])  # (N, 2)
    return gate("and").predict(hidden)  # (N,)


def combine(p: float, q: float, w1: float, w2: float, b: float) -> float:
    """Return σ(p·w1 + q·w2 + b): a third unit combines the probabilities of two."""
    return float(sigmoid(np.array(p * w1 + q * w2 + b)))


@dataclass
class Lines:
    """Training history of a perceptron.

    Attributes:
        perceptron: The trained perceptron.
        moves: Weights and bias (w1, …, wD, b), initially and after each update.
        mistakes: Misclassified examples in each pass.
    """

    perceptron: Perceptron
    moves: list[Array] = field(default_factory=list)
    mistakes: list[int] = field(default_factory=list)


def learn_by_perceptron_rule(X: Array, y: Array, rate: float = 0.1, passes: int = 100, seed: int = 0) -> Lines:
    """Train by the perceptron rule (Rosenblatt 1958): each misclassified point moves the line towards itself.

    A misclassified point of class 1 is added to the weights, one of class 0 is subtracted. If the classes are linearly
    separable, the rule converges; otherwise (XOR) it never does.

    Args:
        X: ``(N, D)``; inputs.
        y: ``(N,)``; 0 or 1.
        rate: Learning rate.
        passes: Maximum number of passes over all points; training ends after a pass without mistakes.
        seed: Random seed of the initial weights.
    """
    generator = np.random.default_rng(seed)
    unit = Perceptron(np.array(generator.normal(size=X.shape[1])), 0.0)
    lines = Lines(unit, [np.append(unit.w, unit.b)])
    for _ in range(passes):
        mistakes = 0
        for x, target in zip(X, y, strict=True):
            miss = target - unit.predict(x[None])[0]  # 1: should be above, -1: should be below, 0: correct
            if miss:
                unit.w = unit.w + rate * miss * x  # (D,)
                unit.b = unit.b + rate * float(miss)
                lines.moves.append(np.append(unit.w, unit.b))
                mistakes += 1
        lines.mistakes.append(mistakes)
        if not mistakes:
            break
    return lines


def learn_by_gradient(X: Array, y: Array, rate: float = 1.0, passes: int = 200, seed: int = 0) -> tuple[Lines, Array]:
    """Train a sigmoid unit by gradient descent on the cross-entropy: logistic regression.

    All points contribute in proportion to their error, not only the misclassified ones, so that the line also settles
    if the classes are not separable.

    Args:
        X: ``(N, D)``; inputs.
        y: ``(N,)``; 0 or 1.
        rate: Learning rate.
        passes: Number of steps, each with all points.
        seed: Random seed of the initial weights.

    Returns:
        The training history, and the cross-entropy before each step, ``(passes,)``.
    """
    generator = np.random.default_rng(seed)
    w, b = np.array(generator.normal(size=X.shape[1])), 0.0  # (D,)
    lines, costs = Lines(Perceptron(w, b), [np.append(w, b)]), np.zeros(passes)
    for number in range(passes):
        p = sigmoid(X @ w + b)  # (N,), feed forward
        likely = np.where(y == 1, p, 1 - p)  # (N,), the probability of the true class
        costs[number] = -np.log(np.maximum(likely, np.finfo(float).tiny)).mean()  # error
        delta = (p - y) / len(y)  # (N,), backpropagation: the derivatives of error and sigmoid cancel
        w, b = w - rate * delta @ X, b - rate * float(delta.sum())  # update
        lines.moves.append(np.append(w, b))
        lines.mistakes.append(int(((p >= 0.5) != y).sum()))
    lines.perceptron = Perceptron(w, b)
    return lines, costs
