"""Near-duplicates: the same picture resized, recompressed, brightened, cropped, mirrored or rotated.

Three stages, each more precise and on fewer pairs:

1. Each image and sixteen windows of it are reduced to sketches; pairs of near sketches are candidates
   (`opsin.data.near_duplicates.search`). The time grows with the number of images, not with the number of pairs.
2. The images of each candidate pair are aligned; the unexplained remainder is their dissimilarity
   (`opsin.data.near_duplicates.comparison`).
3. A pair is accepted if its images are far more similar to each other than to others (`_stands_out`) and share too much
   detail for chance. Among handwritten digits, hundreds are as similar as copies would be: there, nothing is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from opsin.data.near_duplicates.alignment import POSES, read_grey
from opsin.data.near_duplicates.comparison import (
    Pictures,
    compare,
    estimate_spectrum,
    have_similar_colors,
    whitening_weights,
)
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

SMALLEST = 12  # pixels; below this side, a crop changes an image more than two images differ
SAMPLE = 2000  # images from which statistics of the data are estimated
OTHERS = 64  # images from which the dissimilarity of unrelated images is estimated
COPIES = 5  # copies that an image may have among these
BESIDE = 3  # a neighbor this many ranks further down is not a copy
FAR = 0.2  # maximum dissimilarity of images beyond the list of neighbors
RATIO = 0.25  # maximum dissimilarity of a copy relative to that of others
COARSE_RATIO = 0.5  # the same in the coarse comparison
COARSE_DOUBT = 0.1  # coarse comparison, full lists: factor by which images beyond the end may be more similar
ACCIDENTS = 1e-4  # maximum expected number of chance matches per image
CONTRASTS = (0.5, 2.0)  # range of the contrast of a copy relative to the image
CROPPED = 0.015  # of the frame; a window with a larger margin is a crop


@dataclass(frozen=True)
class NearDuplicates:
    """Pairs of images that show the same picture.

    Of images with identical pixels, only the first is compared with others; the rest are paired with it.

    Attributes:
        pairs: int64 ``(P, 2)``, the smaller index first; sorted.
        kinds: ``(P,)`` of "exact", "resized or recompressed", "cropped", "mirrored" or "turned".
        similarity: float64 ``(P,)``, the fraction of detail that both share, 0-1.
    """

    pairs: NDArray[np.int64]
    kinds: NDArray[np.str_]
    similarity: NDArray[np.float64]

    def groups(self, number: int) -> NDArray[np.int64]:
        """Return int64 ``(number,)``: the connected component of each image."""
        graph = coo_array((np.ones(len(self.pairs), bool), tuple(self.pairs.T)), shape=(number, number))
        result: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
        return result

    @property
    def count(self) -> int:
        """Number of images with a near-duplicate that is not an exact copy."""
        return len(np.unique(self.pairs[self.kinds != "exact"]))


def find_near_duplicates(
    images: NDArray[np.uint8], *, mirrored: bool, progress: Callable[[int, int], None] | None = None
) -> NearDuplicates:
    """Find images that show the same picture.

    The result is deterministic and independent of the order of the images. Images under 12 pixels per side are compared
    for equality only.

    Args:
        images: uint8 ``(N, H, W, C)`` with C = 1 or 3; may be memory-mapped; read in blocks.
        mirrored: Whether mirror images and quarter turns are copies: true of photographs, not of characters.
        progress: Called with (steps done, total).
    """
    _, first, copy_of = np.unique(digest_images(images), return_index=True, return_inverse=True)
    equal = np.stack([first[copy_of], np.arange(len(images))], 1)
    equal = equal[equal[:, 0] != equal[:, 1]]
    pairs, kinds, similarity = equal, np.full(len(equal), "exact", "<U24"), np.ones(len(equal))
    if min(images.shape[1:3]) >= SMALLEST and len(first) > 1:
        near, words, shares = _compare(images, first, mirrored, progress or (lambda done, total: None))
        pairs, kinds = np.concatenate([pairs, near]), np.concatenate([kinds, words])
        similarity = np.concatenate([similarity, shares])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return NearDuplicates(pairs[order], kinds[order], similarity[order])


def _compare(
    images: NDArray[np.uint8], unique: NDArray[np.int64], mirrored: bool, progress: Callable[[int, int], None]
) -> tuple[NDArray[np.int64], NDArray[np.str_], NDArray[np.float64]]:
    """Return pairs, kinds and similarities of distinct images; the order of ``unique`` depends only on their pixels."""
    steps, poses = 3 * len(unique), len(POSES) if mirrored else 1
    spectrum, sample = estimate_spectrum(read_grey(images, np.sort(unique[:SAMPLE])))
    nothing = np.zeros((0, 2), np.int64), np.zeros(0, "<U24"), np.zeros(0)
    if not len(sample):
        return nothing
    sketcher = fit_sketcher(sample, whitening_weights(spectrum[:COARSE, :COARSE], 1.0, 1e-4), mirrored=mirrored)
    rows, sketches = sketch(images, np.sort(unique), sketcher, poses, lambda done: progress(done, steps))
    if len(rows) < 2:
        return nothing
    pictures = Pictures(images, rows, spectrum, poses)
    order = np.searchsorted(rows, unique[np.isin(unique, rows)])
    limit, searched = sketcher.limit, len(unique)
    candidates = find_candidates(sketches, order[:SAMPLE], limit, lambda done: progress(searched + done, steps))
    pairs, dissimilarity = _verify(pictures, sketches, candidates, order)
    progress(steps, steps)
    ends = np.sort(np.stack([rows[pairs.first], rows[pairs.second]], 1), axis=1)
    return ends, _name_kinds(pairs), 1 - dissimilarity


def _verify(
    pictures: Pictures, sketches: Sketches, candidates: Candidates, order: NDArray[np.int64]
) -> tuple[Candidates, NDArray[np.float64]]:
    """Return the accepted pairs and their dissimilarity; ``order`` depends only on the pixels."""
    number, others = len(order), order[:OTHERS]
    usual = _typical_dissimilarity(pictures, sketches, order[: 4 * OTHERS], others, max(COPIES, len(others) // 4))
    far = min(FAR, float(np.quantile(usual, 0.1)))
    coarse = compare(pictures, candidates, COARSE, steps=2)
    better = _better_direction(candidates, coarse.dissimilarity)
    candidates, dissimilarity = replace(candidates, margins=coarse.margins)[better], coarse.dissimilarity[better]
    full = np.bincount(candidates.images, minlength=number) >= MOST
    beyond = np.where(full, far * COARSE_DOUBT, far)
    promising = _stands_out(candidates, dissimilarity, far, beyond, COARSE_RATIO)
    involved = np.unique(candidates[promising].images)
    beside = np.isin(candidates.first, involved) | np.isin(candidates.second, involved)
    candidates = candidates[beside]
    fine = compare(pictures, candidates, len(pictures.spectrum), steps=3)
    dissimilarity = np.sqrt(dissimilarity[beside] * fine.dissimilarity)
    unsure = involved[full[involved]]
    beyond[unsure] = np.minimum(far, _typical_dissimilarity(pictures, sketches, unsure, others, COPIES))
    certain = _stands_out(candidates, dissimilarity, far, np.where(full, 0.0, far), RATIO)
    accepted = _stands_out(candidates, dissimilarity, far, beyond, RATIO)
    accepted &= fine.evidence > np.log(number * pictures.poses / ACCIDENTS)
    accepted &= (fine.contrast > CONTRASTS[0]) & (fine.contrast < CONTRASTS[1])
    candidates, dissimilarity = replace(candidates, margins=fine.margins)[accepted], dissimilarity[accepted]
    kept = have_similar_colors(pictures, candidates) & (certain[accepted] | _in_triangles(candidates, number))
    return candidates[kept], dissimilarity[kept]


def _better_direction(candidates: Candidates, dissimilarity: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return, for each pair of images, the index of the more similar of its candidates."""
    low, high = np.minimum(candidates.first, candidates.second), np.maximum(candidates.first, candidates.second)
    order = np.lexsort((dissimilarity, high, low))
    return order[first_of_each(np.stack([low, high])[:, order])]


def _stands_out(
    candidates: Candidates, dissimilarity: NDArray[np.float64], far: float, beyond: NDArray[np.float64], ratio: float
) -> NDArray[np.bool_]:
    """Return the pairs that are far more similar than both images are to others, bool ``(P,)``.

    The ratio test of Lowe (2004), extended to several copies: of an image's neighbors, most similar first, all up to
    the last one whose dissimilarity is far below that of the neighbor three ranks further down.

    Args:
        candidates: Each pair once.
        dissimilarity: ``(P,)``.
        far: Maximum dissimilarity of an image to others that are not its copies.
        beyond: ``(M,)``; the same, to images beyond its list of neighbors.
        ratio: Ratio that counts as far below.
    """
    images, pair = candidates.images, np.tile(np.arange(len(candidates)), 2)
    order = np.lexsort((dissimilarity[pair], images))
    images, pair = images[order], pair[order]
    place, end = np.arange(len(images)), np.cumsum(np.bincount(images, minlength=len(beyond)))[images]
    further = dissimilarity[pair][np.minimum(place + BESIDE, len(images) - 1)]
    further = np.where(place + BESIDE < end, np.minimum(further, far), beyond[images])
    clear = dissimilarity[pair] <= ratio * further
    last = np.full(len(beyond), -1)
    np.maximum.at(last, images[clear], place[clear])
    result: NDArray[np.bool_] = np.bincount(pair[place <= last[images]], minlength=len(candidates)) == 2
    return result


def _in_triangles(candidates: Candidates, number: int) -> NDArray[np.bool_]:
    """Return the pairs whose images are both paired with a third one, bool ``(P,)``: copies of a copy are copies."""
    ends = (candidates.first, candidates.second)
    graph = coo_array((np.ones(len(candidates)), ends), shape=(number, number)).tocsr()
    graph = graph + graph.T
    result: NDArray[np.bool_] = (graph[candidates.first] * graph[candidates.second]).sum(axis=1) > 0
    return result


def _typical_dissimilarity(
    pictures: Pictures, sketches: Sketches, images: NDArray[np.int64], others: NDArray[np.int64], place: int
) -> NDArray[np.float64]:
    """Estimate the dissimilarity of images ``(P,)`` to their nearest non-copy, from a few other images.

    The number of images within a dissimilarity u grows as a power of u. If k of n others lie within u, then k of N lie
    within ``u ** (log(N / k) / log(n / k))``.

    Args:
        pictures: M images.
        sketches: Their sketches.
        images: int64 ``(P,)``.
        others: int64 ``(Q,)``; the other images.
        place: How many of the others may be copies.
    """
    place = min(place, len(others) - 2)
    if len(others) <= COPIES or not len(images):
        return np.full(len(images), FAR)
    pairs = find_neighbors(sketches, images, others, place)
    coarse = compare(pictures, pairs, COARSE, steps=2)
    fine = compare(pictures, replace(pairs, margins=coarse.margins), len(pictures.spectrum), steps=3)
    growth = np.log(len(pictures.rows) / (BESIDE + 1)) / np.log(len(others) / (place + 1))
    result: NDArray[np.float64] = np.sqrt(coarse.dissimilarity * fine.dissimilarity) ** max(1.0, growth)
    return result


def _name_kinds(candidates: Candidates) -> NDArray[np.str_]:
    """Return the kind of each pair ``(P,)``, from its window and pose."""
    crop = (candidates.margins.amax(1) > CROPPED).numpy()
    kinds = np.where(crop, "cropped", "resized or recompressed").astype("<U24")
    up, left, over = np.array(POSES)[candidates.pose].T
    kinds[up | left] = "mirrored"
    kinds[over | (up & left)] = "turned"
    return kinds
