from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opsin.audit.context import AuditContext
from opsin.data.dataset import Dataset
from opsin.data.decisions import Decision, Decisions
from opsin.data.images import ArrayImages
from opsin.data.near_duplicates.find import NearDuplicates
from opsin.data.targets import ClassTargets


@pytest.fixture
def make_material() -> Callable[..., AuditContext]:
    """Make material of pictures, labels and whatever else is given; decisions are given as image number -> word."""

    def make(
        pixels: np.ndarray, labels: Any, classes=("a", "b"), reviewed=(), shapes=None, near=(), **known
    ) -> AuditContext:
        images = ArrayImages(pixels)
        rows = tuple(Decision(f"image {number}", word) for number, word in dict(reviewed).items())
        data = Dataset("some", tuple(classes), images, ClassTargets(np.asarray(labels)), **known)
        if rows:
            object.__setattr__(data, "decisions", Decisions(Path("decisions.csv"), rows))
        digests = [int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest()) for row in images.array]
        stored = np.tile(images.array.shape[1:], (len(images), 1)) if shapes is None else np.asarray(shapes)
        pairs = np.array([pair[:2] for pair in near], np.int64).reshape(-1, 2)
        kinds = np.array([pair[2] for pair in near], str)
        alike = NearDuplicates(pairs, kinds, np.full(len(pairs), 0.97))
        return AuditContext(data, images.array, np.array(digests, np.uint64), stored, alike)

    return make


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Make pictures of noise that is smooth over a few pixels, uint8 (number, 24, 24, 3)."""
    from scipy.ndimage import gaussian_filter

    def make(number: int, seed: int = 0, side: int = 24) -> np.ndarray:
        rough = np.random.default_rng(seed).normal(size=(number, side, side, 3))
        smooth = gaussian_filter(rough, (0, 1, 1, 0))
        return np.clip(128 + 120 * smooth / np.abs(smooth).max(), 0, 255).astype(np.uint8)

    return make
