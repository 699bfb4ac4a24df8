"""Which learning rate suits a network: train it briefly at ever higher rates and watch the loss (Smith 2017)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsin.errors import TrainingError
from opsin.training.session import Session


@dataclass(frozen=True)
class LearningRateCurve:
    """The loss at ever higher learning rates.

    Attributes:
        rates: float64 ``(steps,)``, ascending.
        losses: float64 ``(steps,)``, smoothed.
        suggestion: The rate at which the loss falls most steeply; a good peak for a schedule.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float


def sweep_learning_rate(
    session: Session, steps: int = 100, lowest: float = 1e-6, highest: float = 1.0, smoothing: float = 0.9
) -> LearningRateCurve:
    """Train for some steps while the learning rate grows by a constant factor.

    The sweep ends early once the smoothed loss is four times its minimum. The session's network is changed.

    Args:
        session: A fresh session.
        steps: Optimizer steps.
        lowest: First rate.
        highest: Last rate.
        smoothing: Share of the past in the running mean of the loss, corrected for its start as in Adam.

    Raises:
        TrainingError: The loss is not a number from the first steps on.
    """
    rates = np.geomspace(lowest, highest, steps)
    losses: list[float] = []
    mean = 0.0
    session.network.train()
    batches = itertools.chain.from_iterable(session.batches.epoch(number) for number in itertools.count())
    for step, (rate, batch) in enumerate(zip(rates, batches, strict=False)):
        for group, peak in zip(session.optimizer.param_groups, session.schedule.peaks, strict=True):
            group["lr"] = rate * (peak / session.schedule.peaks[0] if peak else 1)  # groups keep their ratio
        loss = session.task.loss(session.wrapped, batch)["loss"]
        session.fabric.backward(loss)
        session.optimizer.step()
        session.optimizer.zero_grad()
        mean = smoothing * mean + (1 - smoothing) * loss.item()
        losses.append(mean / (1 - smoothing ** (step + 1)))
        if not math.isfinite(losses[-1]) or losses[-1] > 4 * min(losses):
            losses.pop()
            break
    if len(losses) < 10:
        raise TrainingError(
            "The loss is not a number from the first steps on; check the images, or try --precision 32-true."
        )
    curve = np.array(losses)
    rates = rates[: len(curve)]
    end = max(int(curve.argmin()), 5)
    slope = np.gradient(curve[: end + 1], np.log(rates[: end + 1]))
    return LearningRateCurve(rates, curve, float(rates[int(slope.argmin())]))
