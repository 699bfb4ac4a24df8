"""Two-dimensional projections of features: principal components and t-SNE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST = 30  # images; with fewer, t-SNE shows spurious patterns
COMPONENTS = 50
NEIGHBORS = 10


@dataclass(frozen=True)
class ImageMap:
    """Positions of N images in the plane.

    Attributes:
        principal: float32 ``(N, 2)``, the first two principal components of the features.
        explained: Fraction of the features' variance along each of the two.
        neighbors: float32 ``(N, 2)``, t-SNE, which keeps neighbors together; None with fewer than 30 images. Distances
            between its clusters and their sizes mean nothing (Wattenberg et al. 2016).
    """

    principal: NDArray[np.float32]
    explained: tuple[float, float]
    neighbors: NDArray[np.float32] | None


def map_features(features: NDArray[np.float32], seed: int = 0) -> ImageMap:
    """Project features to the plane: principal components, and t-SNE of the first 50 (van der Maaten and Hinton 2008).

    Args:
        features: float32 ``(N, F)``, as from `opsin.networks.penultimate.penultimate_features`.
        seed: Random seed of t-SNE.
    """
    components, explained = _principal_components(features)
    neighbors = None
    if len(features) >= FEWEST and explained[0] > 0:
        neighbors = _neighbors_together(components, seed)
    return ImageMap(_two_columns(components), explained, neighbors)


def neighbor_agreement(features: NDArray[np.float32], labels: NDArray[np.int64], number: int = NEIGHBORS) -> float:
    """Return the fraction of nearest neighbors, by Euclidean distance of features, that have the same class.

    Args:
        features: float32 ``(N, F)``.
        labels: int64 ``(N,)``.
        number: Number of neighbors of each image.
    """
    from sklearn.neighbors import NearestNeighbors

    number = min(number, len(features) - 1)
    if number < 1:
        return float("nan")
    nearest = NearestNeighbors(n_neighbors=number).fit(features).kneighbors(return_distance=False)
    return float((labels[nearest] == labels[:, None]).mean())


def _principal_components(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Return the coordinates along up to 50 principal components, and the variance fractions of the first two."""
    from sklearn.decomposition import PCA

    centered = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    if len(features) < 2 or not np.abs(centered).max(initial=0) > 1e-12:
        return np.zeros((len(features), 2), np.float32), (0.0, 0.0)
    model = PCA(min(COMPONENTS, *features.shape), svd_solver="full")
    components = model.fit_transform(centered)
    parts = [*model.explained_variance_ratio_, 0.0]
    return components.astype(np.float32), (float(parts[0]), float(parts[1]))


def _neighbors_together(components: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(components) - 1) / 3)
    start = components[:, :2] / components[:, 0].std() * 1e-4 if components.shape[1] > 1 else "random"
    model = TSNE(2, perplexity=perplexity, init=start, learning_rate="auto", random_state=seed)
    result: NDArray[np.float32] = model.fit_transform(components).astype(np.float32)
    return result


def _two_columns(components: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(components[:, :2], ((0, 0), (0, max(0, 2 - components.shape[1]))))
