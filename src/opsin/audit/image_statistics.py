"""A few numbers of each picture: how dark, how even, how sharp, how colorful."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

CHUNK = 2**22  # pixels measured at a time
BLANK = 0.995  # part of the pixels that are nearly black, or nearly white
FLAT = 1.0  # grey levels of standard deviation: below it a picture shows nothing
DARK, LIGHT = 12, 243  # grey levels: what a nearly black or nearly white pixel stays below or above
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in Pillow's conversion to grey


@dataclass(frozen=True)
class Measures:
    """Numbers of N pictures, each float32 ``(N,)``.

    Attributes:
        dark: Part of the pixels that are nearly black.
        light: Part of the pixels that are nearly white.
        contrast: Standard deviation of the grey levels, 0 to 127.5.
        detail: Variance of the Laplacian of the grey levels (Pech-Pacheco et al. 2000): small where nothing is sharp.
        color: Mean distance between the largest and the smallest channel of a pixel, 0 (grey) to 255.
    """

    dark: NDArray[np.float32]
    light: NDArray[np.float32]
    contrast: NDArray[np.float32]
    detail: NDArray[np.float32]
    color: NDArray[np.float32]

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Which pictures are nearly black, nearly white or of one color all over."""
        return (self.dark >= BLANK) | (self.light >= BLANK) | (self.contrast < FLAT)


def measure(pixels: NDArray[np.uint8]) -> Measures:
    """Measure pictures, uint8 ``(N, H, W, C)`` with sides of 3 pixels or more, which may lie in a file."""
    step = max(1, CHUNK // max(1, pixels.shape[1] * pixels.shape[2]))
    parts = [_measure(np.asarray(pixels[start : start + step])) for start in range(0, len(pixels), step)]
    joined = {item.name: np.concatenate([part[item.name] for part in parts]) for item in fields(Measures)}
    return Measures(**joined)


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
    """Return how many robust standard deviations each value lies above the median (Iglewicz and Hoaglin 1993).

    The standard deviation is 1.4826 times the median distance from the median, which a few outliers do not move.

    Args:
        values: ``(N,)``.

    Returns:
        float64 ``(N,)``; all 0 where more than half of the values are equal.
    """
    values = np.asarray(values, np.float64)
    distance = values - np.median(values)
    scale = 1.4826 * np.median(np.abs(distance))
    return distance / scale if scale > 0 else np.zeros_like(distance)
