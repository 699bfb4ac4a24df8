"""Predictions for many images: the one way that validation, test and `predict` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from opsin.data.batches import gather
from opsin.data.preprocessing import Preprocessing
from opsin.inference.tta import Views, count_views
from opsin.networks.averaging import AVERAGES
from opsin.tasks.base import Learner
from opsin.tasks.registry import task_spec


@torch.no_grad()
def predict_images(
    task: Learner,
    network: nn.Module,
    preprocessing: Preprocessing,
    pixels: Tensor,
    rows: Tensor,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 256,
    views: str = "none",
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """Predict images in evaluation mode and full precision; the network is left in the mode it was in.

    Args:
        task: What is predicted.
        network: On ``device``.
        preprocessing: Scales and normalizes.
        pixels: uint8 ``(M, H, W, C)``, decoded images.
        rows: int64 ``(N,)``, which of them.
        device: Where the network is.
        batch_size: Images at a time.
        views: Of each image the network is shown all views by this symmetry, and its predictions are averaged.
        progress: Called with (images done, N) after each batch.

    Returns:
        The task's predictions, in the order of ``rows``.
    """
    was_training = network.training
    network.eval()
    shown = with_views(task.name, network, preprocessing, views)
    parts, done = [], 0
    try:
        for some in rows.split(batch_size):
            images = preprocessing.standardize(gather(pixels, some, torch.device(device)))
            parts.append(task.predict(shown, images))
            done += len(some)
            if progress:
                progress(done, len(rows))
    finally:
        network.train(was_training)
    return task.join(parts)


def with_views(task: str, network: nn.Module, preprocessing: Preprocessing, views: str) -> nn.Module:
    """Return a network that predicts the mean of all views of each image; the network itself where there is but one.

    Args:
        task: The name of what is predicted.
        network: Is shown the views.
        preprocessing: Says how large its images are.
        views: As in `predict_images`.
    """
    number = count_views(views, preprocessing.height, preprocessing.width)
    return Views(network, number, AVERAGES[task_spec(task).averaging]) if number > 1 else network
