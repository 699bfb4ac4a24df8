"""The one path from an image to the network's input, used by training, validation, prediction and export alike."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from opsin.data.dataset import Images


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes input.

    Attributes:
        height: Rows of pixels the network sees.
        width: Columns of pixels the network sees.
        channels: 1 (grey) or 3 (RGB).
        resize: "squash" (the whole image, distorted), "crop" (the middle, undistorted) or "pad" (black bars).
        bits: Bits in use in 16-bit images.
        mean: Per channel, subtracted from values in [0, 1].
        std: Per channel, divides what is left.
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
        """Take back what `to_dict` gave; other entries are ignored."""
        known: dict[str, Any] = {item.name: values[item.name] for item in dataclasses.fields(cls)}
        return cls(**(known | {"mean": tuple(known["mean"]), "std": tuple(known["std"])}))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)

    def read(self, images: Images, index: int) -> NDArray[np.uint8]:
        """Read one image and bring it to size.

        Returns:
            uint8 ``(height, width, channels)``.

        Raises:
            UnreadableImageError: The image cannot be read.
        """
        # "crop" needs the shorter side to reach the target, so no hint that lets the decoder stop at the longer one.
        larger = max(self.height, self.width)
        hint = (self.height, self.width) if self.resize == "squash" else (larger, larger)
        return self.fit(images.read(index, hint, self.bits))

    def fit(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring decoded pixels, uint8 ``(H, W, 1 or 3)``, to uint8 ``(height, width, channels)``."""
        if pixels.shape == (self.height, self.width, self.channels):
            return pixels
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        image = image.convert("L" if self.channels == 1 else "RGB")
        if image.size != (self.width, self.height):
            image = self._resized(image)
        return np.array(image).reshape(self.height, self.width, self.channels)

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
        resized = image.resize(target, Image.Resampling.BILINEAR, reducing_gap=2.0)
        if self.resize == "pad":
            canvas = Image.new(image.mode, (self.width, self.height))
            canvas.paste(resized, ((self.width - target[0]) // 2, (self.height - target[1]) // 2))
            return canvas
        return resized

    def scale(self, pixels: Tensor) -> Tensor:
        """Turn uint8 ``(N, H, W, C)`` into float32 ``(N, C, H, W)`` in [0, 1], laid out channels-last."""
        return pixels.permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 255)

    def normalize(self, images: Tensor) -> Tensor:
        """Standardize float32 ``(N, C, H, W)`` in [0, 1] by `mean` and `std`, in place."""
        mean = torch.tensor(self.mean, device=images.device).view(1, -1, 1, 1)
        factor = 1 / torch.tensor(self.std, device=images.device).view(1, -1, 1, 1)
        return images.sub_(mean).mul_(factor)


def channel_statistics(
    pixels: Tensor, indices: Tensor, limit: int = 10_000
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per channel of images in [0, 1].

    Args:
        pixels: uint8 ``(N, H, W, C)``.
        indices: int64 ``(M,)``; the images that count (the training split).
        limit: How many images are enough; of more, every k-th is taken.

    Returns:
        Two tuples of C numbers; a channel that never varies gets the deviation 1.
    """
    some = pixels[indices[:: max(1, len(indices) // limit)]]
    channels = pixels.shape[-1]
    # Exact sums from the histogram of byte values: no float copy of the images is made.
    values = np.arange(256) / 255
    means, deviations = [], []
    for channel in range(channels):
        counts = np.bincount(some[..., channel].numpy().ravel(), minlength=256)
        mean = float((counts * values).sum() / counts.sum())
        deviation = float(np.sqrt((counts * (values - mean) ** 2).sum() / counts.sum()))
        means.append(round(mean, 6))
        deviations.append(round(deviation, 6) if deviation > 1e-4 else 1.0)
    return tuple(means), tuple(deviations)
