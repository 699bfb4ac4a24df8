"""Summary of a data set from a few hundred of its images: sizes, channels, symmetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opsin.data.dataset import Dataset
from opsin.data.images import Symmetry
from opsin.errors import UnreadableImageError

SMALL = 64  # pixels; images whose longer side is at most this long keep their size
SAMPLED = 300  # images whose size is read


@dataclass(frozen=True)
class Fingerprint:
    """Summary of a sample of the images.

    Attributes:
        height: Median height, pixels.
        width: Median width, pixels.
        grey: Whether all of them are grey.
        sizes: As text: ``8×8``, or ``from 300×200 to 640×480``.
    """

    height: int
    width: int
    grey: bool
    sizes: str


def compute_fingerprint(dataset: Dataset) -> Fingerprint:
    """Read the sizes of up to 300 images, evenly spread over the data set; unreadable ones are skipped."""
    shapes = []
    for index in np.unique(np.linspace(0, len(dataset) - 1, min(SAMPLED, len(dataset))).astype(int)):
        try:
            shapes.append(dataset.images.shape(int(index)))
        except UnreadableImageError:
            continue
    if not shapes:
        shapes = [(0, 0, 3)]
    table = np.array(shapes)
    areas = table[:, 0] * table[:, 1]
    smallest, largest = table[areas.argmin()], table[areas.argmax()]
    sizes = f"{largest[0]}×{largest[1]}"
    if (table[:, :2] != table[0, :2]).any():
        sizes = f"from {smallest[0]}×{smallest[1]} to {sizes}"
    height, width = (int(value) for value in np.median(table[:, :2], axis=0))
    return Fingerprint(height, width, bool((table[:, 2] == 1).all()), sizes)


def find_symmetry(dataset: Dataset, fingerprint: Fingerprint) -> Symmetry:
    """Return the symmetry of the data set; if it states none, small grey images have none, all others are mirrored."""
    if dataset.symmetry is not None:
        return dataset.symmetry
    return "none" if fingerprint.grey and max(fingerprint.height, fingerprint.width) <= SMALL else "mirror"
