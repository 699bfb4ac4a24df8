"""Summary of a data set from a few hundred of its images: sizes, channels, symmetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from opsin.data.dataset import Dataset
from opsin.data.images import Symmetry
from opsin.errors import UnreadableImageError

SMALL = 64  # pixels; the longer side up to which images are trained on as they are


LOOK_AT = 300  # images whose size is read to learn what the data are like


@dataclass(frozen=True)
class Fingerprint:
    """What a look at some of the images shows.

    Attributes:
        height: Median height, pixels.
        width: Median width, pixels.
        grey: Whether all of them are grey.
        sizes: For people: ``8×8``, or ``from 300×200 to 640×480``.
    """

    height: int
    width: int
    grey: bool
    sizes: str


def look_at(dataset: Dataset) -> Fingerprint:
    """Read the sizes of up to 300 images, evenly spread over the data set; unreadable ones are passed over."""
    shapes = []
    for index in np.unique(np.linspace(0, len(dataset) - 1, min(LOOK_AT, len(dataset))).astype(int)):
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


def find_symmetry(dataset: Dataset, look: Fingerprint) -> Symmetry:
    """Return which mirror images are still the same thing, by the third rule where the data do not say it."""
    if dataset.symmetry is not None:
        return dataset.symmetry
    return "none" if look.grey and max(look.height, look.width) <= SMALL else "mirror"
