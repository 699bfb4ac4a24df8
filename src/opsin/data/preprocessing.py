"""Preprocessing from image to network input, shared by training, validation, prediction and export."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from opsin.data.decoding import from_array, to_array
from opsin.data.images import Images
from opsin.data.mask_codes import VOID

CHUNK = 2**24  # bytes of images per histogram step


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of images.

    Attributes:
        height: Height of the network input, pixels.
        width: Width of the network input, pixels.
        channels: 1 (grey) or 3 (RGB).
        resize: "squash" (the whole image, distorted), "crop" (the center, undistorted) or "pad" (black bars).
        bits: Bits in use in 16-bit images.
        mean: Mean per channel of values in [0, 1], subtracted.
        std: Standard deviation per channel, the divisor.
    """

    height: int
    width: int
    channels: int
    resize: str = "squash"
    bits: int = 16
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """Build from the output of `to_dict`; other entries are ignored."""
        known: dict[str, Any] = {item.name: values[item.name] for item in dataclasses.fields(cls)}
        return cls(**(known | {"mean": tuple(known["mean"]), "std": tuple(known["std"])}))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)

    def read(self, images: Images, index: int) -> NDArray[np.uint8]:
        """Read one image and resize it.

        Returns:
            uint8 ``(height, width, channels)``.

        Raises:
            UnreadableImageError: The image cannot be read.
        """
        # "crop" needs the shorter side to reach the target, so the hint must hold for both sides.
        larger = max(self.height, self.width)
        hint = (self.height, self.width) if self.resize == "squash" else (larger, larger)
        return to_array(self._fitted(images.open(index, hint, self.bits)))

    def fit(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert decoded pixels, uint8 ``(H, W, 1 or 3)``, to uint8 ``(height, width, channels)``."""
        if pixels.shape == (self.height, self.width, self.channels):
            return pixels
        return to_array(self._fitted(from_array(pixels)))

    def _fitted(self, image: Image.Image) -> Image.Image:
        """Convert a decoded image, of mode "L" or "RGB", to the channels and the size of the input."""
        mode = "L" if self.channels == 1 else "RGB"
        image = image if image.mode == mode else image.convert(mode)
        return image if image.size == (self.width, self.height) else self._resized(image)

    def _resized(self, image: Image.Image) -> Image.Image:
        """Resize with an antialiased bilinear filter."""
        target = (self.width, self.height)
        ratios = (self.width / image.width, self.height / image.height)
        if self.resize == "crop":
            width, height = (max(1, round(side / max(ratios))) for side in target)
            left, top = (image.width - width) // 2, (image.height - height) // 2
            image = image.crop((left, top, left + width, top + height))
        elif self.resize == "pad":
            target = (max(1, round(image.width * min(ratios))), max(1, round(image.height * min(ratios))))
        resized = self._sampled(image, target)
        if self.resize == "pad":
            canvas = Image.new(image.mode, (self.width, self.height), self._margin)
            canvas.paste(resized, ((self.width - target[0]) // 2, (self.height - target[1]) // 2))
            return canvas
        return resized

    def fit_back(self, plane: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize a map of the input back to the size of the original image.

        Args:
            plane: float32 ``(height, width)``.
            size: (height, width) of the image.

        Returns:
            float32 of that size, interpolated; NaN outside the region of "crop".
        """
        height, width = size
        ratios = (self.width / width, self.height / height)
        if self.resize == "squash":
            return _interpolated(plane, size)
        if self.resize == "pad":
            inner = (max(1, round(height * min(ratios))), max(1, round(width * min(ratios))))
            top, left = (self.height - inner[0]) // 2, (self.width - inner[1]) // 2
            return _interpolated(plane[top : top + inner[0], left : left + inner[1]], size)
        inner = (max(1, round(self.height / max(ratios))), max(1, round(self.width / max(ratios))))
        top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
        whole = torch.full(size, torch.nan)
        whole[top : top + inner[0], left : left + inner[1]] = _interpolated(plane, inner)
        return whole

    @property
    def _margin(self) -> int:
        """Padding value."""
        return 0

    def _sampled(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)

    def for_masks(self) -> MaskPreprocessing:
        """Return the preprocessing of masks with the same geometry."""
        return MaskPreprocessing(self.height, self.width, 1, self.resize)

    def scale(self, pixels: Tensor) -> Tensor:
        """Convert uint8 ``(N, H, W, C)`` to float32 ``(N, C, H, W)`` in [0, 1], channels-last in memory."""
        return pixels.permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 255)

    def normalize(self, images: Tensor) -> Tensor:
        """Standardize float32 ``(N, C, H, W)`` in [0, 1] by `mean` and `std`, in place."""
        rows = images.permute(0, 2, 3, 1)
        if rows.is_contiguous():
            shift, factor = _shift_and_factor(self.mean, self.std, 1, images.shape[3], images.device)
            rows = rows.view(*rows.shape[:2], -1)
            torch.addcmul(shift, rows, factor, out=rows)
            return images
        shift, factor = _shift_and_factor(self.mean, self.std, 1, 1, images.device)
        return images.mul_(factor.view(-1, 1, 1)).add_(shift.view(-1, 1, 1))

    def standardize(self, pixels: Tensor) -> Tensor:
        """Apply `scale` and `normalize` in one pass.

        Args:
            pixels: uint8 ``(N, H, W, C)``.

        Returns:
            float32 ``(N, C, H, W)``, channels-last in memory.
        """
        shift, factor = _shift_and_factor(self.mean, self.std, 255, pixels.shape[2], pixels.device)
        images = pixels.to(torch.float32, memory_format=torch.contiguous_format)
        rows = images.view(*images.shape[:2], images.shape[2] * images.shape[3])
        torch.addcmul(shift, rows, factor, out=rows)
        return images.permute(0, 3, 1, 2)


@dataclass(frozen=True)
class MaskPreprocessing(Preprocessing):
    """Preprocessing of masks: as `Preprocessing`, with nearest-neighbor sampling and padding with void."""

    @property
    def _margin(self) -> int:
        return VOID

    def _sampled(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        return image.resize(size, Image.Resampling.NEAREST)


def _interpolated(plane: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a plane ``(h, w)`` at another size, bilinear and antialiased."""
    return interpolate(plane[None, None], size, mode="bilinear", antialias=True)[0, 0]


@functools.lru_cache(maxsize=64)
def _shift_and_factor(
    mean: tuple[float, ...], std: tuple[float, ...], white: int, repeats: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the coefficients that standardize values from 0 to ``white``: ``shift + factor * value``.

    Both are float32 ``(repeats * C,)``. Repeated for a row of pixels, they are applied as one long vector; with only 3
    numbers at a time, this is four times slower.
    """
    deviation = torch.tensor(std, dtype=torch.float64)
    shift, factor = -torch.tensor(mean, dtype=torch.float64) / deviation, 1 / (deviation * white)
    return shift.to(device, torch.float32).repeat(repeats), factor.to(device, torch.float32).repeat(repeats)


def channel_statistics(
    pixels: Tensor, indices: Tensor, limit: int = 10_000
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per channel of images in [0, 1].

    Args:
        pixels: uint8 ``(N, H, W, C)``.
        indices: int64 ``(M,)``; the images to use (the training split).
        limit: Maximum number of images; of more, every k-th is used.

    Returns:
        Two tuples of C numbers; a constant channel gets the standard deviation 1.
    """
    some = indices[:: max(1, -(-len(indices) // limit))]
    channels = pixels.shape[-1]
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for rows in some.split(max(1, CHUNK // max(1, pixels[0].numel()))):
        chunk = pixels[rows]
        for channel in range(channels):
            counts[channel] += torch.bincount(chunk[..., channel].flatten(), minlength=256)
    # The sums are exact: they are computed from the histogram of byte values.
    levels = np.arange(256) / 255
    means, deviations = [], []
    for frequencies in counts.numpy() / counts[0].sum().item():
        mean = float((frequencies * levels).sum())
        deviation = float(np.sqrt((frequencies * (levels - mean) ** 2).sum()))
        means.append(round(mean, 6))
        deviations.append(round(deviation, 6) if deviation > 1e-4 else 1.0)
    return tuple(means), tuple(deviations)
