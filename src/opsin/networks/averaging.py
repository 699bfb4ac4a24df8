"""Averages of the outputs of several networks or views, in the form of one network's outputs."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import logsigmoid


def average_probabilities(outputs: Tensor) -> Tensor:
    """Return the logarithms ``(N, classes, …)`` of the mean probabilities of logits ``(K, N, classes, …)``.

    A calibration temperature divides them like logits, so that it is fitted to the mean.
    """
    return outputs.float().log_softmax(dim=2).logsumexp(dim=0) - math.log(len(outputs))


def average_values(outputs: Tensor) -> Tensor:
    """Return the mean ``(N, …)`` of values ``(K, N, …)``."""
    return outputs.float().mean(dim=0)


def average_label_probabilities(outputs: Tensor) -> Tensor:
    """Return the log-odds ``(N, labels)`` of the mean probability of each label, from log-odds ``(K, N, labels)``."""
    outputs = outputs.float()
    return logsigmoid(outputs).logsumexp(dim=0) - logsigmoid(-outputs).logsumexp(dim=0)


# Kind of output -> average; a task names the kind (`TaskSpec.averaging`).
AVERAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "probabilities": average_probabilities,
    "label-probabilities": average_label_probabilities,
    "values": average_values,
}
