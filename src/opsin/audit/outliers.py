"""Outliers: images far from all others, and from their own class, in feature space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.audit.context import AuditContext
from opsin.audit.features import Features
from opsin.audit.finding import WARNING, ImageFinding
from opsin.audit.image_statistics import robust_scores

COMPONENTS = 64  # of the features: fewer miss some outliers, more add noise
OUTLYING = 3.5  # robust standard deviations (Iglewicz and Hoaglin 1993)
FEWEST = 30  # images needed to say what is usual
NEIGHBORS = 0.03  # rank of the neighbor, as a fraction of all images: outliers may be many
CLASS_NEIGHBORS = 0.1  # the same, as a fraction of the class
COMPARED = 10_000  # images, drawn with a fixed seed, among which neighbors are searched
CHUNK = 2**23  # distances in memory at a time


def find_outliers(material: AuditContext, features: Features) -> list[ImageFinding]:
    """Find images that do not seem to belong to the data.

    The score of an image is the logarithm of the distance to its k-th neighbor in feature space, each component divided
    by the square root of its standard deviation. k is 3 % of all images, or 10 % of the class if that neighbor is
    nearer, so that neither a cluster of outliers nor a rare class misleads it. Images whose score lies more than 3.5
    robust standard deviations above the median are reported. Blank images are left to `find_blank`.
    """
    if len(features.rows) < FEWEST:
        return []
    vectors = (features.values[:, :COMPONENTS] / np.sqrt(features.spread[:COMPONENTS])).astype(np.float32)
    distances = _neighbor_distances(vectors, NEIGHBORS, 5)
    labels = material.dataset.strata[features.rows]
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) >= FEWEST:
            near = _neighbor_distances(vectors[members], CLASS_NEIGHBORS, 3)
            distances[members] = np.minimum(distances[members], near)
    scores = robust_scores(np.log(distances + 1e-9))
    blank = material.measures.blank[features.rows]
    order = np.argsort(-scores, kind="stable")
    far = [place for place in order.tolist() if scores[place] > OUTLYING and not blank[place]]
    usual = float(np.median(distances))
    return material.image_finding(
        "outlier",
        WARNING,
        lambda number: (
            f"{number:,} {'image looks' if number == 1 else 'images look'} unlike all the others ({features.source})."
        ),
        "Review them: exclude images that do not belong, keep rare ones that do.",
        [int(features.rows[place]) for place in far],
        {
            int(features.rows[place]): f"{distances[place] / usual:.1f} times as far from the others as usual"
            for place in far
        },
    )


def _neighbor_distances(vectors: NDArray[np.float32], part: float, fewest: int) -> NDArray[np.float32]:
    """Return the distance of each vector, ``(M, D)``, to its k-th neighbor, where k is a fraction of those compared."""
    others = vectors
    if len(vectors) > COMPARED:
        others = vectors[np.random.default_rng(0).choice(len(vectors), COMPARED, replace=False)]
    rank = min(max(fewest, round(part * len(others))), len(others) - 1)
    squares = (others**2).sum(axis=1)
    step = max(1, CHUNK // len(others))
    parts = []
    for start in range(0, len(vectors), step):
        some = vectors[start : start + step]
        distances = squares - 2 * some @ others.T
        distances += (some**2).sum(axis=1)[:, None]
        parts.append(np.partition(distances, rank, axis=1)[:, rank])
    result: NDArray[np.float32] = np.sqrt(np.maximum(np.concatenate(parts), 0))
    return result
