"""Image embeddings: pooled features of a pretrained network, or principal components of small images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from opsin.networks.backbones import find_weights, input_statistics
from opsin.networks.pretrained import OFFLINE
from opsin.networks.registry import create_network
from opsin.runtime.precision import resolve_precision

MOST = 100_000  # images whose features are computed; of more, a sample drawn with a fixed seed
SIDE = 96  # input size of the network in pixels: a third of the cost of 160, and enough to detect outliers
BATCH = 128
COMPONENTS = 128
SMALL = 16  # pixels of each side, if there are no weights
EMPTY = 1e-9  # variance below which a component is only rounding error; vectors have about unit length
FITTED = 20_000  # images from which the components are computed


@dataclass(frozen=True)
class Features:
    """Feature vectors of M images.

    Attributes:
        values: float32 ``(M, D)``; principal components with the largest first, D at most 128.
        spread: float32 ``(D,)``; the standard deviation of each component.
        rows: int64 ``(M,)``; indices of the images.
        source: Description for people.
    """

    values: NDArray[np.float32]
    spread: NDArray[np.float32]
    rows: NDArray[np.int64]
    source: str


def extract_features(pixels: NDArray[np.uint8], progress: Callable[[int, int], None] | None = None) -> Features:
    """Compute feature vectors of images, uint8 ``(N, H, W, C)``; the result is deterministic.

    With weights of tf_efficientnet_lite0 on this machine: its 1,280 pooled features at 96×96 pixels, scaled to unit
    length. Without them: the pixels at 16×16. In both cases, 128 principal components are kept.

    Args:
        pixels: The images; may be memory-mapped.
        progress: Called with (images done, all).
    """
    rows = np.arange(len(pixels))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))
    weights = find_weights(OFFLINE)
    if weights:
        device, dtype = _placement()
        network = create_network(OFFLINE, 2, 3, (SIDE, SIDE), pretrained=True).eval()
        network = network.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        vectors = _in_batches(pixels, rows, lambda images: _pooled(network, images.to(device), dtype), progress)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
        source = f"features of {OFFLINE}, ImageNet weights, {weights}"
    else:
        vectors = _in_batches(pixels, rows, lambda images: _resized(images, SMALL).flatten(1) / 255, progress)
        source = f"principal components of {SMALL}×{SMALL} pixels; no weights of {OFFLINE} on this machine"
    if len(rows) < len(pixels):
        source += f"; a sample of {len(rows):,} of the {len(pixels):,} images"
    values = _principal(vectors)
    return Features(values, values.std(axis=0), rows, source)


def _placement() -> tuple[torch.device, torch.dtype]:
    """Return the device and the dtype of the network: bfloat16 on processors that support it."""
    if torch.cuda.is_available():
        return torch.device("cuda"), torch.float32
    return torch.device("cpu"), torch.bfloat16 if resolve_precision("auto", "cpu") == "bf16-mixed" else torch.float32


def _in_batches(
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    vectors_of: Callable[[Tensor], Tensor],
    progress: Callable[[int, int], None] | None,
) -> NDArray[np.float32]:
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            some = torch.from_numpy(np.asarray(pixels[rows[start : start + BATCH]]))
            parts.append(vectors_of(some.permute(0, 3, 1, 2)).float().cpu().numpy())
            if progress:
                progress(min(start + BATCH, len(rows)), len(rows))
    return np.concatenate(parts)


def _resized(images: Tensor, side: int) -> Tensor:
    """Resize images, uint8 ``(N, C, H, W)``, to float32 ``(N, C, side, side)`` from 0 to 255."""
    return interpolate(images.float(), (side, side), mode="bilinear", antialias=True, align_corners=False)


def _pooled(network: nn.Module, images: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the input of the network's last layer for images, uint8 ``(N, C, H, W)``."""
    mean, std = (torch.tensor(values, device=images.device).view(-1, 1, 1) for values in input_statistics(OFFLINE))
    colors = (_resized(images, SIDE).expand(-1, 3, -1, -1) / 255 - mean) / std
    colors = colors.to(dtype).contiguous(memory_format=torch.channels_last)
    result: Tensor = network.forward_head(network.forward_features(colors), pre_logits=True)  # type: ignore[operator]
    return result


def _principal(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the principal components of vectors ``(M, D)``, float32 ``(M, min(D, 128))``, without degenerate ones."""
    some = vectors[:: max(1, len(vectors) // FITTED)]
    mean = some.mean(axis=0)
    centered = (some - mean).astype(np.float64)
    variances, directions = np.linalg.eigh(centered.T @ centered / max(1, len(some) - 1))
    order = np.argsort(-variances)[:COMPONENTS]
    order = order[variances[order] > EMPTY]
    # The sign of a direction is arbitrary: its largest component is made positive, so that results are reproducible.
    directions = directions[:, order]
    directions *= np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    result: NDArray[np.float32] = ((vectors - mean) @ directions.astype(np.float32)).astype(np.float32)
    return result
