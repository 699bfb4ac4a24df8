"""Masks as pictures: laid over their images, and where a prediction is wrong."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.metrics.segmentation import VOID

# Okabe and Ito (2008), distinct under every common form of color blindness; further classes take hues between them.
COLORS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
UNKNOWN = (200, 200, 200)
MISSED, FALSE_ALARM = (66, 73, 173), (230, 97, 26)
STRENGTH = 0.55  # of a mask over its image


def class_colors(classes: Sequence[str]) -> NDArray[np.uint8]:
    """Return a color for each class, uint8 ``(C, 3)``; a first class called background is black."""
    number, colors = len(classes), [(0, 0, 0)] if classes[0] == "background" else []
    for index in range(number - len(colors)):
        if index < len(COLORS):
            colors.append(COLORS[index])
        else:
            hue = (index * 0.61803398875) % 1
            red, green, blue = (round(255 * value) for value in colorsys.hsv_to_rgb(hue, 0.6, 0.9))
            colors.append((red, green, blue))
    return np.array(colors, np.uint8)


def overlay(image: NDArray[np.uint8], mask: NDArray[np.uint8], colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay the classes of a mask over an image; black classes leave it as it is, void pixels are grey.

    Args:
        image: uint8 ``(H, W, 1 or 3)``.
        mask: uint8 ``(H, W)``.
        colors: uint8 ``(C, 3)``.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)], table[VOID] = colors, UNKNOWN
    painted = table[mask].astype(np.float32)
    plain = np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.float32)
    shown = painted.any(axis=2, keepdims=True)
    return np.where(shown, (1 - STRENGTH) * plain + STRENGTH * painted, plain).round().astype(np.uint8)


def error_map(
    image: NDArray[np.uint8], truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int
) -> NDArray[np.uint8]:
    """Show where a mask is wrong: of two classes missed pixels blue and false alarms orange, of more all orange.

    Args:
        image: uint8 ``(H, W, 1 or 3)``; it is seen faintly.
        truth: uint8 ``(H, W)``, void where nobody knows.
        predicted: uint8 ``(H, W)``.
        classes: How many there are.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    grey = image.mean(axis=2, keepdims=True)
    result = np.broadcast_to(170 + grey * 0.3, (*truth.shape, 3)).round().astype(np.uint8)
    wrong = (truth != predicted) & (truth != VOID)
    result[wrong] = FALSE_ALARM
    if classes == 2:
        result[wrong & (truth == 1)] = MISSED
    result[truth == VOID] = UNKNOWN
    return result


def strip(
    image: NDArray[np.uint8], truth: NDArray[np.uint8], predicted: NDArray[np.uint8], colors: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return image, true mask, predicted mask and errors side by side, uint8 ``(H, 4 W + 3 gaps, 3)``.

    Args:
        image: uint8 ``(H, W, 1 or 3)``.
        truth: uint8 ``(h, w)``, brought to the size of the image.
        predicted: uint8 ``(h, w)``.
        colors: uint8 ``(C, 3)``.
    """
    height, width = image.shape[:2]
    truth, predicted = (fitted(mask, (height, width)) for mask in (truth, predicted))
    gap = np.full((height, max(2, width // 50), 3), 255, np.uint8)
    parts = [
        np.broadcast_to(image, (height, width, 3)),
        gap,
        overlay(image, truth, colors),
        gap,
        overlay(image, predicted, colors),
        gap,
        error_map(image, truth, predicted, len(colors)),
    ]
    return np.concatenate(parts, axis=1)


def fitted(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring a mask ``(h, w)`` to (height, width), each pixel of the class of the nearest one."""
    if mask.shape == size:
        return mask
    return np.array(Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST))


def paletted(mask: NDArray[np.uint8], colors: NDArray[np.uint8]) -> Image.Image:
    """Return a mask as an image whose pixels are class numbers, shown in the colors of the classes."""
    image = Image.fromarray(mask)
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)], table[VOID] = colors, UNKNOWN
    image.putpalette(table.ravel().tolist())  # which makes a grey image one of numbers with colors
    return image
