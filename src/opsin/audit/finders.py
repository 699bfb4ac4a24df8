"""List of all finders, and running them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.audit.class_balance import find_few, find_imbalance, find_unreadable, find_unusable
from opsin.audit.context import AuditContext
from opsin.audit.duplicates import find_duplicates, find_leaks, find_near_copies, find_two_labels
from opsin.audit.finding import ImageFinding, sort_findings
from opsin.audit.image_quality import find_blank, find_blurred, find_colors, find_sizes
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages, Images
from opsin.errors import UnreadableImageError

# Finders that need no network; training runs them too.
FINDERS: tuple[Callable[[AuditContext], list[ImageFinding]], ...] = (
    find_unusable,
    find_unreadable,
    find_leaks,
    find_two_labels,
    find_blank,
    find_blurred,
    find_sizes,
    find_colors,
    find_duplicates,
    find_near_copies,
    find_few,
    find_imbalance,
)


def audit(material: AuditContext) -> list[ImageFinding]:
    """Run every finder that needs no network; return their findings, the most severe first."""
    return sort_findings([finding for find in FINDERS for finding in find(material)])


def describe_audit(dataset: Dataset, findings: list[ImageFinding]) -> dict[str, Any]:
    """Return the content of ``audit.json``: counts of earlier decisions, and the findings."""
    decisions = dataset.decisions
    return {
        "decisions": {"file": decisions.path.name, **decisions.counts()} if decisions else None,
        "findings": [finding.to_dict() for finding in findings],
    }


def read_shapes(images: Images) -> NDArray[np.int64]:
    """Return height, width and channels of each stored image, int64 ``(N, 3)``; 0 for unreadable ones."""

    def shape(index: int) -> tuple[int, int, int]:
        try:
            return images.shape(index)
        except UnreadableImageError:
            return (0, 0, 0)

    if isinstance(images, ArrayImages):
        return np.tile(np.array(images.shape(0), np.int64), (len(images), 1))
    with ThreadPoolExecutor() as threads:
        return np.array(list(threads.map(shape, range(len(images)), chunksize=64)), np.int64).reshape(-1, 3)
