"""Candidate search for near-duplicates: sketches of images, and a k-d tree of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor

from opsin.data.near_duplicates.alignment import (
    BYTES,
    POSES,
    apply_pose,
    read_grey,
    transform,
    transform_window,
    transform_windows,
)

COARSE = 8  # cosine frequencies of a sketch per direction
DIMENSIONS = 32  # maximum length of a sketch
LEAF = 256  # maximum number of sketches in a bucket of the index
MOST = 12  # maximum number of candidates per image
MOST_IN_BUCKET = 5  # maximum number of candidates per query and bucket
BUCKETS = 8  # maximum mean number of buckets searched per query
REACHES = (3.0, 2.5, 2.0, 1.5, 1.0, 0.5)  # distances from a border within which both sides are searched
TOGETHER = 8192  # images per batch of queries
FLAT = 3.0  # grey levels; images with less contrast (standard deviation) are compared for equality only
KEPT = 0.9  # smallest fraction of a side that a crop keeps

# Windows along one axis (margin before, margin after), so that every crop of at most a tenth is near one of them.
ALONG = torch.tensor([(0.0, 0.0), (0.07, 0.01), (0.01, 0.07), (0.045, 0.045)])
WINDOWS = torch.cat([ALONG.repeat_interleave(len(ALONG), 0), ALONG.repeat(len(ALONG), 1)], 1)


@dataclass(frozen=True)
class Sketcher:
    """Projection of coarse cosine coefficients to sketches that are nearly equal for copies.

    Linear discriminant analysis (Rao 1948): the directions with the largest variance between images relative to the
    variance between copies of an image (crops between the windows, half the resolution), scaled so that copies differ
    by about 1.

    Attributes:
        weights: float32 ``(K, K)``; equalizes the power of all frequencies; 0 for the mean.
        projection: float32 ``(K * K, D)``.
        limit: Squared distance that almost no copies exceed.
    """

    weights: Tensor
    projection: Tensor
    limit: float

    def __call__(self, coefficients: Tensor) -> Tensor:
        """Return sketches ``(..., D)`` of coefficients ``(..., K, K)``."""
        return _normalized(coefficients * self.weights).flatten(-2) @ self.projection


def _normalized(coefficients: Tensor) -> Tensor:
    """Return coefficients ``(..., K, K)`` divided by their norm, which removes the contrast."""
    return coefficients / coefficients.square().sum((-2, -1), keepdim=True).sqrt().clamp(min=1e-6)


def fit_sketcher(grey: Tensor, weights: Tensor, *, mirrored: bool) -> Sketcher:
    """Fit a sketcher to the variation between copies and between images.

    Args:
        grey: float32 ``(M, H, W)``, M distinct images.
        weights: float32 ``(K, K)``.
        mirrored: Whether mirrored and rotated images are copies.
    """
    generator = np.random.default_rng(0)
    poses = range(len(POSES) if mirrored else 1)
    views = _normalized(transform_windows(grey, COARSE, ALONG) * weights)
    changes = []
    for _ in range(24):
        margins = _draw_window(generator)
        changes.append(_normalized(transform_window(grey, COARSE, margins) * weights) - views[:, _nearest(margins)])
    halved = torch.nn.functional.avg_pool2d(grey, 2, ceil_mode=True)
    changes += [_normalized(transform(halved, COARSE) * weights) - views[:, 0]] * 4
    difference, kept = torch.cat(changes), weights.flatten() > 0
    within, between = (_scatter(values, poses)[kept][:, kept] for values in (difference, views[:, 0]))
    for matrix in (within, between):  # regularization: few images span only few directions
        matrix += torch.eye(len(matrix)) * (matrix.trace() / len(matrix) * 0.05 + 1e-9)
    _, directions = eigh(between.double().numpy(), within.double().numpy())  # ascending ratio
    projection = torch.zeros(COARSE * COARSE, min(DIMENSIONS, len(within)))
    projection[kept] = torch.from_numpy(directions[:, ::-1][:, :DIMENSIONS].copy()).float()
    distances = (difference.flatten(1) @ projection).square().sum(1)
    return Sketcher(weights, projection, 1.5 * float(np.quantile(distances.numpy(), 0.995)))


def _scatter(coefficients: Tensor, poses: range) -> Tensor:
    """Return the scatter matrix ``(K * K, K * K)`` of coefficients ``(M, K, K)`` over images and poses."""
    flat = torch.stack([apply_pose(coefficients, pose) for pose in poses]).flatten(2)
    return (flat.mT @ flat).mean(0) / flat.shape[1]


def _draw_window(generator: np.random.Generator) -> Tensor:
    """Draw the margins ``(1, 4)`` of a crop that keeps at least 90 % of each side."""
    lost = generator.uniform(0, 1 - KEPT, 2)
    before = generator.uniform(0, lost)
    return torch.tensor([[before[0], lost[0] - before[0], before[1], lost[1] - before[1]]], dtype=torch.float32)


def _nearest(margins: Tensor) -> int:
    """Return the index of the window with the smallest mean-square displacement over the frame."""
    difference = WINDOWS - margins
    shift, growth = difference[:, ::2], difference[:, ::2] + difference[:, 1::2]
    return int((shift**2 - shift * growth + growth**2 / 3).sum(1).argmin())


@dataclass(frozen=True)
class Sketches:
    """Sketches of images.

    Attributes:
        whole: float32 ``(M, poses, D)``, of whole images in every pose.
        views: float16 ``(M, windows, D)``, of windows of the unchanged images.
    """

    whole: NDArray[np.float32]
    views: NDArray[np.float16]


def sketch(
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    sketcher: Sketcher,
    poses: int,
    progress: Callable[[int], None],
) -> tuple[NDArray[np.int64], Sketches]:
    """Sketch all images with contrast.

    Args:
        images: uint8 ``(N, H, W, C)``.
        rows: int64 ``(R,)``; indices of the images, ascending.
        sketcher: See `fit_sketcher`.
        poses: Number of poses in which an image may be a copy.
        progress: Called with the number of images done.

    Returns:
        Indices of the images with contrast, int64 ``(M,)``, and their sketches.
    """
    block = max(1, BYTES // images[0].size)
    varied, sketches, views = [], [], []
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        coefficients = transform_windows(read_grey(images, part), COARSE, ALONG)
        coefficients[:, :, 0, 0] = 0
        some = coefficients[:, 0].square().sum((1, 2)) > FLAT**2
        coefficients = coefficients[some]
        varied.append(part[some.numpy()])
        turned = torch.stack([apply_pose(coefficients[:, 0], pose) for pose in range(poses)], 1)
        sketches.append(sketcher(turned).numpy())
        views.append(sketcher(coefficients).half().numpy())
        progress(min(start + block, len(rows)))
    return np.concatenate(varied), Sketches(np.concatenate(sketches), np.concatenate(views))


class Index:
    """A k-d tree of sketches.

    After Bentley (1975): each node splits its sketches at the median of the direction with the largest variance, so
    that all buckets have the same size. Queries near a border search both sides of it; copies differ by about 1 in each
    direction and images by far more, so that few borders are near.

    Args:
        sketches: float32 ``(M, D)``.
    """

    def __init__(self, sketches: NDArray[np.float32]):
        self.sketches = sketches
        self.depth = max(0, int(np.ceil(np.log2(max(1, len(sketches)) / LEAF))))
        self.directions = np.zeros(2**self.depth, np.int64)
        self.borders = np.zeros(2**self.depth, np.float32)
        self.buckets = [np.arange(len(sketches))]
        for level in range(self.depth):
            halves = []
            for node, part in enumerate(self.buckets, 2**level - 1):
                values = sketches[part]
                self.directions[node] = values.var(axis=0).argmax()
                along, middle = values[:, self.directions[node]], len(part) // 2
                order = np.argsort(along, kind="stable")
                self.borders[node] = along[order[middle - 1 : middle + 1]].mean()
                halves += [part[order[:middle]], part[order[middle:]]]
            self.buckets = halves

    def reach(self, sketches: NDArray[np.float32], distance: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return pairs of query ``(R,)`` and bucket to search ``(R,)``."""
        rows, buckets = np.arange(len(sketches)), np.zeros(len(sketches), np.int64)
        for level in range(self.depth):
            node = buckets + 2**level - 1
            beyond = sketches[rows, self.directions[node]] - self.borders[node]
            low, high = beyond <= distance, beyond > -distance
            rows = np.concatenate([rows[low], rows[high]])
            buckets = np.concatenate([buckets[low] * 2, buckets[high] * 2 + 1])
        return rows, buckets

    def choose_reach(self, sketches: NDArray[np.float32]) -> float:
        """Return the largest distance for which such queries search few enough buckets."""
        affordable = (reach for reach in REACHES if len(self.reach(sketches, reach)[0]) <= BUCKETS * len(sketches))
        return next(affordable, REACHES[-1])

    def find(
        self, sketches: NDArray[np.float32], reach: float, limit: float, most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Find the nearest sketches in each bucket.

        Args:
            sketches: float32 ``(Q, D)``, the queries.
            reach: See `choose_reach`.
            limit: Maximum squared distance.
            most: Maximum number of results per query and bucket.

        Returns:
            Query indices, indices of the sketches found, and squared distances, each ``(R,)``.
        """
        rows, buckets = self.reach(sketches, reach)
        rows = rows[np.argsort(buckets, kind="stable")]
        ends = np.cumsum(np.bincount(buckets, minlength=len(self.buckets)))
        wanted = torch.from_numpy(sketches)
        room = (limit - wanted.square().sum(1)) / 2
        found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))]
        for members, asking in zip(self.buckets, np.split(rows, ends[:-1]), strict=True):
            inside = torch.from_numpy(self.sketches[members])
            apart = torch.addmm(inside.square().sum(1) / 2, wanted[asking], inside.T, alpha=-1)
            near = torch.nonzero(apart.amin(1) < room[asking])[:, 0]
            values, places = apart[near].topk(min(most, len(members)), dim=1, largest=False)
            spare = room[asking][near, None] - values
            row, column = torch.nonzero(spare > 0, as_tuple=True)
            distances = (limit - 2 * spare[row, column]).numpy()
            found.append((asking[near[row].numpy()], members[places[row, column].numpy()], distances))
        first, second, distances = (np.concatenate(part) for part in zip(*found, strict=True))
        return first, second, distances


@dataclass(frozen=True)
class Candidates:
    """Pairs of images that may be copies: a window of the first resembles the second.

    Attributes:
        first: int64 ``(P,)``.
        second: int64 ``(P,)``.
        pose: int64 ``(P,)``; pose of the second.
        margins: float32 ``(P, 4)``; the window.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    pose: NDArray[np.int64]
    margins: Tensor

    def __len__(self) -> int:
        return len(self.first)

    @property
    def images(self) -> NDArray[np.int64]:
        """All first images, then all second ones, ``(2 * P,)``."""
        return np.concatenate([self.first, self.second])

    def __getitem__(self, which: slice | NDArray[Any]) -> Candidates:
        return Candidates(self.first[which], self.second[which], self.pose[which], self.margins[which])


def find_candidates(
    sketches: Sketches, some: NDArray[np.int64], limit: float, progress: Callable[[int], None]
) -> Candidates:
    """Find pairs of images such that a window of the first resembles the second.

    A pair may be found in both directions, which are not equivalent: a crop does not explain the whole image.

    Args:
        sketches: Sketches of M images.
        some: int64 ``(S,)``; images from which the search distance is chosen.
        limit: Maximum squared distance.
        progress: Called with the number of images done.
    """
    number, poses, dimensions = sketches.whole.shape
    index, views = Index(sketches.whole.reshape(-1, dimensions)), sketches.views
    reach = index.choose_reach(views[some].reshape(-1, dimensions).astype(np.float32))
    kept = []
    for start in range(0, number, TOGETHER):
        part = views[start : start + TOGETHER].reshape(-1, dimensions).astype(np.float32)
        # One more than needed: each image finds itself.
        looked, found, distances = index.find(part, reach, limit, MOST_IN_BUCKET + 1)
        first, view = start + looked // len(WINDOWS), looked % len(WINDOWS)
        second, pose = found // poses, found % poses
        other = first != second
        table = np.stack([first, second, pose, view])[:, other]
        kept.append(_best(table, distances[other]))
        progress(min(start + TOGETHER, number))
    first, second, pose, view = np.concatenate(kept, axis=1)
    return Candidates(first, second, pose, WINDOWS[view])


def _best(table: NDArray[np.int64], distances: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the nearest others of each image, each once: columns of a table of (first, second, pose, window)."""
    order = np.lexsort((distances, table[1], table[0]))
    order = order[first_of_each(table[:2, order])]
    order = order[np.lexsort((distances[order], table[0, order]))]
    first = table[0, order]
    order = order[np.arange(len(first)) - np.searchsorted(first, first) < MOST]
    return table[:, order]


def first_of_each(columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the sorted columns ``(R, P)`` differ from the previous one, bool ``(P,)``."""
    first = np.ones(columns.shape[1], bool)
    first[1:] = (np.diff(columns) != 0).any(axis=0)
    return first


def find_neighbors(sketches: Sketches, images: NDArray[np.int64], others: NDArray[np.int64], place: int) -> Candidates:
    """Find, for each image, the most similar of a few others after skipping ``place`` of them.

    Args:
        sketches: Of all images.
        images: int64 ``(P,)``.
        others: int64 ``(Q,)``; Q > place + 1.
        place: Number of nearer ones to skip.

    Returns:
        P pairs; an image that is among the others skips itself too.
    """
    poses, dimensions = sketches.whole.shape[1:]
    there = torch.from_numpy(sketches.whole[others].reshape(-1, dimensions))
    parts = []
    for start in range(0, len(images), 256):
        part = images[start : start + 256]
        here = torch.from_numpy(sketches.views[part].astype(np.float32)).flatten(0, 1)
        apart = torch.cdist(here, there).unflatten(0, (len(part), -1))
        nearest, view = (values.unflatten(1, (len(others), poses)) for values in apart.min(1))
        nearest, pose = nearest.min(2)
        nearest[torch.from_numpy(others == part[:, None])] = -1  # counts as skipped
        chosen = nearest.argsort(1)[:, place]
        row = torch.arange(len(part))
        pose = pose[row, chosen]
        window_of = view[row, chosen, pose]
        parts.append((part, others[chosen.numpy()], pose.numpy(), window_of.numpy()))
    first, second, pose_of, window_number = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Candidates(first, second, pose_of, WINDOWS[window_number])
