"""What the finders look at: the images of a data set, decoded, and what was decided about them before."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from opsin.audit.finding import ImageFinding
from opsin.audit.image_statistics import Measures, measure
from opsin.data.dataset import Dataset
from opsin.data.decisions import KEEP, RELABEL
from opsin.data.near_duplicates.find import NearDuplicates


@dataclass(frozen=True)
class AuditContext:
    """N images that can be read, and what is known of them.

    Attributes:
        dataset: Their names, labels, groups and given split.
        pixels: uint8 ``(N, H, W, C)``, all at one size.
        digests: uint64 ``(N,)``; equal for images with equal pixels.
        shapes: int64 ``(N, 3)``; height, width and channels as they are stored.
        near: Pairs of images that show almost the same; None where they were not looked for.
        unreadable: Names of further images that cannot be read, each with the reason.
    """

    dataset: Dataset
    pixels: NDArray[np.uint8]
    digests: NDArray[np.uint64]
    shapes: NDArray[np.int64]
    near: NearDuplicates | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    @functools.cached_property
    def names(self) -> list[str]:
        """What each image is called."""
        return [self.dataset.images.name(index) for index in range(len(self.dataset))]

    @functools.cached_property
    def measures(self) -> Measures:
        """Numbers of each picture."""
        return measure(self.pixels)

    @functools.cached_property
    def decided(self) -> NDArray[np.bool_]:
        """Which images a person looked at and kept, bool ``(N,)``: they are not reported again."""
        return self._among(KEEP)

    @functools.cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """Which images a person gave the label they have, bool ``(N,)``."""
        return self.decided | self._among(RELABEL)

    def _among(self, word: str) -> NDArray[np.bool_]:
        decisions = self.dataset.decisions
        named = decisions.images(word) if decisions else frozenset()
        return np.array([name in named for name in self.names], bool)

    def label(self, index: int) -> str:
        """Write what is true of an image, as its task has it."""
        return self.dataset.text(index)

    def about_images(
        self,
        kind: str,
        severity: str,
        sentence: Callable[[int], str],
        advice: str,
        rows: Iterable[int],
        details: dict[int, str] | None = None,
    ) -> list[ImageFinding]:
        """Return a finding about single images, or none where all of them were kept.

        Args:
            kind: A key of `KINDS`.
            severity: How grave it is.
            sentence: Makes the sentence from the number of images.
            advice: What to do.
            rows: The images, the most striking first.
            details: Image -> what was found of it.
        """
        shown = [int(row) for row in rows if not self.decided[row]]
        if not shown:
            return []
        said = {self.names[row]: details[row] for row in shown if details and row in details}
        names = tuple(self.names[row] for row in shown)
        return [ImageFinding(kind, severity, sentence(len(shown)), advice, names, details=said)]

    def about_groups(
        self,
        kind: str,
        severity: str,
        sentence: Callable[[int, int], str],
        advice: str,
        groups: Sequence[NDArray[np.int64]],
        details: dict[int, str] | None = None,
    ) -> list[ImageFinding]:
        """Return a finding about images that belong together, or none; groups that were kept as a whole are left out.

        Args:
            kind: A key of `KINDS`.
            severity: How grave it is.
            sentence: Makes the sentence from the number of groups and the number of images in them.
            advice: What to do.
            groups: Images that are one picture.
            details: Image -> what was found of it.
        """
        shown = [group.tolist() for group in groups if not self.decided[group].all()]
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
                tuple(self.names[row] for row in rows if not self.decided[row]),
                tuple(tuple(self.names[row] for row in group) for group in shown),
                said,
            )
        ]


def linked(number: int, pairs: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the groups of two and more of N things that pairs, int64 ``(P, 2)``, link, also through others."""
    if not len(pairs):
        return []
    graph = coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(number, number))
    return alike(connected_components(graph, directed=False)[1])


def alike(keys: NDArray) -> list[NDArray[np.int64]]:
    """Return the places of each value that occurs more than once in ``(N,)``, in the order of their first place."""
    _, codes, counts = np.unique(keys, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts[codes.reshape(-1)] > 1)
    order = repeated[np.argsort(codes.reshape(-1)[repeated], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(codes.reshape(-1)[order])) + 1) if len(order) else []
    return sorted(groups, key=lambda group: int(group[0]))
