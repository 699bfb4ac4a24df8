"""Near-duplicates: the same picture resized, recompressed, brightened, cropped, mirrored or turned.

Three stages, each of which looks more closely at less:

1. Each image gets a sketch, and so do sixteen windows of it; sketches that are near each other make candidates
   (`opsin.data.near_duplicates.search`). The time grows with the number of images, not with the number of pairs.
2. One image of each candidate pair is laid over the other; what is left unexplained is their unlikeness
   (`opsin.data.near_duplicates.comparison`).
3. A pair is believed when it is far more alike than both of its images are to others (`_stands_out`), and has so much
   detail in common that this can be no accident. Of handwritten ones, hundreds are as alike as copies would be: there
   nothing can be known, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from opsin.data.near_duplicates.alignment import POSES, read_grey
from opsin.data.near_duplicates.comparison import Pictures, balance, compare, have_like_colors, learn_share
from opsin.data.near_duplicates.search import (
    COARSE,
    MOST,
    Candidates,
    Sketches,
    find_candidates,
    find_neighbors,
    first_of_each,
    fit_sketcher,
    sketch,
)
from opsin.data.pixels import digest_images

SMALLEST = 12  # pixels; below this side a crop changes more than tells two images apart
SAMPLE = 2000  # images from which is learned what the data are like
OTHERS = 64  # images from which is learned how unlike others are
COPIES = 5  # that an image may have among these
BESIDE = 3  # so many places further down the list of what is like an image stands what is not a copy
FAR = 0.2  # the unlikeness of images that are not in the list, at most
RATIO = 0.25  # the unlikeness of a copy relative to that of others, at most
COARSE_RATIO = 0.5  # the same at first sight
COARSE_DOUBT = 0.1  # at first sight, of full lists: what is beyond their end is so much more alike than elsewhere
ACCIDENTS = 1e-4  # expected number of images as alike by accident, for each image, at most
CONTRASTS = (0.5, 2.0)  # of a copy relative to the image
CROPPED = 0.015  # of the frame; a window that leaves out more at a side is a crop


@dataclass(frozen=True)
class NearDuplicates:
    """Pairs of images that show the same picture.

    Of images with equal pixels, only the first is compared with others; the rest are paired with it.

    Attributes:
        pairs: int64 ``(P, 2)``, the smaller index first; sorted.
        kinds: ``(P,)`` of "exact", "resized or recompressed", "cropped", "mirrored" or "turned".
        likeness: float64 ``(P,)``, the part of the detail that both share, 0-1.
    """

    pairs: NDArray[np.int64]
    kinds: NDArray[np.str_]
    likeness: NDArray[np.float64]

    def groups(self, number: int) -> NDArray[np.int64]:
        """Return int64 ``(number,)``; equal numbers for images that are joined by pairs, also through others."""
        graph = coo_array((np.ones(len(self.pairs), bool), tuple(self.pairs.T)), shape=(number, number))
        return connected_components(graph, directed=False)[1].astype(np.int64)

    @property
    def count(self) -> int:
        """How many images have a near-duplicate that is not exactly equal."""
        return len(np.unique(self.pairs[self.kinds != "exact"]))


def find_near_duplicates(
    images: NDArray[np.uint8], *, mirrored: bool, progress: Callable[[int, int], None] | None = None
) -> NearDuplicates:
    """Find images that show the same picture.

    The answer depends neither on the order of the images nor on chance. Images under 12 pixels a side are compared for
    equality only.

    Args:
        images: uint8 ``(N, H, W, C)`` with C = 1 or 3; may be memory-mapped, it is read in blocks.
        mirrored: Whether mirror images and quarter turns show the same thing: true of photographs, not of characters.
        progress: Called with (steps done, all steps).
    """
    _, first, copy_of = np.unique(digest_images(images), return_index=True, return_inverse=True)
    equal = np.stack([first[copy_of], np.arange(len(images))], 1)
    equal = equal[equal[:, 0] != equal[:, 1]]
    pairs, kinds, likeness = equal, np.full(len(equal), "exact", "<U24"), np.ones(len(equal))
    if min(images.shape[1:3]) >= SMALLEST and len(first) > 1:
        near, words, shares = _compare(images, first, mirrored, progress or (lambda done, total: None))
        pairs, kinds = np.concatenate([pairs, near]), np.concatenate([kinds, words])
        likeness = np.concatenate([likeness, shares])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return NearDuplicates(pairs[order], kinds[order], likeness[order])


def _compare(
    images: NDArray[np.uint8], unique: NDArray[np.int64], mirrored: bool, progress: Callable[[int, int], None]
) -> tuple[NDArray[np.int64], NDArray[np.str_], NDArray[np.float64]]:
    """Return pairs, kinds and likeness of different images; the order of ``unique`` depends on their pixels alone."""
    steps, poses = 3 * len(unique), len(POSES) if mirrored else 1
    share, sample = learn_share(read_grey(images, np.sort(unique[:SAMPLE])))
    nothing = np.zeros((0, 2), np.int64), np.zeros(0, "<U24"), np.zeros(0)
    if not len(sample):
        return nothing
    sketcher = fit_sketcher(sample, balance(share[:COARSE, :COARSE], 1.0, 1e-4), mirrored=mirrored)
    rows, sketches = sketch(images, np.sort(unique), sketcher, poses, lambda done: progress(done, steps))
    if len(rows) < 2:
        return nothing
    pictures = Pictures(images, rows, share, poses)
    order = np.searchsorted(rows, unique[np.isin(unique, rows)])
    limit, searched = sketcher.limit, len(unique)
    candidates = find_candidates(sketches, order[:SAMPLE], limit, lambda done: progress(searched + done, steps))
    pairs, unlikeness = _judge(pictures, sketches, candidates, order)
    progress(steps, steps)
    ends = np.sort(np.stack([rows[pairs.first], rows[pairs.second]], 1), axis=1)
    return ends, _name_kinds(pairs), 1 - unlikeness


def _judge(
    pictures: Pictures, sketches: Sketches, candidates: Candidates, order: NDArray[np.int64]
) -> tuple[Candidates, NDArray[np.float64]]:
    """Return the pairs that are believed, and their unlikeness; ``order`` is one that depends on the pixels alone."""
    number, others = len(order), order[:OTHERS]
    usual = _usual_unlikeness(pictures, sketches, order[: 4 * OTHERS], others, max(COPIES, len(others) // 4))
    far = min(FAR, float(np.quantile(usual, 0.1)))
    coarse = compare(pictures, candidates, COARSE, steps=2)
    better = _better_direction(candidates, coarse.unlikeness)
    candidates, unlikeness = replace(candidates, margins=coarse.margins)[better], coarse.unlikeness[better]
    full = np.bincount(candidates.images, minlength=number) >= MOST
    beyond = np.where(full, far * COARSE_DOUBT, far)
    promising = _stands_out(candidates, unlikeness, far, beyond, COARSE_RATIO)
    involved = np.unique(candidates[promising].images)
    beside = np.isin(candidates.first, involved) | np.isin(candidates.second, involved)
    candidates = candidates[beside]
    fine = compare(pictures, candidates, len(pictures.share), steps=3)
    unlikeness = np.sqrt(unlikeness[beside] * fine.unlikeness)
    unsure = involved[full[involved]]
    beyond[unsure] = np.minimum(far, _usual_unlikeness(pictures, sketches, unsure, others, COPIES))
    certain = _stands_out(candidates, unlikeness, far, np.where(full, 0.0, far), RATIO)
    believed = _stands_out(candidates, unlikeness, far, beyond, RATIO)
    believed &= fine.evidence > np.log(number * pictures.poses / ACCIDENTS)
    believed &= (fine.contrast > CONTRASTS[0]) & (fine.contrast < CONTRASTS[1])
    candidates, unlikeness = replace(candidates, margins=fine.margins)[believed], unlikeness[believed]
    kept = have_like_colors(pictures, candidates) & (certain[believed] | _in_triangles(candidates, number))
    return candidates[kept], unlikeness[kept]


def _better_direction(candidates: Candidates, unlikeness: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return of each pair of images the number of the candidate that is more alike."""
    low, high = np.minimum(candidates.first, candidates.second), np.maximum(candidates.first, candidates.second)
    order = np.lexsort((unlikeness, high, low))
    return order[first_of_each(np.stack([low, high])[:, order])]


def _stands_out(
    candidates: Candidates, unlikeness: NDArray[np.float64], far: float, beyond: NDArray[np.float64], ratio: float
) -> NDArray[np.bool_]:
    """Return which pairs ``(P,)`` are far more alike than both of their images are to others.

    The ratio test of Lowe (2004), with room for several copies: in the list of what is like an image, most alike first,
    all up to the last place that is far below what stands three places further down.

    Args:
        candidates: Each pair once.
        unlikeness: ``(P,)``.
        far: How unlike an image is to those that are not its copies, at most.
        beyond: ``(M,)``; the same, to those that are not in its list.
        ratio: What "far below" means.
    """
    images, pair = candidates.images, np.tile(np.arange(len(candidates)), 2)
    order = np.lexsort((unlikeness[pair], images))
    images, pair = images[order], pair[order]
    place, end = np.arange(len(images)), np.cumsum(np.bincount(images, minlength=len(beyond)))[images]
    further = unlikeness[pair][np.minimum(place + BESIDE, len(images) - 1)]
    further = np.where(place + BESIDE < end, np.minimum(further, far), beyond[images])
    clear = unlikeness[pair] <= ratio * further
    last = np.full(len(beyond), -1)
    np.maximum.at(last, images[clear], place[clear])
    return np.bincount(pair[place <= last[images]], minlength=len(candidates)) == 2


def _in_triangles(candidates: Candidates, number: int) -> NDArray[np.bool_]:
    """Return for which pairs ``(P,)`` both images are paired with a third: many copies are copies of one another."""
    ends = (candidates.first, candidates.second)
    graph = coo_array((np.ones(len(candidates)), ends), shape=(number, number)).tocsr()
    graph = graph + graph.T
    return (graph[candidates.first] * graph[candidates.second]).sum(axis=1) > 0


def _usual_unlikeness(
    pictures: Pictures, sketches: Sketches, images: NDArray[np.int64], others: NDArray[np.int64], place: int
) -> NDArray[np.float64]:
    """Return how unlike images ``(P,)`` are to the nearest of all that are not their copies, judged by a few others.

    The number of images within an unlikeness u grows as a power of u. Where k of n others lie within u, that many of N
    lie within ``u ** (log(N / k) / log(n / k))``.

    Args:
        pictures: M images.
        sketches: Of them.
        images: int64 ``(P,)``.
        others: int64 ``(Q,)``; the few.
        place: How many of the few may be copies.
    """
    place = min(place, len(others) - 2)
    if len(others) <= COPIES or not len(images):
        return np.full(len(images), FAR)
    pairs = find_neighbors(sketches, images, others, place)
    coarse = compare(pictures, pairs, COARSE, steps=2)
    fine = compare(pictures, replace(pairs, margins=coarse.margins), len(pictures.share), steps=3)
    growth = np.log(len(pictures.rows) / (BESIDE + 1)) / np.log(len(others) / (place + 1))
    return np.sqrt(coarse.unlikeness * fine.unlikeness) ** max(1.0, growth)


def _name_kinds(candidates: Candidates) -> NDArray[np.str_]:
    """Return in words ``(P,)`` what was done to one image of each pair to make the other."""
    crop = (candidates.margins.amax(1) > CROPPED).numpy()
    kinds = np.where(crop, "cropped", "resized or recompressed").astype("<U24")
    up, left, over = np.array(POSES)[candidates.pose].T
    kinds[up | left] = "mirrored"
    kinds[over | (up & left)] = "turned"
    return kinds
