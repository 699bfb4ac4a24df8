"""Decoded images of a data set: one size, uint8, in memory or in a memory-mapped file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from opsin.data import decoding
from opsin.data.images import ArrayImages, Images
from opsin.data.preprocessing import Preprocessing
from opsin.errors import DataError, OpsinError, UnreadableImageError
from opsin.storage.atomic import replacing

CACHE_VERSION = 2  # increased whenever the format of the files on disk changes
SAVE_EVERY = 5.0  # seconds between saves; a power failure costs at most this much decoding
AHEAD = 4  # images queued per thread: enough to keep it busy, few enough for the memory
REPORT_EVERY = 0.2  # seconds between progress reports
DELETE_AFTER_DAYS = 30  # decoded pixels that no run has used for this long are deleted


@dataclass(frozen=True)
class Pixels:
    """Decoded images.

    Attributes:
        images: uint8 ``(N, H, W, C)``; memory-mapped if on disk.
        unreadable: Index of each image that cannot be read -> the reason; its pixels are zero and must not be used.
        place: "memory", or the path of the file on disk.
        decoded: Number of images decoded now rather than found in the file.
        seconds: Time taken.
    """

    images: Tensor
    unreadable: dict[int, str] = field(default_factory=dict)
    place: str = "memory"
    decoded: int = 0
    seconds: float = 0.0

    def digests(self) -> NDArray[np.uint64]:
        """Return a number for each image, equal for images with equal pixels; see `digest_images`."""
        return digest_images(self.images.numpy())


def digest_images(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a number for each of N images, equal for images with equal pixels: 64 bits of BLAKE2b, uint64 ``(N,)``."""
    digests = b"".join(hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images)
    return np.frombuffer(digests, dtype="<u8")


def memory_budget(memory_gb: float | None = None) -> int:
    """Return the memory for decoded images, in bytes: the given gigabytes, or a third of the available memory."""
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

    Decoding runs in threads (Pillow releases the GIL), so nothing is copied between processes. Images that exceed the
    budget go to a file below ``cache``, which later runs reuse: an image is decoded again if its file's size or
    modification time has changed. Images decoded before an interruption are kept.

    Args:
        images: N images.
        preprocessing: Target size and channels.
        budget: Memory for the images in bytes; None: see `memory_budget`.
        cache: Folder for files on disk; None: ``pixels`` in Opsin's cache folder.
        progress: Called with (images done, N), at most a few times per second.
        workers: Number of threads; None: one per core available to this process.

    Raises:
        DataError: The disk is too full for the decoded images.
    """
    workers = workers or _cores()
    shape = (len(images), preprocessing.height, preprocessing.width, preprocessing.channels)
    if isinstance(images, ArrayImages) and images.array.shape == shape:
        return Pixels(torch.from_numpy(np.ascontiguousarray(images.array)))
    started = time.perf_counter()
    if np.prod(shape, dtype=np.int64) <= (memory_budget() if budget is None else budget):
        store = np.zeros(shape, np.uint8)
        counter = _Progress(len(images), progress)
        unreadable = _decode(images, preprocessing, store, range(len(images)), workers, counter)
        seconds = time.perf_counter() - started
        return Pixels(torch.from_numpy(store), unreadable, "memory", len(images), seconds)
    return _load_on_disk(images, preprocessing, shape, cache or _cache_folder(), progress, workers)


def _load_on_disk(
    images: Images,
    preprocessing: Preprocessing,
    shape: tuple[int, int, int, int],
    cache: Path,
    progress: Callable[[int, int], None] | None,
    workers: int,
) -> Pixels:
    started = time.perf_counter()
    folder = cache / _key(images, preprocessing)
    _make_folder(folder)
    _delete_unused(cache)
    file, signatures = folder / "pixels.u8", _Signatures(folder / "signatures.npy", len(images))
    if not _is_reserved(file, shape):
        signatures.clear()
        _reserve(file, shape)
    store = np.memmap(file, np.uint8, "r+", shape=shape)
    known = signatures.load()
    current = np.array([_signature(images, index) for index in range(len(images))], np.int64).reshape(-1, 2)
    stale = np.flatnonzero((known != current).any(axis=1) | (current < 0).any(axis=1))
    known[stale] = -1
    counter = _Progress(len(stale), progress)
    saved = time.monotonic()

    def keep() -> None:
        store.flush()  # first the pixels, then the signatures that validate them
        signatures.save(known)

    def after(index: int, readable: bool) -> None:
        nonlocal saved
        if readable:
            known[index] = current[index]
        if time.monotonic() - saved >= SAVE_EVERY:
            keep()
            saved = time.monotonic()
        counter(index, readable)

    unreadable = {}
    if len(stale):
        signatures.save(known)  # invalidate the rows that are about to be overwritten
        try:
            unreadable = _decode(images, preprocessing, store, stale.tolist(), workers, after)
        finally:
            keep()
    seconds = time.perf_counter() - started
    return Pixels(torch.from_numpy(store), unreadable, str(file), len(stale), seconds)


def _key(images: Images, preprocessing: Preprocessing) -> str:
    """Return the name of the cache folder, which depends on the images, their size and the versions of the decoder."""
    names = [images.name(index) for index in range(len(images))]
    sizes = {key: value for key, value in preprocessing.to_dict().items() if key not in ("mean", "std")}
    content = [CACHE_VERSION, decoding.DECODER_VERSION, PIL.__version__, images.identity(), names, sizes]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


class _Signatures:
    """The file that validates decoded pixels: the signature of each image when it was decoded."""

    def __init__(self, file: Path, number: int):
        self.file = file
        self.number = number

    def load(self) -> NDArray[np.int64]:
        """Return int64 ``(N, 2)``, -1 for images that must be decoded."""
        nothing = np.full((self.number, 2), -1, np.int64)
        try:
            known = np.load(self.file, allow_pickle=False)
        except Exception:  # a damaged file makes NumPy raise almost anything; the images are decoded again
            return nothing
        fits = isinstance(known, np.ndarray) and known.shape == nothing.shape and known.dtype == nothing.dtype
        return known if fits else nothing

    def save(self, known: NDArray[np.int64]) -> None:
        """Write all signatures atomically; if that fails, the images are decoded again next time."""
        with contextlib.suppress(OSError, OpsinError), replacing(self.file) as temporary, temporary.open("wb") as file:
            np.save(file, known, allow_pickle=False)

    def clear(self) -> None:
        """Invalidate all pixels."""
        self.file.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Create the folder, or update its modification time, which records its last use."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
    except OSError as error:
        raise DataError(
            f"The decoded images cannot be kept in {folder} ({error.strerror}); set XDG_CACHE_HOME to a folder that "
            f"may be written to."
        ) from None


def _is_reserved(file: Path, shape: tuple[int, ...]) -> bool:
    return file.exists() and file.stat().st_size == int(np.prod(shape, dtype=np.int64))


def _reserve(file: Path, shape: tuple[int, ...]) -> None:
    """Bring the pixel file to its size and reserve its disk space.

    The content of the file is kept: another run may be using it. Without reserved space, writing to the mapped file
    would kill the process when the disk is full.

    Raises:
        DataError: The disk is too full.
    """
    wanted, before = int(np.prod(shape, dtype=np.int64)), file.stat().st_size if file.exists() else 0
    free = shutil.disk_usage(file.parent).free
    if free < wanted - before:
        raise _disk_full(file.parent, wanted, f"{free / 1e9:.1f} GB left")
    try:
        with file.open("ab"):  # creates the file if necessary, and never truncates it
            pass
        with file.open("r+b") as handle:
            try:
                _allocate(handle.fileno(), wanted)
                handle.truncate(wanted)
            except BaseException:
                handle.truncate(before)
                raise
    except OSError as error:
        raise _disk_full(file.parent, wanted, f"too little space ({error.strerror})") from None


def _allocate(handle: int, size: int) -> None:
    """Reserve disk space, if the system supports it."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise


def _disk_full(folder: Path, wanted: int, but: str) -> DataError:
    return DataError(
        f"The decoded images need {wanted / 1e9:.1f} GB, but {folder} has {but}; use a smaller --image-size, free some "
        f"space, or set XDG_CACHE_HOME to a folder on a larger disk."
    )


class _Progress:
    """Count finished images and report progress at most a few times per second."""

    def __init__(self, total: int, report: Callable[[int, int], None] | None):
        self.total = total
        self.report = report
        self.done = 0
        self.reported = 0.0

    def __call__(self, index: int, readable: bool) -> None:
        """Count one image."""
        self.done += 1
        if self.report and (time.monotonic() - self.reported >= REPORT_EVERY or self.done == self.total):
            self.reported = time.monotonic()
            self.report(self.done, self.total)


def _decode(
    images: Images,
    preprocessing: Preprocessing,
    store: NDArray[np.uint8],
    indices: Sequence[int],
    workers: int,
    after: Callable[[int, bool], None],
) -> dict[int, str]:
    """Decode the images at ``indices`` into their rows of ``store``; return index -> reason for unreadable ones.

    ``after`` is called with the index of each image and whether it was readable, in the order of ``indices``; after an
    interruption, also for images that were in progress.
    """
    unreadable: dict[int, str] = {}
    waiting: deque[tuple[int, Future[str | None]]] = deque()

    def read(index: int) -> str | None:
        try:
            store[index] = preprocessing.read(images, index)
        except UnreadableImageError as error:
            return error.reason
        return None

    def finish() -> None:
        index, future = waiting[0]
        reason = future.result()
        waiting.popleft()
        if reason is not None:
            unreadable[index] = reason
        after(index, reason is None)

    with ThreadPoolExecutor(workers) as threads:
        try:
            for index in indices:
                waiting.append((index, threads.submit(read, index)))
                if len(waiting) >= workers * AHEAD:
                    finish()
            while waiting:
                finish()
        except BaseException:
            threads.shutdown(cancel_futures=True)
            for index, future in waiting:
                if not future.cancelled() and future.exception() is None:
                    after(index, future.result() is None)
            raise
    return dict(sorted(unreadable.items()))


def _signature(images: Images, index: int) -> tuple[int, int]:
    try:
        return images.signature(index)
    except OSError:
        return (-1, -1)


def _cores() -> int:
    """Return the number of cores available to this process, which a container or a cluster job may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cache_folder() -> Path:
    from opsin.storage.cache import cache_folder

    return cache_folder() / "pixels"


def _delete_unused(cache: Path) -> None:
    """Delete folders of decoded pixels that no run has used for a month, and nothing else."""
    limit = time.time() - DELETE_AFTER_DAYS * 86_400
    for folder in cache.iterdir():
        with contextlib.suppress(OSError):  # another run may be deleting it too
            if re.fullmatch("[0-9a-f]{24}", folder.name) and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
