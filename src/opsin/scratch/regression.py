"""Linear regression by gradient descent: the simplest model that learns.

The prediction is ``X w + b``, the cost half the mean squared error, its gradient ``Xᵀ (prediction - y) / N``. The cost
is convex, so the result can be checked against the closed-form solution. As in larger networks, the learning rate and
the scale of the inputs decide whether descent takes ten steps, ten thousand, or diverges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opsin.scratch.functions import Array


@dataclass(frozen=True)
class Scale:
    """Standardization of every input to mean 0 and standard deviation 1.

    Attributes:
        mean: ``(D,)``.
        std: ``(D,)``; 1 for a constant input.
    """

    mean: Array
    std: Array

    @classmethod
    def of(cls, X: Array) -> Scale:
        """Compute mean and standard deviation of inputs ``(N, D)``."""
        std = X.std(axis=0)  # (D,)
        return cls(X.mean(axis=0), np.where(std > 0, std, 1.0))

    def apply(self, X: Array) -> Array:
        """Return standardized inputs ``(N, D)``."""
        return (X - self.mean) / self.std  # (N, D)


@dataclass(frozen=True)
class Fit:
    """A fitted line, plane or hyperplane, and the path to it.

    Attributes:
        w: ``(D,)``; weights.
        b: The intercept.
        costs: ``(steps + 1,)``; half the mean squared error before each step and after the last; shorter if it
            diverged.
        way: ``(steps + 1, D + 1)``; weights and intercept at the same steps.
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
    """Gradient descent from weights of 0, or from the given ones, with steps of ``rate`` times the gradient.

    It converges if ``rate`` is below 2 / λ, where λ is the largest curvature of the cost (`largest_rate`), and diverges
    above.

    Args:
        X: ``(N, D)``; inputs.
        y: ``(N,)``; targets.
        rate: Learning rate.
        steps: Maximum number of steps; descent ends early if it diverges.
        w: ``(D,)``; initial weights.
        b: Initial intercept.
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
    """Closed-form solution of the normal equations AᵀA (w, b) = Aᵀy with A = (X, 1).

    Solved by least squares, which also handles collinear inputs.
    """
    A = np.column_stack([X, np.ones(len(X))])  # (N, D + 1)
    solution = np.linalg.lstsq(A, y, rcond=None)[0]  # (D + 1,)
    w, b = solution[:-1], float(solution[-1])
    return Fit(w, b, np.array([cost(X, y, w, b)]), solution[None])


def largest_rate(X: Array) -> float:
    """Return the learning rate above which descent on inputs ``(N, D)`` diverges: 2 / the largest curvature."""
    A = np.column_stack([X, np.ones(len(X))])  # (N, D + 1)
    return float(2 / np.linalg.eigvalsh(A.T @ A / len(X))[-1])


def steps_needed(X: Array, rate: float, part: float = 0.01) -> float:
    """Return the number of steps that reduce the distance from the minimum in the slowest direction to a fraction.

    Each step multiplies the distance along a direction of curvature λ by 1 - rate·λ; the flattest direction is the
    slowest. With unscaled inputs the curvatures differ by a factor of a million, and the number of steps is as large.
    """
    A = np.column_stack([X, np.ones(len(X))])  # (N, D + 1)
    flattest = float(np.linalg.eigvalsh(A.T @ A / len(X))[0])
    shrink = abs(1 - rate * max(flattest, 0.0))
    return float("inf") if shrink >= 1 else float(np.log(part) / np.log(shrink)) if shrink else 1.0


def explained(fit: Fit, X: Array, y: Array) -> float:
    """Return R², the fraction of the variance of ``y`` that is explained; 0 is no better than the mean."""
    return float(1 - ((fit.predict(X) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())
