"""Features of a network's penultimate layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.data.batches import gather
from opsin.data.preprocessing import Preprocessing
from opsin.networks.layer_groups import head_of


@torch.no_grad()
def penultimate_features(
    network: nn.Module,
    preprocessing: Preprocessing,
    pixels: Tensor,
    rows: Tensor,
    device: torch.device | str = "cpu",
    *,
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return the inputs of the last layer in evaluation mode; the network's mode is restored.

    Feature maps and token sequences are averaged over their positions. For two last layers (distilled networks), their
    inputs are concatenated.

    Args:
        network: On ``device``.
        preprocessing: Scaling and normalization of the input.
        pixels: uint8 ``(M, H, W, C)``, decoded images.
        rows: int64 ``(N,)``, indices of the images.
        device: Device of the network.
        batch_size: Images per batch.
        progress: Called with (images done, N) after each batch.

    Returns:
        float32 ``(N, F)``, in the order of ``rows``.

    Raises:
        NetworkError: The last layer cannot be identified.
    """
    was_training = network.training
    network.eval()
    parts: list[Tensor] = []
    try:
        with entering_head(network) as entered:
            for some in rows.split(batch_size):
                network(preprocessing.standardize(gather(pixels, some, torch.device(device))))
                parts.append(entered())
                if progress:
                    progress(sum(map(len, parts)), len(rows))
    finally:
        network.train(was_training)
    return torch.cat(parts).numpy() if parts else np.zeros((0, 0), np.float32)


@contextlib.contextmanager
def entering_head(network: nn.Module, every: int = 1) -> Iterator[Callable[[], Tensor]]:
    """Record the inputs of the last layer during other forward passes; see `penultimate_features`.

    Args:
        network: The network to record.
        every: Number of consecutive forward passes per batch (views of it); only the first is recorded.

    Yields:
        A function that returns the features of all images since its last call, float32 ``(N, F)`` on the CPU.

    Raises:
        NetworkError: The last layer cannot be identified.
    """
    head = head_of(network)
    heads = list(head) if isinstance(head, nn.ModuleList) else [head]
    entered: list[list[Tensor]] = [[] for _ in heads]

    def collect() -> Tensor:
        joined = torch.cat([torch.cat(parts[::every]) for parts in entered], dim=1)
        for parts in entered:
            parts.clear()
        return joined

    def remember(parts: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda module, inputs: parts.append(_one_vector_each(inputs[0].detach()).float().cpu())

    hooks = [module.register_forward_pre_hook(remember(parts)) for module, parts in zip(heads, entered, strict=True)]
    try:
        yield collect
    finally:
        for hook in hooks:
            hook.remove()


def _one_vector_each(values: Tensor) -> Tensor:
    """Reduce ``(N, F)``, tokens ``(N, T, F)`` or feature maps ``(N, F, H, W)`` to ``(N, F)``."""
    if values.ndim == 4:
        return values.mean(dim=(2, 3))
    return values.mean(dim=1) if values.ndim == 3 else values
