"""Pictures of a report that are neither photographs nor figures: heat maps over images, and weights."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from opsin.reporting.figures.style import BLUE, ORANGE

_BRIGHT = "#ffe9a8"  # where an absolute map is at its height
_FOR, _AGAINST = "#ff7f1f", "#5b7bff"  # the page's orange and blue, brighter, to stand out against a grey image


def overlay(image: NDArray[np.uint8], values: NDArray[np.uint8], *, signed: bool) -> NDArray[np.uint8]:
    """Draw a heat map over an image, which becomes grey.

    Args:
        image: uint8 ``(H, W, C)`` with C = 1 or 3.
        values: uint8 ``(H, W)`` as written by the inspection "attributions": absolute from 0 to 255, or signed
            around 128.
        signed: Which of the two. Signed maps are orange where they speak for a class and blue where they speak
            against it; absolute ones glow from orange to pale yellow.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    grey = 0.08 + 0.72 * _luminance(image)[..., None]
    if signed:
        part = (values.astype(np.float64) - 128) / 127
        color = np.where(part[..., None] > 0, to_rgb(_FOR), to_rgb(_AGAINST))
        strength = np.abs(part)[..., None]
    else:
        strength = values[..., None] / 255
        color = np.array(to_rgb(_FOR)) + strength**2 * (np.array(to_rgb(_BRIGHT)) - to_rgb(_FOR))
    cover = 0.92 * strength**0.65
    return _bytes((1 - cover) * grey + cover * color)


def weight_image(weights: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Draw one unit's weights, stretched so that the largest absolute one has full color.

    Args:
        weights: float ``(H, W, C)``. With C = 3 they are drawn as the color they answer to, grey being 0; with C = 1
            orange is positive, blue negative and white 0.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    part = weights / max(float(np.abs(weights).max()), 1e-12)
    if part.shape[2] == 3:
        return _bytes(0.5 + 0.5 * part)
    color = np.where(part > 0, to_rgb(ORANGE), to_rgb(BLUE))
    return _bytes(1 + np.abs(part) * (color - 1))


def enlarge(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Repeat the pixels of uint8 ``(H, W, C)`` as often as the longer side stays within ``side``."""
    times = max(1, side // max(pixels.shape[:2]))
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def _luminance(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return brightness in [0, 1], stretched where an image uses only a part of it."""
    grey = Image.fromarray(image).convert("L") if image.shape[2] == 3 else image[..., 0]
    values = np.asarray(grey) / 255.0
    low, high = np.percentile(values, (0.5, 99.5))
    result: NDArray[np.float64] = np.clip((values - low) / max(high - low, 0.1), 0, 1)
    return result


def _bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    result: NDArray[np.uint8] = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
    return result
