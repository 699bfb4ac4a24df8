"""Image alignment: cosine coefficients of windows, mirrored and rotated poses, and the best-matching window."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
LARGEST = 64  # pixels; larger images are averaged down before alignment
FARTHEST = 0.13  # maximum margin of a window, as a fraction of the frame: a tenth, and some slack
OUTSIDE = 0.02  # how far a window may extend beyond the frame: the slack of a fit
BYTES = 2**24  # of images per block

# (rows reversed, columns reversed, transposed first): the eight symmetries of a square, the identity first.
POSES = tuple((up, left, over) for over in (False, True) for up in (False, True) for left in (False, True))


def read_grey(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> Tensor:
    """Read images as luminance, averaged down to less than 128 pixels per side.

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
    """Read color images as differences of the channels from the luminance, float32 ``(P, 3, h, w)``."""
    chroma = torch.eye(3) - torch.tensor(LUMINANCE)[:, None]
    return torch.cat([_shrunk((pixels.float() @ chroma).movedim(3, 1)) for pixels in _blocks(images, rows)])


def _blocks(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> Iterator[Tensor]:
    """Read images in blocks of a few megabytes; yields at least one block, even if there are no images."""
    block = max(1, BYTES // images[0].size)
    for start in range(0, max(1, len(rows)), block):
        yield torch.from_numpy(images[rows[start : start + block]])


def _shrunk(values: Tensor) -> Tensor:
    """Downscale large images ``(P, ..., H, W)`` by averaging."""
    tall, wide = (max(1, side // LARGEST) for side in values.shape[-2:])
    return torch.nn.functional.avg_pool2d(values, (tall, wide)) if tall * wide > 1 else values


def cosine_basis(pixels: int, frequencies: int, margins: Tensor) -> Tensor:
    """Return the matrices that map a line of pixels to the cosine coefficients of a window of it.

    Pixels are step functions, whose product with the cosine is integrated exactly, so that no window is aliased. The
    scale makes the sum of squares over all frequencies the window's mean square.

    Args:
        pixels: W, length of the line.
        frequencies: K, in half periods per window, from 0 (the mean).
        margins: float ``(P, 2)``; margins of the window before and after, as fractions of the line.

    Returns:
        float32 ``(P, K, W)``.
    """
    place = _place(pixels, margins)
    phase = torch.arange(1, frequencies)[:, None] * math.pi
    return torch.cat([place, math.sqrt(2) * torch.sin(phase * place) / phase], 1).diff(dim=2)


def _place(pixels: int, margins: Tensor) -> Tensor:
    """Return the positions of pixel borders in windows ``(P, 2)``, clamped to 0-1, ``(P, 1, W + 1)``."""
    before, after = margins[:, :1, None], margins[:, 1:, None]
    return ((torch.arange(pixels + 1) / pixels - before) / (1 - before - after)).clamp(0, 1)


def transform(grey: Tensor, frequencies: int) -> Tensor:
    """Return the cosine coefficients ``(P, K, K)`` of whole images ``(P, H, W)``."""
    return transform_window(grey, frequencies, torch.zeros(1, 4))


def transform_window(grey: Tensor, frequencies: int, margins: Tensor) -> Tensor:
    """Return the cosine coefficients of windows of images.

    Args:
        grey: float32 ``(P, H, W)``.
        frequencies: K.
        margins: float32 ``(P, 4)``, or ``(1, 4)`` for the same window of all images: margins at the top, the bottom,
            the left and the right, as fractions of the frame.

    Returns:
        float32 ``(P, K, K)``.
    """
    height, width = grey.shape[1:]
    return (
        cosine_basis(height, frequencies, margins[:, :2]) @ grey @ cosine_basis(width, frequencies, margins[:, 2:]).mT
    )


def transform_windows(grey: Tensor, frequencies: int, along: Tensor) -> Tensor:
    """Return the cosine coefficients of all combinations of windows along both axes.

    Args:
        grey: float32 ``(P, H, W)``.
        frequencies: K.
        along: float32 ``(A, 2)``; margins before and after.

    Returns:
        float32 ``(P, A * A, K, K)``; the first A have the first window along the rows.
    """
    height, width = grey.shape[1:]
    rows, columns = (cosine_basis(side, frequencies, along).flatten(0, 1) for side in (height, width))
    table = (rows @ grey @ columns.T).unflatten(2, (len(along), frequencies)).unflatten(1, (len(along), frequencies))
    result: Tensor = table.movedim(3, 2).flatten(1, 2)
    return result


def apply_pose(coefficients: Tensor, pose: int) -> Tensor:
    """Return the cosine coefficients ``(..., K, K)`` of the mirrored or rotated images."""
    up, left, over = POSES[pose]
    signs = torch.ones(coefficients.shape[-1])
    signs[1::2] = -1
    coefficients = coefficients.mT if over else coefficients
    coefficients = coefficients * signs[:, None] if up else coefficients
    return coefficients * signs if left else coefficients


def align(
    grey: Tensor, others: Tensor, margins: Tensor, weights: Tensor, *, steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Align each image with another one: find the best-matching window, and the remaining dissimilarity.

    Gauss-Newton steps on the four margins and the contrast, as in Lucas and Kanade (1981), on weighted coefficients.
    Then contrast and a smoothing or sharpening filter (a polynomial of second degree in the squared frequency) are
    fitted to the remainder, because resizing changes both.

    Args:
        grey: float32 ``(P, H, W)``.
        others: float32 ``(P, K, K)``, cosine coefficients of whole images.
        margins: float32 ``(P, 4)``; start of the search.
        weights: float32 ``(P, K, K)``, per coefficient; 0 for the mean.
        steps: Number of steps.

    Returns:
        Margins ``(P, 4)``; the unexplained fraction of the other's weighted energy, 0-1 ``(P,)``; the contrast of the
        other relative to the window ``(P,)``.
    """
    frequencies = others.shape[-1]
    target = (others * weights).flatten(1)
    for _ in range(steps):
        derivatives = _derivatives(grey, frequencies, margins) * weights[:, None]
        solution = _fit(derivatives.flatten(2), target, 1e-3)[0]
        step = solution[:, 1:] / solution[:, :1].clamp(min=0.3)
        margins = (margins + step.clamp(-0.05, 0.05)).clamp(-OUTSIDE, FARTHEST)
    found = transform_window(grey, frequencies, margins) * weights
    squares = (torch.arange(frequencies) / frequencies) ** 2
    squares = squares[:, None] + squares
    filtered = torch.stack([found, found * squares, found * squares**2], 1).flatten(2)
    solution, explained = _fit(filtered, target, 1e-4)
    energy = target.square().sum(1).clamp(min=1e-9)
    return margins, (1 - explained / energy).clamp(0, 1), solution[:, 0]


def _derivatives(grey: Tensor, frequencies: int, margins: Tensor) -> Tensor:
    """Return the coefficients of windows and their derivatives by the four margins, ``(P, 5, K, K)``."""
    height, width = grey.shape[1:]
    rows = _basis_with_derivatives(height, frequencies, margins[:, :2])
    columns = _basis_with_derivatives(width, frequencies, margins[:, 2:])
    once = torch.cat(rows, 1) @ grey
    down = (once @ columns[0].mT).unflatten(1, (3, frequencies))
    across = [once[:, :frequencies] @ column.mT for column in columns[1:]]
    return torch.cat([down, torch.stack(across, 1)], 1)


def _basis_with_derivatives(pixels: int, frequencies: int, margins: Tensor) -> list[Tensor]:
    """Return the matrices of `cosine_basis` and their derivatives by both margins."""
    left = (1 - margins.sum(1))[:, None, None]
    place = _place(pixels, margins)
    inside = (place > 0) & (place < 1)
    phase = torch.arange(frequencies)[:, None] * math.pi
    values = torch.cos(phase * place) * inside
    values[:, 1:] *= math.sqrt(2)
    derivatives = (values * (place - 1) / left, values * place / left)
    return [cosine_basis(pixels, frequencies, margins), *(derivative.diff(dim=2) for derivative in derivatives)]


def _fit(regressors: Tensor, target: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Return the least-squares factors ``(P, R)`` of regressors ``(P, R, F)``, and the energy they explain ``(P,)``."""
    products = regressors @ regressors.mT
    aims = (regressors @ target[:, :, None])[..., 0]
    sizes = products.diagonal(dim1=1, dim2=2)
    held = sizes * ridge + 1e-9
    held[:, 0] = sizes[:, 0] * 1e-6 + 1e-9  # the contrast itself is not regularized
    factors = torch.linalg.solve(products + torch.diag_embed(held), aims)
    return factors, (factors * aims).sum(1)
