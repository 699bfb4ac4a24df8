"""Losses of regression: functions of standardized outputs and targets, float ``(N,)`` each, to a scalar."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import huber_loss, l1_loss, mse_loss

# ``training.loss`` -> function. Beyond one standard deviation Huber's (1964) grows linearly.
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"huber": huber_loss, "mse": mse_loss, "l1": l1_loss}
