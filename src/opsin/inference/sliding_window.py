"""Large images at their own resolution, by overlapping tiles whose seams are blended, a band of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STRIDE = 32  # tiles begin at multiples of it, so that every network halves them where it would halve the whole image


@dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Attributes:
        side: Of a tile, pixels, a multiple of 32.
        margin: Pixels along a seam where a tile is not believed, as it sees too little beyond. Where it is at least as
            far as a network sees, the result is that of the whole image; networks that look at the whole image at once
            (squeeze-and-excitation, global context) give a slightly different one.
        blend: Pixels over which one tile gives way to the next.
    """

    side: int = 512
    margin: int = 96
    blend: int = 32

    def __post_init__(self) -> None:
        if self.side % STRIDE or self.margin < 0 or self.blend < 1 or self.step < STRIDE:
            raise ValueError(
                f"tiles of {self.side} pixels with margins of {self.margin} and {self.blend} to blend leave no room: "
                f"the side must be a multiple of {STRIDE}, and 2 margins, the blend and {STRIDE} more must fit into it"
            )

    @property
    def step(self) -> int:
        """Pixels from one tile to the next."""
        return (self.side - 2 * self.margin - self.blend) // STRIDE * STRIDE

    def starts(self, length: int) -> list[int]:
        """Return where tiles begin along a side of the image; the last one ends where the image does."""
        if length <= self.side:
            return [0]
        last = -(-(length - self.side) // STRIDE) * STRIDE
        return [*range(0, last, self.step), last]

    def weights(self, start: int, side: int, length: int) -> NDArray[np.float32]:
        """Return how much each pixel of a tile along one side counts, float32 ``(side,)`` in [0, 1]."""
        place = np.arange(side) + 0.5
        before = place - self.margin if start else np.full(side, np.inf)
        after = side - place - self.margin if start + side < length else np.full(side, np.inf)
        result: NDArray[np.float32] = np.clip(np.minimum(before, after) / self.blend, 0, 1).astype(np.float32)
        return result


@torch.no_grad()
def probabilities_by_tiles(
    network: Callable[[Tensor], Tensor],
    standardize: Callable[[Tensor], Tensor],
    pixels: NDArray[np.uint8],
    tiling: Tiling,
    device: torch.device | str = "cpu",
) -> Iterator[Tensor]:
    """Predict one image of any size; only a band as high as a tile is in memory at a time.

    Args:
        network: Maps images ``(N, C, h, w)`` to logits ``(N, classes, h, w)``, in evaluation mode.
        standardize: Turns uint8 ``(N, h, w, C)`` into its input.
        pixels: uint8 ``(H, W, C)``.
        tiling: How the image is cut.
        device: Where the network is.

    Yields:
        Probabilities of the next rows of pixels, float32 ``(classes, h, W)``; all ``h`` sum to ``H``.
    """
    tall, wide = pixels.shape[:2]
    rows, columns = tiling.starts(tall), tiling.starts(wide)
    band = torch.zeros(0)
    for number, top in enumerate(rows):
        side = min(tiling.side, tall - top)
        fresh = _band(network, standardize, pixels[top : top + side], (top, tall), columns, tiling, device)
        kept = band.shape[1] if band.numel() else 0
        if kept:
            fresh[:, :kept] += band
        end = rows[number + 1] - top if number + 1 < len(rows) else side
        yield fresh[:-1, :end] / fresh[-1:, :end]
        band = fresh[:, end:]


def _band(
    network: Callable[[Tensor], Tensor],
    standardize: Callable[[Tensor], Tensor],
    pixels: NDArray[np.uint8],
    place: tuple[int, int],
    columns: list[int],
    tiling: Tiling,
    device: torch.device | str,
) -> Tensor:
    """Return weighted probabilities and, last, the sum of the weights, ``(classes + 1, h, W)``, of one row of tiles."""
    top, tall = place
    height, wide = pixels.shape[:2]
    down = tiling.weights(top, height, tall)
    sums = torch.zeros(0)
    for left in columns:
        side = min(tiling.side, wide - left)
        tile = torch.from_numpy(np.ascontiguousarray(pixels[:, left : left + side]))[None].to(device)
        probabilities = network(standardize(tile)).float().softmax(dim=1)[0].cpu()
        weights = torch.from_numpy(down[:, None] * tiling.weights(left, side, wide))
        if not sums.numel():
            sums = torch.zeros(len(probabilities) + 1, height, wide)
        sums[:-1, :, left : left + side] += probabilities * weights
        sums[-1, :, left : left + side] += weights
    return sums
