"""What a network makes of an image just before its last layer decides."""

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
    """Return what enters the last layer, in evaluation mode; the network is left in the mode it was in.

    Maps and sequences of tokens, which few last layers take, are averaged over their places. Where two last layers
    decide together (networks that learned from a teacher), what enters them stands side by side.

    Args:
        network: On ``device``.
        preprocessing: Scales and normalizes.
        pixels: uint8 ``(M, H, W, C)``, decoded images.
        rows: int64 ``(N,)``, which of them.
        device: Where the network is.
        batch_size: Images at a time.
        progress: Called with (images done, N) after each batch.

    Returns:
        float32 ``(N, F)``, in the order of ``rows``.

    Raises:
        NetworkError: The network has no last layer that is known.
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
    """Watch what enters the last layer while a network is used for something else; see `penultimate_features`.

    Args:
        network: What is watched.
        every: In so many passes each image is seen again, first as it is; what is seen again is passed over.

    Yields:
        A function that returns the features of all images since it was last called, float32 ``(N, F)`` on the CPU.

    Raises:
        NetworkError: The network has no last layer that is known.
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
    """Turn ``(N, F)``, tokens ``(N, T, F)`` or maps ``(N, F, H, W)`` into ``(N, F)``."""
    if values.ndim == 4:
        return values.mean(dim=(2, 3))
    return values.mean(dim=1) if values.ndim == 3 else values
