"""Losses of segmentation, each a value for each image, so that large and small objects of all images count.

All take logits ``(N, C, H, W)`` and targets int64 ``(N, H, W)`` with values in ``[0, C)`` or `VOID`. Void pixels count
nowhere: what the network says there changes neither loss nor gradient. An image that is void throughout has the loss 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from opsin.errors import RecipeError, nearest
from opsin.metrics.segmentation import VOID

SMOOTH = 1.0  # pixels; keeps the overlap of a class that is in neither mask at 1, and its gradient small


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy of each image's pixels, float ``(N,)``.

    Args:
        logits: ``(N, C, H, W)``.
        targets: int64 ``(N, H, W)``.
        weights: float ``(C,)``; pixels count by the weight of their class, as in `torch.nn.functional.cross_entropy`.
        smoothing: Part of the target shared among all classes.
    """
    losses = functional.cross_entropy(
        logits, targets, weight=weights, ignore_index=VOID, reduction="none", label_smoothing=smoothing
    )
    return _mean_of_known(losses, targets, weights)


def focal(logits: Tensor, targets: Tensor, weights: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """Return the focal loss of each image (Lin et al. 2017): cross-entropy times ``(1 - p)**gamma``, float ``(N,)``.

    Args:
        logits: ``(N, C, H, W)``.
        targets: int64 ``(N, H, W)``.
        weights: float ``(C,)``, the factors alpha of the paper, normalized as in `cross_entropy`.
        gamma: How much less a pixel counts that is right already; at 0 this is `cross_entropy`.
    """
    minus_log = functional.cross_entropy(logits, targets, ignore_index=VOID, reduction="none")
    losses = (1 - torch.exp(-minus_log)).clamp(min=0) ** gamma * minus_log
    if weights is not None:
        losses = losses * weights[targets.clamp(max=len(weights) - 1)]
    return _mean_of_known(losses, targets, weights)


def tversky(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    false_alarm: float = 0.3,
    miss: float = 0.7,
) -> Tensor:
    """Return one minus the Tversky index of each image (Salehi et al. 2017), averaged over classes, float ``(N,)``.

    ``TP / (TP + false_alarm * FP + miss * FN)`` of each class, counted in probabilities; one pixel (`SMOOTH`) is added
    above and below. The mean is over the classes in the truth of the image; of two classes it is of the second alone,
    whose absence counts too.

    Args:
        logits: ``(N, C, H, W)``.
        targets: int64 ``(N, H, W)``.
        weights: float ``(C,)``, of the classes in the mean.
        false_alarm: What a pixel costs that is wrongly taken for the class.
        miss: What a pixel of the class costs that is taken for another.
    """
    known = (targets != VOID).unsqueeze(1)
    probabilities = logits.softmax(dim=1) * known
    classes = targets.clamp(max=logits.shape[1] - 1).unsqueeze(1)
    truth = torch.zeros_like(probabilities).scatter_(1, classes, known.to(probabilities.dtype))
    hits = (probabilities * truth).sum(dim=(2, 3))
    alarms, misses = probabilities.sum(dim=(2, 3)) - hits, truth.sum(dim=(2, 3)) - hits
    index = (hits + SMOOTH) / (hits + false_alarm * alarms + miss * misses + SMOOTH)
    if logits.shape[1] == 2:
        return 1 - index[:, 1]
    share = (truth.sum(dim=(2, 3)) > 0) * (1 if weights is None else weights)
    return ((1 - index) * share).sum(dim=1) / share.sum(dim=1).clamp(min=1e-12)


def dice(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return one minus the soft Dice coefficient of each image (Milletari et al. 2016), float ``(N,)``.

    It is `tversky` at equal costs of 1/2; there the one pixel added above and below is two of Dice's.
    """
    return tversky(logits, targets, weights, false_alarm=0.5, miss=0.5)


def create_loss(names: str, *, smoothing: float = 0.0, gamma: float = 2.0, miss: float = 0.7) -> Callable[..., Tensor]:
    """Return a loss, or the sum of several.

    Args:
        names: Of "cross-entropy", "dice", "focal" and "tversky", joined by ``+`` (``cross-entropy+dice``).
        smoothing: Of `cross_entropy`.
        gamma: Of `focal`.
        miss: Of `tversky`, whose ``false_alarm`` is 1 minus this.

    Returns:
        ``loss(logits, targets, weights)``, float ``(N,)``.

    Raises:
        RecipeError: There is no such loss; the nearest is suggested.
    """
    table: dict[str, Callable[..., Tensor]] = {
        "cross-entropy": functools.partial(cross_entropy, smoothing=smoothing),
        "dice": dice,
        "focal": functools.partial(focal, gamma=gamma),
        "tversky": functools.partial(tversky, false_alarm=1 - miss, miss=miss),
    }
    words = [word.strip() for word in names.split("+")]
    for word in words:
        if word not in table:
            raise RecipeError(
                f"training.loss: there is no loss {word!r} for segmentation{nearest(word, table)}; there are "
                f"{', '.join(table)}, and sums of them such as cross-entropy+dice."
            )
    parts = [table[word] for word in words]

    def loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        return torch.stack([part(logits, targets, weights) for part in parts]).sum(dim=0)

    return loss


def _mean_of_known(losses: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean over the pixels that are not void, ``(N,)``, by the weights of their classes where given."""
    if weights is None:
        share = (targets != VOID).to(losses.dtype)
    else:
        share = torch.where(targets == VOID, 0, weights[targets.clamp(max=len(weights) - 1)])
    return losses.sum(dim=(1, 2)) / share.sum(dim=(1, 2)).clamp(min=1e-12)
