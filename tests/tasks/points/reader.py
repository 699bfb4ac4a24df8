"""Images with their points, made at random."""

from __future__ import annotations

import numpy as np

from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages

from .targets import PointTargets


def read_points(number=120, side=16, seed=0):
    """Grey images with up to three bright spots around one place."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 40, (number, side, side), dtype=np.uint8)
    points = []
    for image in images:
        around = generator.uniform(3, side - 4, 2)
        places = np.clip(
            np.rint(around + generator.normal(0, 1, (int(generator.integers(0, 4)), 2))), 1, side - 2
        ).astype(int)
        for x, y in places:
            image[y - 1 : y + 2, x - 1 : x + 2] = 255
        points.append((places + 0.5) / side * 2 - 1)
    return Dataset("spots", ("x", "y"), ArrayImages(images), PointTargets(tuple(points)), symmetry="any")
