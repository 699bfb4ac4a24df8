"""All images of a data set, decoded once to one size and kept as uint8, in memory or in a file on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from opsin.data.dataset import ArrayImages, Images
from opsin.data.preprocessing import Preprocessing
from opsin.errors import DataError, UnreadableImageError

FORGET_AFTER_DAYS = 30  # a file of decoded pixels that no run has used for so long is deleted


@dataclass(frozen=True)
class Pixels:
    """Decoded images.

    Attributes:
        images: uint8 ``(N, H, W, C)``; on disk it is a memory-mapped file.
        unreadable: Index of each image that cannot be read, with the reason; its pixels are zero and must not be used.
        place: "memory", or the file on disk.
        decoded: How many images were decoded now, rather than found in the file.
        seconds: How long it took.
    """

    images: Tensor
    unreadable: dict[int, str] = field(default_factory=dict)
    place: str = "memory"
    decoded: int = 0
    seconds: float = 0.0

    def digests(self) -> NDArray[np.uint64]:
        """Return a number for each image, equal for images with equal pixels (64 bits of BLAKE2b), uint64 ``(N,)``."""
        array = self.images.numpy()
        digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in array)
        return np.frombuffer(digests, dtype="<u8")


def memory_budget(memory_gb: float | None = None) -> int:
    """Return how many bytes of decoded images may live in memory: the given gigabytes, or a third of what is free."""
    return int(memory_gb * 1e9) if memory_gb is not None else psutil.virtual_memory().available // 3


def load_pixels(
    images: Images,
    preprocessing: Preprocessing,
    *,
    budget: int | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> Pixels:
    """Decode every image once.

    Decoding runs in threads (Pillow works outside Python's lock), so nothing is copied between processes. Images
    that do not fit the budget go to a file below ``cache``, which later runs use again: an image is decoded anew when
    its file's size or modification time has changed.

    Args:
        images: N images.
        preprocessing: The size and channels they are brought to.
        budget: Bytes that may live in memory; left out: see `memory_budget`.
        cache: The folder for the files on disk; left out: ``pixels`` in Opsin's cache folder.
        progress: Called with (images done, N) a few times a second at most.
        workers: Number of threads; left out: one for each core.

    Raises:
        DataError: The disk has no room for the decoded images.
    """
    shape = (len(images), preprocessing.height, preprocessing.width, preprocessing.channels)
    if isinstance(images, ArrayImages) and images.array.shape == shape:
        return Pixels(torch.from_numpy(np.ascontiguousarray(images.array)))
    started = time.perf_counter()
    if np.prod(shape, dtype=np.int64) <= (memory_budget() if budget is None else budget):
        store = np.zeros(shape, np.uint8)
        unreadable = _decode(images, preprocessing, store, np.arange(len(images)), progress, workers)
        seconds = time.perf_counter() - started
        return Pixels(torch.from_numpy(store), unreadable, "memory", len(images), seconds)
    return _load_on_disk(images, preprocessing, shape, cache or _cache_folder(), progress, workers)


def _load_on_disk(
    images: Images,
    preprocessing: Preprocessing,
    shape: tuple[int, int, int, int],
    cache: Path,
    progress: Callable[[int, int], None] | None,
    workers: int | None,
) -> Pixels:
    started = time.perf_counter()
    _forget_old(cache)
    names = [images.name(index) for index in range(len(images))]
    root = str(getattr(images, "root", ""))
    sizes = {key: value for key, value in preprocessing.to_dict().items() if key not in ("mean", "std")}
    key = hashlib.sha256(json.dumps([root, names, sizes, PIL.__version__]).encode()).hexdigest()[:24]
    folder = cache / key
    folder.mkdir(parents=True, exist_ok=True)
    free, wanted = shutil.disk_usage(folder).free, int(np.prod(shape, dtype=np.int64))
    file = folder / "pixels.u8"
    fresh = not file.exists() or file.stat().st_size != wanted
    if fresh and free < wanted:
        raise DataError(
            f"The decoded images need {wanted / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB left; use a smaller "
            f"--image-size, free some space, or set XDG_CACHE_HOME to a larger disk."
        )
    store = np.memmap(file, np.uint8, "w+" if fresh else "r+", shape=shape)
    known_file = folder / "signatures.npy"
    known = np.full((len(images), 2), -1, np.int64)
    if not fresh and known_file.exists():
        known = np.load(known_file, allow_pickle=False)
    current = np.array([_signature(images, index) for index in range(len(images))], np.int64).reshape(-1, 2)
    stale = np.flatnonzero((known != current).any(axis=1) | (current < 0).any(axis=1))
    known_file.unlink(missing_ok=True)  # until all are decoded nothing is vouched for
    unreadable = _decode(images, preprocessing, store, stale, progress, workers)
    store.flush()
    current[list(unreadable)] = -1
    np.save(known_file, current, allow_pickle=False)
    seconds = time.perf_counter() - started
    return Pixels(torch.from_numpy(store), unreadable, str(file), len(stale), seconds)


def _decode(
    images: Images,
    preprocessing: Preprocessing,
    store: NDArray[np.uint8],
    indices: NDArray[np.int64],
    progress: Callable[[int, int], None] | None,
    workers: int | None,
) -> dict[int, str]:
    """Write the images at ``indices`` into their rows of ``store``; return the reasons of those that cannot be read."""
    unreadable: dict[int, str] = {}

    def read(index: int) -> None:
        try:
            store[index] = preprocessing.read(images, index)
        except UnreadableImageError as error:
            unreadable[index] = error.reason

    shown = 0.0
    with ThreadPoolExecutor(workers or os.cpu_count()) as threads:
        try:
            for done, _ in enumerate(threads.map(read, indices.tolist()), start=1):
                if progress and (time.monotonic() - shown > 0.2 or done == len(indices)):
                    shown = time.monotonic()
                    progress(done, len(indices))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return dict(sorted(unreadable.items()))


def _signature(images: Images, index: int) -> tuple[int, int]:
    try:
        return images.signature(index)
    except OSError:
        return (-1, -1)


def _cache_folder() -> Path:
    from opsin.data.catalogue import cache_folder

    return cache_folder() / "pixels"


def _forget_old(cache: Path) -> None:
    """Delete files of decoded pixels that no run has used for a month."""
    limit = time.time() - FORGET_AFTER_DAYS * 86_400
    for signatures in cache.glob("*/signatures.npy"):
        if signatures.stat().st_mtime < limit:
            shutil.rmtree(signatures.parent, ignore_errors=True)
