"""Statistics of each image: dark and light pixels, contrast, sharpness, color."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

CHUNK = 2**22  # pixels measured at a time
BLANK = 0.995  # fraction of pixels that are nearly black, or nearly white, in a blank image
FLAT = 1.0  # grey levels; an image whose standard deviation is lower is blank
DARK, LIGHT = 12, 243  # grey levels; nearly black pixels are at most the first, nearly white ones at least the second
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in Pillow's conversion to grey


@dataclass(frozen=True)
class ImageStatistics:
    """Statistics of N images, each float32 ``(N,)``.

    Attributes:
        dark: Fraction of pixels that are nearly black.
        light: Fraction of pixels that are nearly white.
        contrast: Standard deviation of the grey levels, 0 to 127.5.
        detail: Variance of the Laplacian of the grey levels (Pech-Pacheco et al. 2000): small for blurred images.
        color: Mean difference between the largest and the smallest channel of a pixel, 0 (grey) to 255.
    """

    dark: NDArray[np.float32]
    light: NDArray[np.float32]
    contrast: NDArray[np.float32]
    detail: NDArray[np.float32]
    color: NDArray[np.float32]

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Images that are nearly black, nearly white or of one color all over, bool ``(N,)``."""
        return (self.dark >= BLANK) | (self.light >= BLANK) | (self.contrast < FLAT)


def measure_images(pixels: NDArray[np.uint8]) -> ImageStatistics:
    """Measure images, uint8 ``(N, H, W, C)`` with sides of at least 3 pixels; may be memory-mapped."""
    step = max(1, CHUNK // max(1, pixels.shape[1] * pixels.shape[2]))
    parts = [_measure(np.asarray(pixels[start : start + step])) for start in range(0, len(pixels), step)]
    joined = {item.name: np.concatenate([part[item.name] for part in parts]) for item in fields(ImageStatistics)}
    return ImageStatistics(**joined)


def _measure(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    number, channels = len(pixels), pixels.shape[3]
    grey = pixels @ LUMA if channels == 3 else pixels[..., 0].astype(np.float32)
    laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    laplacian -= 4 * grey[:, 1:-1, 1:-1]
    color = np.zeros(number, np.float32)
    if channels == 3:
        color = np.ptp(pixels, axis=3).reshape(number, -1).mean(axis=1, dtype=np.float32)
    flat = grey.reshape(number, -1)
    return {
        "dark": (flat <= DARK).mean(axis=1, dtype=np.float32),
        "light": (flat >= LIGHT).mean(axis=1, dtype=np.float32),
        "contrast": flat.std(axis=1),
        "detail": laplacian.reshape(number, -1).var(axis=1),
        "color": color,
    }


def robust_scores(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the robust z-score of each value (Iglewicz and Hoaglin 1993).

    That is its distance above the median in robust standard deviations: 1.4826 times the median absolute deviation,
    which a few outliers do not affect.

    Args:
        values: ``(N,)``.

    Returns:
        float64 ``(N,)``; all 0 if more than half of the values are equal.
    """
    values = np.asarray(values, np.float64)
    distance = values - np.median(values)
    scale = 1.4826 * np.median(np.abs(distance))
    return distance / scale if scale > 0 else np.zeros_like(distance)
