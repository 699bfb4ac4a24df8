"""How unlike the images of a pair are once one is laid over the other, and what that is evidence of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from opsin.data.near_duplicates.alignment import lay_over, posed, read_chroma, read_grey, whole, window
from opsin.data.near_duplicates.search import COARSE, FLAT, Candidates

FINEST = 12  # cosine frequencies at which images are compared, in each direction, at most
BYTES = 2**22  # of images that are compared together
NOISE = 4.0  # grey levels; what compression adds to every pixel
FITTED = 8  # numbers that are fitted to lay one image over another: margins, contrast and filter
MOST_COLOR = 20.0  # grey levels by which the colors of copies differ, root mean square


@dataclass(frozen=True)
class Pictures:
    """Different images with some contrast, and what is needed to compare them.

    Attributes:
        images: uint8 ``(N, H, W, C)``.
        rows: int64 ``(M,)``; which images these are.
        share: float32 ``(K, K)``; part of an image's variance that each cosine coefficient has on average.
        poses: In how many poses an image may be a copy.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.int64]
    share: Tensor
    poses: int


def learn_share(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Return how the variance of images is shared by frequencies ``(K, K)``, and the images that have some contrast.

    A guess of ten images' worth, falling as in natural images (Field 1987), is added: a few images say little.
    """
    frequencies = int(np.clip(round(0.36 * min(grey.shape[1:])), COARSE, FINEST))
    coefficients = whole(grey, frequencies)
    coefficients[:, 0, 0] = 0
    power = coefficients.square()
    variance = power.sum((1, 2), keepdim=True)
    varied = (variance > FLAT**2).flatten()
    squares = torch.arange(frequencies) ** 2
    guess = 1 / (squares[:, None] + squares).clamp(min=1)
    guess[0, 0] = 0
    total = (power / variance.clamp(min=1e-6))[varied].sum(0) + 10 * guess / guess.sum()
    return total / total.sum(), grey[varied]


def balance(share: Tensor, variance: Tensor | float, noise: float) -> Tensor:
    """Return weights of coefficients that make all frequencies equally strong, as far as they stand above the noise.

    High frequencies have little power, but it is there that two pictures of one kind differ: unweighted, the coarse
    shape that they share would outweigh it.
    """
    weights = (share * variance + noise).rsqrt()
    weights[..., 0, 0] = 0
    return weights


@dataclass(frozen=True)
class Comparison:
    """What was found by laying pairs of images over one another.

    Attributes:
        unlikeness: float64 ``(P,)``; part of the second's detail that the first does not explain, 0-1.
        margins: float32 ``(P, 4)`` of the window of the first.
        contrast: float64 ``(P,)``; of the second relative to the window.
        evidence: float64 ``(P,)``; see `_evidence`.
    """

    unlikeness: NDArray[np.float64]
    margins: Tensor
    contrast: NDArray[np.float64]
    evidence: NDArray[np.float64]


def compare(pictures: Pictures, candidates: Candidates, frequencies: int, *, steps: int) -> Comparison:
    """Lay the pairs over one another."""
    share = pictures.share[:frequencies, :frequencies]
    noise = NOISE**2 / pictures.images[0, ..., 0].size
    block = int(np.clip(BYTES // pictures.images[0].size, 64, 4096))
    found = [(torch.zeros(0, 4), *(torch.zeros(0) for _ in range(3)))]
    for start in range(0, len(candidates), block):
        part = candidates[start : start + block]
        grey = read_grey(pictures.images, pictures.rows[part.first])
        others = whole(read_grey(pictures.images, pictures.rows[part.second]), frequencies)
        for pose in range(1, pictures.poses):
            some = torch.from_numpy(part.pose == pose)
            others[some] = posed(others[some], pose)
        variance = others.square().sum((1, 2), keepdim=True) - others[:, :1, :1].square()
        weights = balance(share, variance, noise)
        power = (others * weights).square().flatten(1)
        margins, unlikeness, contrast = lay_over(grey, others, part.margins, weights, steps=steps)
        found.append((margins, unlikeness, contrast, _evidence(power, unlikeness)))
    margins, unlikeness, contrast, evidence = (torch.cat(part) for part in zip(*found, strict=True))
    return Comparison(unlikeness.double().numpy(), margins, contrast.double().numpy(), evidence.double().numpy())


def _evidence(power: Tensor, unlikeness: Tensor) -> Tensor:
    """Return how improbable it is that other images are so alike by accident, as minus a natural logarithm ``(P,)``.

    A coefficient of standard deviation s comes to lie within d of a given value with a probability of about d / s. All
    that stand above what is left unexplained count; what was fitted to lay the images over one another counts against.

    Args:
        power: float32 ``(P, F)``; squares of weighted coefficients.
        unlikeness: float32 ``(P,)``.
    """
    unlikeness = unlikeness.clamp(min=1e-6)
    left = unlikeness[:, None] * power.mean(1, keepdim=True).clamp(min=1e-12)
    return (power / left).clamp(min=1).log().sum(1) / 2 + unlikeness.log() * FITTED / 2


def have_like_colors(pictures: Pictures, candidates: Candidates) -> NDArray[np.bool_]:
    """Return which pairs ``(P,)`` have about the same colors at about the same places."""
    if pictures.images.shape[3] == 1:
        return np.ones(len(candidates), bool)
    alike = [np.zeros(0, bool)]
    block = int(np.clip(BYTES // 3 // pictures.images[0].size, 64, 4096))
    for start in range(0, len(candidates), block):
        part = candidates[start : start + block]
        first, second = (read_chroma(pictures.images, pictures.rows[rows]) for rows in (part.first, part.second))
        here = window(first.flatten(0, 1), 4, part.margins.repeat_interleave(3, 0)).unflatten(0, (-1, 3))
        there = whole(second.flatten(0, 1), 4).unflatten(0, (-1, 3))
        for pose in range(1, pictures.poses):
            some = torch.from_numpy(part.pose == pose)
            there[some] = posed(there[some], pose)
        alike.append(((here - there).square().sum((1, 2, 3)) / 3 < MOST_COLOR**2).numpy())
    return np.concatenate(alike)
