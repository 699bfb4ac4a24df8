"""Dissimilarity of aligned image pairs, and the evidence that they are copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from opsin.data.near_duplicates.alignment import align, apply_pose, read_chroma, read_grey, transform, transform_window
from opsin.data.near_duplicates.search import COARSE, FLAT, Candidates

FINEST = 12  # maximum number of cosine frequencies per direction in a comparison
BYTES = 2**22  # of images per block
NOISE = 4.0  # grey levels; compression noise per pixel
FITTED = 8  # fitted parameters of an alignment: margins, contrast and filter
MOST_COLOR = 20.0  # grey levels; maximum root-mean-square color difference of copies


@dataclass(frozen=True)
class Pictures:
    """Distinct images with contrast, and what is needed to compare them.

    Attributes:
        images: uint8 ``(N, H, W, C)``.
        rows: int64 ``(M,)``; indices of these images.
        spectrum: float32 ``(K, K)``; mean fraction of an image's variance in each cosine coefficient.
        poses: Number of poses in which an image may be a copy.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.int64]
    spectrum: Tensor
    poses: int


def estimate_spectrum(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean power spectrum of images ``(K, K)``, normalized to 1, and the images with contrast.

    A prior with the weight of ten images, falling as in natural images (Field 1987), stabilizes small samples.
    """
    frequencies = int(np.clip(round(0.36 * min(grey.shape[1:])), COARSE, FINEST))
    coefficients = transform(grey, frequencies)
    coefficients[:, 0, 0] = 0
    power = coefficients.square()
    variance = power.sum((1, 2), keepdim=True)
    varied = (variance > FLAT**2).flatten()
    squares = torch.arange(frequencies) ** 2
    prior = 1 / (squares[:, None] + squares).clamp(min=1)
    prior[0, 0] = 0
    total = (power / variance.clamp(min=1e-6))[varied].sum(0) + 10 * prior / prior.sum()
    return total / total.sum(), grey[varied]


def whitening_weights(spectrum: Tensor, variance: Tensor | float, noise: float) -> Tensor:
    """Return weights of coefficients that equalize the power of all frequencies above the noise.

    Two images of one kind differ mainly in high frequencies, which have little power: without weights, the coarse shape
    that they share would dominate.
    """
    weights = (spectrum * variance + noise).rsqrt()
    weights[..., 0, 0] = 0
    return weights


@dataclass(frozen=True)
class Comparison:
    """Comparison of aligned image pairs.

    Attributes:
        dissimilarity: float64 ``(P,)``; fraction of the second's detail that the first does not explain, 0-1.
        margins: float32 ``(P, 4)``; window of the first.
        contrast: float64 ``(P,)``; contrast of the second relative to the window.
        evidence: float64 ``(P,)``; see `_evidence`.
    """

    dissimilarity: NDArray[np.float64]
    margins: Tensor
    contrast: NDArray[np.float64]
    evidence: NDArray[np.float64]


def compare(pictures: Pictures, candidates: Candidates, frequencies: int, *, steps: int) -> Comparison:
    """Align and compare pairs of images."""
    spectrum = pictures.spectrum[:frequencies, :frequencies]
    noise = NOISE**2 / pictures.images[0, ..., 0].size
    block = int(np.clip(BYTES // pictures.images[0].size, 64, 4096))
    found = [(torch.zeros(0, 4), *(torch.zeros(0) for _ in range(3)))]
    for start in range(0, len(candidates), block):
        part = candidates[start : start + block]
        grey = read_grey(pictures.images, pictures.rows[part.first])
        others = transform(read_grey(pictures.images, pictures.rows[part.second]), frequencies)
        for pose in range(1, pictures.poses):
            some = torch.from_numpy(part.pose == pose)
            others[some] = apply_pose(others[some], pose)
        variance = others.square().sum((1, 2), keepdim=True) - others[:, :1, :1].square()
        weights = whitening_weights(spectrum, variance, noise)
        power = (others * weights).square().flatten(1)
        margins, dissimilarity, contrast = align(grey, others, part.margins, weights, steps=steps)
        found.append((margins, dissimilarity, contrast, _evidence(power, dissimilarity)))
    margins, dissimilarity, contrast, evidence = (torch.cat(part) for part in zip(*found, strict=True))
    return Comparison(dissimilarity.double().numpy(), margins, contrast.double().numpy(), evidence.double().numpy())


def _evidence(power: Tensor, dissimilarity: Tensor) -> Tensor:
    """Return the negative natural logarithm of the probability of such similarity by chance ``(P,)``.

    A coefficient of standard deviation s lies within d of a given value with a probability of about d / s. All
    coefficients above the unexplained remainder count; the fitted parameters of the alignment are subtracted.

    Args:
        power: float32 ``(P, F)``; squares of weighted coefficients.
        dissimilarity: float32 ``(P,)``.
    """
    dissimilarity = dissimilarity.clamp(min=1e-6)
    left = dissimilarity[:, None] * power.mean(1, keepdim=True).clamp(min=1e-12)
    return (power / left).clamp(min=1).log().sum(1) / 2 + dissimilarity.log() * FITTED / 2


def have_similar_colors(pictures: Pictures, candidates: Candidates) -> NDArray[np.bool_]:
    """Return the pairs with similar colors at similar positions, bool ``(P,)``."""
    if pictures.images.shape[3] == 1:
        return np.ones(len(candidates), bool)
    similar = [np.zeros(0, bool)]
    block = int(np.clip(BYTES // 3 // pictures.images[0].size, 64, 4096))
    for start in range(0, len(candidates), block):
        part = candidates[start : start + block]
        first, second = (read_chroma(pictures.images, pictures.rows[rows]) for rows in (part.first, part.second))
        here = transform_window(first.flatten(0, 1), 4, part.margins.repeat_interleave(3, 0)).unflatten(0, (-1, 3))
        there = transform(second.flatten(0, 1), 4).unflatten(0, (-1, 3))
        for pose in range(1, pictures.poses):
            some = torch.from_numpy(part.pose == pose)
            there[some] = apply_pose(there[some], pose)
        similar.append(((here - there).square().sum((1, 2, 3)) / 3 < MOST_COLOR**2).numpy())
    return np.concatenate(similar)
