"""All images of a data set, decoded once to one size and kept as uint8, in memory or in a file on disk."""

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

LAYOUT = 2  # raised whenever the files on disk come to be laid out or signed in another way
SAVE_EVERY = 5.0  # seconds of decoding that a power cut may cost
AHEAD = 4  # images handed to each thread before they are needed: enough to keep it busy, few enough for the memory
TELL_EVERY = 0.2  # seconds
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
        """Return a number for each image, equal for images with equal pixels; see `digest_images`."""
        return digest_images(self.images.numpy())


def digest_images(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a number for each of N images, equal for images with equal pixels: 64 bits of BLAKE2b, uint64 ``(N,)``."""
    digests = b"".join(hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images)
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
    its file's size or modification time has changed. What was decoded before an interruption is kept.

    Args:
        images: N images.
        preprocessing: The size and channels they are brought to.
        budget: Bytes that may live in memory; left out: see `memory_budget`.
        cache: The folder for the files on disk; left out: ``pixels`` in Opsin's cache folder.
        progress: Called with (images done, N) a few times a second at most.
        workers: Number of threads; left out: one for each core that this process may use.

    Raises:
        DataError: The disk has no room for the decoded images.
    """
    workers = workers or _cores()
    shape = (len(images), preprocessing.height, preprocessing.width, preprocessing.channels)
    if isinstance(images, ArrayImages) and images.array.shape == shape:
        return Pixels(torch.from_numpy(np.ascontiguousarray(images.array)))
    started = time.perf_counter()
    if np.prod(shape, dtype=np.int64) <= (memory_budget() if budget is None else budget):
        store = np.zeros(shape, np.uint8)
        told = _Progress(len(images), progress)
        unreadable = _decode(images, preprocessing, store, range(len(images)), workers, told)
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
    _forget_old(cache)
    file, signatures = folder / "pixels.u8", _Signatures(folder / "signatures.npy", len(images))
    if not _is_reserved(file, shape):
        signatures.forget()
        _reserve(file, shape)
    store = np.memmap(file, np.uint8, "r+", shape=shape)
    known = signatures.load()
    current = np.array([_signature(images, index) for index in range(len(images))], np.int64).reshape(-1, 2)
    stale = np.flatnonzero((known != current).any(axis=1) | (current < 0).any(axis=1))
    known[stale] = -1
    told = _Progress(len(stale), progress)
    saved = time.monotonic()

    def keep() -> None:
        store.flush()  # first the pixels, then what vouches for them
        signatures.save(known)

    def after(index: int, readable: bool) -> None:
        nonlocal saved
        if readable:
            known[index] = current[index]
        if time.monotonic() - saved >= SAVE_EVERY:
            keep()
            saved = time.monotonic()
        told(index, readable)

    unreadable = {}
    if len(stale):
        signatures.save(known)  # the rows that are about to be overwritten are vouched for no more
        try:
            unreadable = _decode(images, preprocessing, store, stale.tolist(), workers, after)
        finally:
            keep()
    seconds = time.perf_counter() - started
    return Pixels(torch.from_numpy(store), unreadable, str(file), len(stale), seconds)


def _key(images: Images, preprocessing: Preprocessing) -> str:
    """Return the name of the folder for these images at this size, decoded by these rules."""
    names = [images.name(index) for index in range(len(images))]
    sizes = {key: value for key, value in preprocessing.to_dict().items() if key not in ("mean", "std")}
    content = [LAYOUT, decoding.RULES, PIL.__version__, images.identity(), names, sizes]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]


class _Signatures:
    """The file that vouches for the decoded pixels: the signature of each image at the time it was decoded."""

    def __init__(self, file: Path, number: int):
        self.file = file
        self.number = number

    def load(self) -> NDArray[np.int64]:
        """Return int64 ``(N, 2)``, -1 where nothing is vouched for."""
        nothing = np.full((self.number, 2), -1, np.int64)
        try:
            known = np.load(self.file, allow_pickle=False)
        except Exception:  # a damaged file makes NumPy raise almost anything; the images are decoded anew
            return nothing
        fits = isinstance(known, np.ndarray) and known.shape == nothing.shape and known.dtype == nothing.dtype
        return known if fits else nothing

    def save(self, known: NDArray[np.int64]) -> None:
        """Write all of the signatures in one step, or nothing: the images are then decoded anew next time."""
        with contextlib.suppress(OSError, OpsinError), replacing(self.file) as temporary, temporary.open("wb") as file:
            np.save(file, known, allow_pickle=False)

    def forget(self) -> None:
        """Vouch for nothing."""
        self.file.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Make the folder, or mark it as used now: its modification time says when it last was."""
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
    """Bring the file for the pixels to its size, with room on the disk that is its own.

    What is in the file stays: another run may be using it. Without the room reserved, writing to the mapped file would
    kill the process when the disk is full.

    Raises:
        DataError: The disk has no room.
    """
    wanted, before = int(np.prod(shape, dtype=np.int64)), file.stat().st_size if file.exists() else 0
    free = shutil.disk_usage(file.parent).free
    if free < wanted - before:
        raise _no_room(file.parent, wanted, f"{free / 1e9:.1f} GB left")
    try:
        with file.open("ab"):  # makes the file where there is none, and never empties it
            pass
        with file.open("r+b") as handle:
            try:
                _allocate(handle.fileno(), wanted)
                handle.truncate(wanted)
            except BaseException:
                handle.truncate(before)
                raise
    except OSError as error:
        raise _no_room(file.parent, wanted, f"not that much for them ({error.strerror})") from None


def _allocate(handle: int, size: int) -> None:
    """Reserve the room where the system can; elsewhere it was seen to be free a moment ago."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise


def _no_room(folder: Path, wanted: int, but: str) -> DataError:
    return DataError(
        f"The decoded images need {wanted / 1e9:.1f} GB and {folder} has {but}; use a smaller --image-size, "
        f"free some space, or set XDG_CACHE_HOME to a larger disk."
    )


class _Progress:
    """Count finished images and tell of them a few times a second at most."""

    def __init__(self, total: int, tell: Callable[[int, int], None] | None):
        self.total = total
        self.tell = tell
        self.done = 0
        self.told = 0.0

    def __call__(self, index: int, readable: bool) -> None:
        """Count one image."""
        self.done += 1
        if self.tell and (time.monotonic() - self.told >= TELL_EVERY or self.done == self.total):
            self.told = time.monotonic()
            self.tell(self.done, self.total)


def _decode(
    images: Images,
    preprocessing: Preprocessing,
    store: NDArray[np.uint8],
    indices: Sequence[int],
    workers: int,
    after: Callable[[int, bool], None],
) -> dict[int, str]:
    """Write the images at ``indices`` into their rows of ``store``; return the reasons of those that cannot be read.

    After each image ``after`` is called with its index and whether it could be read, in the order of ``indices``; when
    interrupted, for those that were under way too.
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
    """Return how many cores this process may use, which in a container or a cluster's job is fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cache_folder() -> Path:
    from opsin.storage.cache import cache_folder

    return cache_folder() / "pixels"


def _forget_old(cache: Path) -> None:
    """Delete folders of decoded pixels that no run has used for a month, and nothing else that may lie there."""
    limit = time.time() - FORGET_AFTER_DAYS * 86_400
    for folder in cache.iterdir():
        with contextlib.suppress(OSError):  # another run may be deleting it too
            if re.fullmatch("[0-9a-f]{24}", folder.name) and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
