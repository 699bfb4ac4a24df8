"""Points in images: for each image any number of positions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from opsin.errors import DataError


@dataclass(frozen=True)
class EncodedPoints:
    """Positions as float32 ``(k, 2)`` tensors, x before y, each side of the image spanning [-1, 1]."""

    data: list[torch.Tensor]

    def __len__(self):
        return len(self.data)

    def take(self, rows):
        return replace(self, data=[self.data[row] for row in rows.tolist()])

    def to(self, device):
        return replace(self, data=[points.to(device) for points in self.data])

    def move(self, motion):
        """Apply the inverse of the affine maps, which go from output to input positions."""
        matrices, shifts = motion.maps[:, :, :2], motion.maps[:, :, 2]
        moved = [
            torch.linalg.solve(matrix, (points - shift).T).T if len(points) else points
            for points, matrix, shift in zip(self.data, matrices, shifts, strict=True)
        ]
        return replace(self, data=moved)


@dataclass(frozen=True)
class PointTargets:
    """float64 ``(k, 2)`` for each image."""

    task: ClassVar[str] = "points"
    kind: ClassVar[str] = "number of points"
    points: tuple[np.ndarray, ...]

    def __len__(self):
        return len(self.points)

    def take(self, rows):
        return replace(self, points=tuple(self.points[row] for row in np.arange(len(self))[rows].tolist()))

    @classmethod
    def join(cls, parts):
        return cls(tuple(points for part in parts for points in part.points))

    def same(self, other):
        return np.array([np.array_equal(a, b) for a, b in zip(self.points, other.points, strict=True)], bool)

    def content(self):
        return b"".join(np.asarray(points, "<f8").tobytes() + b"|" for points in self.points)

    def checked(self, name, classes):
        if any(points.ndim != 2 or points.shape[1] != 2 for points in self.points):
            raise DataError(f"{name}: points must be (k, 2) for each image.")
        return self

    def check_enough(self, name, classes, needed):
        if len(self) < max(10, needed.number):
            raise DataError(f"{name} has only {len(self)} images.")

    def check_trained(self, name, classes, part=1.0):
        if not any(len(points) for points in self.points):
            raise DataError(f"{name}: no training image has a point.")

    def strata(self, classes):
        return np.minimum([len(points) for points in self.points], 3).astype(np.int64)

    def counts(self, classes):
        return np.zeros(0, np.int64)

    def kinds(self, classes):
        strata = self.strata(classes)
        return [(f"{number} points", np.flatnonzero(strata == number)) for number in np.unique(strata)]

    def describe(self, classes):
        return f"{sum(map(len, self.points)):,} points"

    def text(self, row, classes):
        return " ".join(f"{x:.17g},{y:.17g}" for x, y in self.points[row])

    def relabel(self, row, text, classes):
        points = list(self.points)
        points[row] = parse(text)
        return replace(self, points=tuple(points))

    def reorder(self, order):
        return self

    def translate(self, name, classes, known, run):
        return self

    def encode(self, preprocessing, progress=None):
        return EncodedPoints([torch.tensor(points, dtype=torch.float32).reshape(-1, 2) for points in self.points])

    def at_input_size(self, encoded):
        return self

    def digests(self, encoded):
        return None

    def move(self, motion):
        return replace(self, points=tuple(moved.numpy() for moved in self.encode(None).move(motion).data))

    def signature(self, row):
        return ""


def parse(text):
    """Read what `PointTargets.text` wrote."""
    return np.array([pair.split(",") for pair in text.split()], float).reshape(-1, 2)


def middle(points):
    """Mean position, the center of the image where there is no point."""
    return np.mean(points, axis=0) if len(points) else np.zeros(2)
