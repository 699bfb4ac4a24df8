"""Linear regression by gradient descent: the smallest thing that learns, and already everything is there.

The prediction is ``X w + b``, the cost half the mean squared error, its slope ``Xᵀ (prediction - y) / N``. Because the
cost is a bowl with one bottom, the result can be checked against the formula that jumps there at once. What cannot be
jumped over in larger networks shows here already: how the learning rate and the scale of the inputs decide whether the
way down takes ten steps, ten thousand, or leads up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opsin.scratch.functions import Array


@dataclass(frozen=True)
class Scale:
    """Shift and factor that bring every input to mean 0 and standard deviation 1.

    Attributes:
        mean: ``(D,)``.
        std: ``(D,)``; 1 for an input that never changes.
    """

    mean: Array
    std: Array

    @classmethod
    def of(cls, X: Array) -> Scale:
        """Measure inputs ``(N, D)``."""
        std = X.std(axis=0)  # (D,)
        return cls(X.mean(axis=0), np.where(std > 0, std, 1.0))

    def apply(self, X: Array) -> Array:
        """Return inputs ``(N, D)`` in the new scale."""
        return (X - self.mean) / self.std  # (N, D)


@dataclass(frozen=True)
class Fit:
    """A line, plane or hyperplane, and the way to it.

    Attributes:
        w: ``(D,)``; weights.
        b: The intercept.
        costs: ``(steps + 1,)``; half the mean squared error before each step and after the last. After a step that led
            beyond all numbers there are no more.
        way: ``(steps + 1, D + 1)``; weights and intercept at the same moments.
    """

    w: Array
    b: float
    costs: Array
    way: Array

    def predict(self, X: Array) -> Array:
        """Return predictions ``(N,)`` for inputs ``(N, D)``."""
        return X @ self.w + self.b  # (N,)


def cost(X: Array, y: Array, w: Array, b: float) -> float:
    """Return half the mean squared error of the prediction ``X w + b``."""
    return float(((X @ w + b - y) ** 2).mean() / 2)


def descend(X: Array, y: Array, rate: float, steps: int, w: Array | None = None, b: float = 0.0) -> Fit:
    """Walk down the cost from weights of 0, or from the given ones, in steps of ``rate`` times the slope.

    It converges while ``rate`` is below 2 / λ, λ the largest curvature of the bowl (`largest_rate`); above, each step
    lands higher on the other side.

    Args:
        X: ``(N, D)``; inputs.
        y: ``(N,)``; what is to be predicted.
        rate: Learning rate.
        steps: How many steps; ended early where the cost leaves all bounds.
        w: ``(D,)``; where to begin.
        b: Where to begin.
    """
    w = np.zeros(X.shape[1]) if w is None else np.asarray(w, float)
    costs, way = [cost(X, y, w, b)], [np.append(w, b)]
    for _ in range(steps):
        miss = X @ w + b - y  # (N,)
        w = w - rate * (X.T @ miss) / len(y)  # (D,)
        b = b - rate * float(miss.mean())
        costs.append(cost(X, y, w, b))
        way.append(np.append(w, b))
        if not costs[-1] < 1e100:
            break
    return Fit(w, b, np.array(costs), np.array(way))


def closed_form(X: Array, y: Array) -> Fit:
    """Jump to the bottom of the bowl: where the slope is 0, the normal equations AᵀA (w, b) = Aᵀy hold, A = (X, 1).

    They are solved by least squares, which also copes with inputs that repeat each other.
    """
    A = np.column_stack([X, np.ones(len(X))])  # (N, D + 1)
    solution = np.linalg.lstsq(A, y, rcond=None)[0]  # (D + 1,)
    w, b = solution[:-1], float(solution[-1])
    return Fit(w, b, np.array([cost(X, y, w, b)]), solution[None])


def largest_rate(X: Array) -> float:
    """Return the learning rate above which descent on inputs ``(N, D)`` leads upwards: 2 / the largest curvature."""
    A = np.column_stack([X, np.ones(len(X))])  # (N, D + 1)
    return float(2 / np.linalg.eigvalsh(A.T @ A / len(X))[-1])


def steps_needed(X: Array, rate: float, part: float = 0.01) -> float:
    """Return how many steps shrink the slowest direction's distance from the bottom to a part of itself.

    Each step multiplies the distance along a direction of curvature λ by 1 - rate·λ; the flattest direction is the
    slowest. Unscaled inputs make bowls a million times steeper in one direction than in another, and this number as
    large.
    """
    A = np.column_stack([X, np.ones(len(X))])  # (N, D + 1)
    flattest = float(np.linalg.eigvalsh(A.T @ A / len(X))[0])
    shrink = abs(1 - rate * max(flattest, 0.0))
    return float("inf") if shrink >= 1 else float(np.log(part) / np.log(shrink)) if shrink else 1.0


def explained(fit: Fit, X: Array, y: Array) -> float:
    """Return R²: which part of the spread of ``y`` the predictions explain; 1 is all, 0 is no better than the mean."""
    return float(1 - ((fit.predict(X) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())
