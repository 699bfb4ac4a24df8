"""Pictures that do not belong: far from all others, and from those of their own class, in what they show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsin.audit.context import AuditContext
from opsin.audit.features import Features
from opsin.audit.finding import WARNING, ImageFinding
from opsin.audit.image_statistics import robust_scores

COMPONENTS = 64  # of the features: fewer miss foreign pictures of a kind, more drown them in noise
OUTLYING = 3.5  # robust standard deviations (Iglewicz and Hoaglin 1993)
FEWEST = 30  # images that it takes to say what belongs
NEIGHBORS = 0.03  # the distance to the neighbor of this rank, as part of all: foreign pictures may be many
CLASS_NEIGHBORS = 0.1  # the same, as part of the class
COMPARED = 10_000  # images, drawn with a fixed seed, among which neighbors are looked for
CHUNK = 2**23  # distances held at a time


def find_outliers(material: AuditContext, features: Features) -> list[ImageFinding]:
    """Find pictures that do not seem to belong to the data.

    The score of a picture is the logarithm of the distance to its neighbors in the features, each component divided by
    the square root of its standard deviation. Neighbor is the one whose rank is 3 % of all pictures, or 10 % of the
    class where that is nearer, so that neither a heap of foreign pictures nor a rare class deceives it. Reported are
    scores of more than 3.5 robust standard deviations above the median. Blank pictures are found elsewhere.
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
    return material.about_images(
        "outlier",
        WARNING,
        lambda number: (
            f"{number:,} {'image shows' if number == 1 else 'images show'} something unlike all the others "
            f"({features.source})."
        ),
        "Look at them: exclude pictures that do not belong, keep rare ones that do.",
        [int(features.rows[place]) for place in far],
        {
            int(features.rows[place]): f"{distances[place] / usual:.1f} times as far from the others as usual"
            for place in far
        },
    )


def _neighbor_distances(vectors: NDArray[np.float32], part: float, fewest: int) -> NDArray[np.float32]:
    """Return the distance of each vector, ``(M, D)``, to its neighbor of a rank that is a part of those compared."""
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
    return np.sqrt(np.maximum(np.concatenate(parts), 0))
