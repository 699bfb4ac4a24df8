"""Class weights of the loss."""

from __future__ import annotations

import torch
from torch import Tensor


def balanced_class_weights(counts: Tensor) -> Tensor:
    """Return weights that make every class count the same: ``N / (classes * count)``, as in scikit-learn.

    Args:
        counts: int64 ``(classes,)``, training images of each class; an absent class gets weight 0.
    """
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp(min=1).double())
    return torch.where(present, weights, 0).float()
