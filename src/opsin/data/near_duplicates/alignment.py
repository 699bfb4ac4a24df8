"""Laying one image over another: cosine coefficients of windows, mirrored and turned poses, and the best window."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
LARGEST = 64  # pixels; larger images are averaged down before they are laid over one another
FARTHEST = 0.13  # the most that a window may leave out at a side, as part of the frame: a tenth, and some slack
OUTSIDE = 0.02  # how far a window may reach beyond the frame: the slack of a fit
BYTES = 2**24  # of images that are read together

# (rows reversed, columns reversed, transposed before that): the eight symmetries of a square, the identity first.
POSES = tuple((up, left, over) for over in (False, True) for up in (False, True) for left in (False, True))


def read_grey(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> Tensor:
    """Read some images as luminance, averaged down to fewer than 128 pixels a side.

    Args:
        images: uint8 ``(N, H, W, C)``, C = 1 or 3; may be memory-mapped.
        rows: int64 ``(P,)``.

    Returns:
        float32 ``(P, h, w)``, in grey levels.
    """
    if images.shape[3] == 1:
        return torch.cat([_shrunk(pixels[..., 0].float()) for pixels in _blocks(images, rows)])
    return torch.cat([_shrunk(pixels.float() @ torch.tensor(LUMINANCE)) for pixels in _blocks(images, rows)])


def read_chroma(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> Tensor:
    """Read some color images as what each channel differs from the luminance by, float32 ``(P, 3, h, w)``."""
    chroma = torch.eye(3) - torch.tensor(LUMINANCE)[:, None]
    return torch.cat([_shrunk((pixels.float() @ chroma).movedim(3, 1)) for pixels in _blocks(images, rows)])


def _blocks(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> Iterator[Tensor]:
    """Read images a few megabytes at a time; once at least, even if there are none."""
    block = max(1, BYTES // images[0].size)
    for start in range(0, max(1, len(rows)), block):
        yield torch.from_numpy(images[rows[start : start + block]])


def _shrunk(values: Tensor) -> Tensor:
    """Return values ``(P, ..., H, W)`` averaged over squares of pixels where the images are large."""
    tall, wide = (max(1, side // LARGEST) for side in values.shape[-2:])
    return torch.nn.functional.avg_pool2d(values, (tall, wide)) if tall * wide > 1 else values


def cosines(pixels: int, frequencies: int, margins: Tensor) -> Tensor:
    """Return the matrices that take a line of pixels to the cosine coefficients of a window of it.

    The pixels are steps: their product with the cosine is integrated exactly, so that any window has coefficients and
    none is aliased. They are scaled so that the sum of squares over all frequencies is the window's mean square.

    Args:
        pixels: W, in the line.
        frequencies: K, in half periods per window, from 0 (the mean).
        margins: float ``(P, 2)``; what the window leaves out before and after, as part of the line.

    Returns:
        float32 ``(P, K, W)``.
    """
    place = _place(pixels, margins)
    phase = torch.arange(1, frequencies)[:, None] * math.pi
    return torch.cat([place, math.sqrt(2) * torch.sin(phase * place) / phase], 1).diff(dim=2)


def _place(pixels: int, margins: Tensor) -> Tensor:
    """Return where the borders of pixels lie in windows ``(P, 2)``, 0-1 ``(P, 1, W + 1)``; at an end if outside."""
    before, after = margins[:, :1, None], margins[:, 1:, None]
    return ((torch.arange(pixels + 1) / pixels - before) / (1 - before - after)).clamp(0, 1)


def whole(grey: Tensor, frequencies: int) -> Tensor:
    """Return the cosine coefficients ``(P, K, K)`` of whole images ``(P, H, W)``."""
    return window(grey, frequencies, torch.zeros(1, 4))


def window(grey: Tensor, frequencies: int, margins: Tensor) -> Tensor:
    """Return the cosine coefficients of windows of images.

    Args:
        grey: float32 ``(P, H, W)``.
        frequencies: K.
        margins: float32 ``(P, 4)``, or ``(1, 4)`` for the same window of all images: what is left out at the top, the
            bottom, the left and the right, as part of the frame.

    Returns:
        float32 ``(P, K, K)``.
    """
    height, width = grey.shape[1:]
    return cosines(height, frequencies, margins[:, :2]) @ grey @ cosines(width, frequencies, margins[:, 2:]).mT


def windows(grey: Tensor, frequencies: int, along: Tensor) -> Tensor:
    """Return the cosine coefficients of all windows that some windows along each axis make.

    Args:
        grey: float32 ``(P, H, W)``.
        frequencies: K.
        along: float32 ``(A, 2)``; margins before and after.

    Returns:
        float32 ``(P, A * A, K, K)``; the first A have the first window along the rows.
    """
    height, width = grey.shape[1:]
    rows, columns = (cosines(side, frequencies, along).flatten(0, 1) for side in (height, width))
    table = (rows @ grey @ columns.T).unflatten(2, (len(along), frequencies)).unflatten(1, (len(along), frequencies))
    return table.movedim(3, 2).flatten(1, 2)


def posed(coefficients: Tensor, pose: int) -> Tensor:
    """Return the cosine coefficients ``(..., K, K)`` that the mirrored or turned images would have."""
    up, left, over = POSES[pose]
    signs = torch.ones(coefficients.shape[-1])
    signs[1::2] = -1
    coefficients = coefficients.mT if over else coefficients
    coefficients = coefficients * signs[:, None] if up else coefficients
    return coefficients * signs if left else coefficients


def lay_over(
    grey: Tensor, others: Tensor, margins: Tensor, weights: Tensor, *, steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the window of each image that is most like another image, and how unlike it still is.

    Gauss-Newton steps on the four margins and the contrast, as in Lucas and Kanade (1981), on weighted coefficients.
    What is left is then explained, as far as it goes, by more or less contrast and by a filter that smooths or
    sharpens (a polynomial of second degree in the squared frequency), because resizing does both.

    Args:
        grey: float32 ``(P, H, W)``.
        others: float32 ``(P, K, K)``, cosine coefficients of whole images.
        margins: float32 ``(P, 4)``; where the search for the window begins.
        weights: float32 ``(P, K, K)``, of each coefficient; that of the mean is 0.
        steps: How many steps.

    Returns:
        Margins ``(P, 4)``; the part of the other's weighted energy that is left unexplained, 0-1 ``(P,)``; the
        contrast of the other relative to the window ``(P,)``.
    """
    frequencies = others.shape[-1]
    target = (others * weights).flatten(1)
    for _ in range(steps):
        slopes = _slopes(grey, frequencies, margins) * weights[:, None]
        solution = _fit(slopes.flatten(2), target, 1e-3)[0]
        step = solution[:, 1:] / solution[:, :1].clamp(min=0.3)
        margins = (margins + step.clamp(-0.05, 0.05)).clamp(-OUTSIDE, FARTHEST)
    found = window(grey, frequencies, margins) * weights
    squares = (torch.arange(frequencies) / frequencies) ** 2
    squares = squares[:, None] + squares
    filtered = torch.stack([found, found * squares, found * squares**2], 1).flatten(2)
    solution, explained = _fit(filtered, target, 1e-4)
    energy = target.square().sum(1).clamp(min=1e-9)
    return margins, (1 - explained / energy).clamp(0, 1), solution[:, 0]


def _slopes(grey: Tensor, frequencies: int, margins: Tensor) -> Tensor:
    """Return the coefficients of windows and their slopes along the four margins, ``(P, 5, K, K)``."""
    height, width = grey.shape[1:]
    rows = _with_slopes(height, frequencies, margins[:, :2])
    columns = _with_slopes(width, frequencies, margins[:, 2:])
    once = torch.cat(rows, 1) @ grey
    down = (once @ columns[0].mT).unflatten(1, (3, frequencies))
    across = [once[:, :frequencies] @ column.mT for column in columns[1:]]
    return torch.cat([down, torch.stack(across, 1)], 1)


def _with_slopes(pixels: int, frequencies: int, margins: Tensor) -> list[Tensor]:
    """Return the matrices of `cosines` and their slopes along both margins."""
    left = (1 - margins.sum(1))[:, None, None]
    place = _place(pixels, margins)
    inside = (place > 0) & (place < 1)
    phase = torch.arange(frequencies)[:, None] * math.pi
    values = torch.cos(phase * place) * inside
    values[:, 1:] *= math.sqrt(2)
    slopes = (values * (place - 1) / left, values * place / left)
    return [cosines(pixels, frequencies, margins), *(slope.diff(dim=2) for slope in slopes)]


def _fit(regressors: Tensor, target: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Return the least-squares factors ``(P, R)`` of regressors ``(P, R, F)``, and the energy they explain ``(P,)``."""
    products = regressors @ regressors.mT
    aims = (regressors @ target[:, :, None])[..., 0]
    sizes = products.diagonal(dim1=1, dim2=2)
    held = sizes * ridge + 1e-9
    held[:, 0] = sizes[:, 0] * 1e-6 + 1e-9  # the contrast itself is not held back
    factors = torch.linalg.solve(products + torch.diag_embed(held), aims)
    return factors, (factors * aims).sum(1)
