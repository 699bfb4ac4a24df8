"""Input of the finders: the decoded images of a data set, and earlier decisions about them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from opsin.audit.finding import ImageFinding
from opsin.audit.image_statistics import ImageStatistics, measure_images
from opsin.data.dataset import Dataset
from opsin.data.decisions import KEEP, RELABEL
from opsin.data.near_duplicates.find import NearDuplicates


@dataclass(frozen=True)
class AuditContext:
    """N readable images and what is known about them.

    Attributes:
        dataset: Names, targets, groups and given split.
        pixels: uint8 ``(N, H, W, C)``, all of one size.
        digests: uint64 ``(N,)``; equal for images with equal pixels.
        shapes: int64 ``(N, 3)``; height, width and channels of the stored files.
        near: Near-duplicate pairs; None if they were not searched for.
        unreadable: Name of each image that cannot be read -> the reason.
    """

    dataset: Dataset
    pixels: NDArray[np.uint8]
    digests: NDArray[np.uint64]
    shapes: NDArray[np.int64]
    near: NearDuplicates | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    @functools.cached_property
    def names(self) -> list[str]:
        """Name of each image."""
        return [self.dataset.images.name(index) for index in range(len(self.dataset))]

    @functools.cached_property
    def measures(self) -> ImageStatistics:
        """Statistics of each image."""
        return measure_images(self.pixels)

    @functools.cached_property
    def reviewed(self) -> NDArray[np.bool_]:
        """Images that a person reviewed and kept, bool ``(N,)``; they are not reported again."""
        return self._with_decision(KEEP)

    @functools.cached_property
    def label_reviewed(self) -> NDArray[np.bool_]:
        """Images whose label a person set or confirmed, bool ``(N,)``."""
        return self.reviewed | self._with_decision(RELABEL)

    def _with_decision(self, word: str) -> NDArray[np.bool_]:
        decisions = self.dataset.decisions
        named = decisions.images(word) if decisions else frozenset()
        return np.array([name in named for name in self.names], bool)

    def label(self, index: int) -> str:
        """Return the target of an image as text."""
        return self.dataset.text(index)

    def image_finding(
        self,
        kind: str,
        severity: str,
        sentence: Callable[[int], str],
        advice: str,
        rows: Iterable[int],
        details: dict[int, str] | None = None,
    ) -> list[ImageFinding]:
        """Return a finding about single images, or none if all of them were kept.

        Args:
            kind: A key of `KINDS`.
            severity: One of `SEVERITIES`.
            sentence: Number of images -> the sentence.
            advice: What to do.
            rows: The images, the most conspicuous first.
            details: Image -> what was found in it.
        """
        shown = [int(row) for row in rows if not self.reviewed[row]]
        if not shown:
            return []
        said = {self.names[row]: details[row] for row in shown if details and row in details}
        names = tuple(self.names[row] for row in shown)
        return [ImageFinding(kind, severity, sentence(len(shown)), advice, names, details=said)]

    def group_finding(
        self,
        kind: str,
        severity: str,
        sentence: Callable[[int, int], str],
        advice: str,
        groups: Sequence[NDArray[np.int64]],
        details: dict[int, str] | None = None,
    ) -> list[ImageFinding]:
        """Return a finding about groups of images, or none; groups in which every image was kept are left out.

        Args:
            kind: A key of `KINDS`.
            severity: One of `SEVERITIES`.
            sentence: Number of groups and number of images in them -> the sentence.
            advice: What to do.
            groups: Images that show one picture.
            details: Image -> what was found in it.
        """
        shown = [group.tolist() for group in groups if not self.reviewed[group].all()]
        if not shown:
            return []
        rows = [row for group in shown for row in group]
        said = {self.names[row]: details[row] for row in rows if details and row in details}
        return [
            ImageFinding(
                kind,
                severity,
                sentence(len(shown), len(rows)),
                advice,
                tuple(self.names[row] for row in rows if not self.reviewed[row]),
                tuple(tuple(self.names[row] for row in group) for group in shown),
                said,
            )
        ]


def group_linked(number: int, pairs: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the connected components of two or more of N items, linked by pairs, int64 ``(P, 2)``."""
    if not len(pairs):
        return []
    graph = coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(number, number))
    return group_equal(connected_components(graph, directed=False)[1])


def group_equal(keys: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Return the indices of each value that occurs more than once in ``(N,)``, ordered by their first index."""
    _, codes, counts = np.unique(keys, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts[codes.reshape(-1)] > 1)
    order = repeated[np.argsort(codes.reshape(-1)[repeated], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(codes.reshape(-1)[order])) + 1) if len(order) else []
    return sorted(groups, key=lambda group: int(group[0]))
