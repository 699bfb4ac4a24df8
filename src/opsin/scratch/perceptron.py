"""Perceptrons: one unit that draws a straight line, the rule by which it learns, and units put together.

The unit answers 1 where ``w · x + b`` is 0 or more. AND, OR and NOT are lines; XOR is none, and needs two units whose
answers go into a third. That is the whole step from a perceptron to a network.
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
    """Return 1 where exactly one of two inputs ``(N, 2)`` is 1: OR and NAND, joined by AND."""
    hidden = np.column_stack([gate("or").predict(X), gate("nand").predict(X)])  # (N, 2)
    return gate("and").predict(hidden)  # (N,)


def combine(p: float, q: float, w1: float, w2: float, b: float) -> float:
    """Return σ(p·w1 + q·w2 + b): two units' probabilities made into one by a third."""
    return float(sigmoid(np.array(p * w1 + q * w2 + b)))


@dataclass
class Lines:
    """How a perceptron's line moved while it learned.

    Attributes:
        perceptron: As it is in the end.
        moves: The weights and bias after each correction, the first before any: rows of (w1, …, wD, b).
        mistakes: How many examples were on the wrong side in each pass.
    """

    perceptron: Perceptron
    moves: list[Array] = field(default_factory=list)
    mistakes: list[int] = field(default_factory=list)


def learn_by_perceptron_rule(X: Array, y: Array, rate: float = 0.1, passes: int = 100, seed: int = 0) -> Lines:
    """Learn a line by the perceptron rule (Rosenblatt 1958): for each point on the wrong side, pull the line over it.

    A point of class 1 below the line adds itself to the weights, a point of class 0 above it takes itself away. Where a
    line that parts the classes exists, the rule finds one; where there is none (XOR), it never comes to rest.

    Args:
        X: ``(N, D)``; inputs.
        y: ``(N,)``; 0 or 1.
        rate: How far a point pulls.
        passes: Passes over all points at most; it ends early when a pass made no mistake.
        seed: Of the weights at the start.
    """
    generator = np.random.default_rng(seed)
    unit = Perceptron(np.array(generator.normal(size=X.shape[1])), 0.0)
    lines = Lines(unit, [np.append(unit.w, unit.b)])
    for _ in range(passes):
        mistakes = 0
        for x, target in zip(X, y, strict=True):
            miss = target - unit.predict(x[None])[0]  # 1: should be above, -1: should be below, 0: right
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
    """Learn the same line with a sigmoid unit and the gradient of the cross-entropy: logistic regression.

    Every point pulls, by how wrong it is, not only those on the wrong side; so the line settles in the middle, and
    where no line is right it settles too.

    Args:
        X: ``(N, D)``; inputs.
        y: ``(N,)``; 0 or 1.
        rate: Learning rate.
        passes: Steps, each with all points.
        seed: Of the weights at the start.

    Returns:
        The line's way, and the cross-entropy before each step, ``(passes,)``.
    """
    generator = np.random.default_rng(seed)
    w, b = np.array(generator.normal(size=X.shape[1])), 0.0  # (D,)
    lines, costs = Lines(Perceptron(w, b), [np.append(w, b)]), np.zeros(passes)
    for number in range(passes):
        p = sigmoid(X @ w + b)  # (N,), feed forward
        likely = np.where(y == 1, p, 1 - p)  # (N,), the probability given to the truth
        costs[number] = -np.log(np.maximum(likely, np.finfo(float).tiny)).mean()  # error
        delta = (p - y) / len(y)  # (N,), backpropagation: the slopes of error and sigmoid cancel
        w, b = w - rate * delta @ X, b - rate * float(delta.sum())  # update
        lines.moves.append(np.append(w, b))
        lines.mistakes.append(int(((p >= 0.5) != y).sum()))
    lines.perceptron = Perceptron(w, b)
    return lines, costs
