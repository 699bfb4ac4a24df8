"""Sequences of images that are read one at a time, and the names of the splits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.data.decoding import from_array, image_size, open_image, read_image
from opsin.errors import DataError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)
UNUSED = "unused"  # in none of the three

# Mirror images that keep the class: none (characters), left-right (photographs), or in any direction (microscopy,
# aerial views).
Symmetry = Literal["none", "mirror", "any"]


class Images(Protocol):
    """A sequence of images that are read one at a time."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return the name of an image: a path relative to the data set, or ``image 17``."""

    def identity(self) -> str:
        """Return text that distinguishes sequences of different images with equal names."""

    def open(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> Image.Image:
        """Return the decoded image, of mode "L" or "RGB".

        Args:
            index: Index of the image.
            size: A hint: (height, width) to which the caller will resize the image. A JPEG may be decoded at a
                reduced scale, but never below this size.
            bits: Bits in use in 16-bit images.

        Raises:
            UnreadableImageError: The image cannot be read.
        """

    def read(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> NDArray[np.uint8]:
        """Return the image as an array, uint8 ``(H, W, C)`` with C = 1 or 3; see `open`."""

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return (height, width, channels), without decoding the pixels if the format allows it."""

    def signature(self, index: int) -> tuple[int, int]:
        """Return two non-negative numbers that change with the image (a file's size and modification time)."""


class ArrayImages:
    """Images in memory.

    Args:
        array: uint8 ``(N, H, W)`` or ``(N, H, W, C)`` with C = 1 or 3.
    """

    def __init__(self, array: NDArray[np.uint8]):
        if array.dtype != np.uint8 or array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
            raise DataError(f"Images must be uint8 (N, H, W) or (N, H, W, 1 or 3), not {array.dtype} {array.shape}.")
        self.array = array if array.ndim == 4 else array[..., None]

    def __len__(self) -> int:
        return len(self.array)

    def name(self, index: int) -> str:
        """Return ``image 17``."""
        return f"image {index}"

    def identity(self) -> str:
        """Return a digest of all pixels."""
        digest = hashlib.blake2b(str(self.array.shape).encode(), digest_size=16)
        for row in self.array:
            digest.update(np.ascontiguousarray(row).data)
        return digest.hexdigest()

    def open(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> Image.Image:
        """Return the image, of mode "L" or "RGB"; ``size`` and ``bits`` have no effect."""
        return from_array(self.array[index])

    def read(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> NDArray[np.uint8]:
        """Return the image, uint8 ``(H, W, C)``; ``size`` and ``bits`` have no effect."""
        result: NDArray[np.uint8] = self.array[index]
        return result

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return (height, width, channels)."""
        return self.array.shape[1:]

    def signature(self, index: int) -> tuple[int, int]:
        """Return two numbers of 63 bits from a digest of the pixels (BLAKE2b)."""
        digest = hashlib.blake2b(np.ascontiguousarray(self.array[index]).data, digest_size=16).digest()
        return (int.from_bytes(digest[:8], "little") >> 1, int.from_bytes(digest[8:], "little") >> 1)


class NamedFiles:
    """Files that are named by their paths.

    Args:
        root: The folder to which names are relative.
        paths: The files, below ``root`` or elsewhere.
    """

    def __init__(self, root: Path, paths: Sequence[Path]):
        self.root = root
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """Return the path relative to the data set's folder, with forward slashes."""
        path = self.paths[index]
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def signature(self, index: int) -> tuple[int, int]:
        """Return the file's size in bytes and its modification time in nanoseconds."""
        status = self.paths[index].stat()
        return (status.st_size, status.st_mtime_ns)


class FileImages(NamedFiles):
    """Images in files; the arguments are those of `NamedFiles`."""

    def identity(self) -> str:
        """Return the absolute path of the folder to which names are relative."""
        return os.path.abspath(self.root)

    def open(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> Image.Image:
        """Decode the file; see `opsin.data.decoding.open_image`."""
        return open_image(self.paths[index], size=size, bits=bits)

    def read(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> NDArray[np.uint8]:
        """Decode the file into an array, uint8 ``(H, W, C)``."""
        return read_image(self.paths[index], size=size, bits=bits)

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return (height, width, channels) from the file's header."""
        return image_size(self.paths[index])


class SomeImages:
    """A subset of another sequence of images, with the names unchanged.

    Args:
        images: All images.
        indices: int64 ``(M,)``; indices of the subset.
    """

    def __init__(self, images: Images, indices: NDArray[np.int64]):
        self.images = images
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """Return the name in the full sequence."""
        return self.images.name(int(self.indices[index]))

    def identity(self) -> str:
        """Return the identity of the full sequence; the names identify the subset."""
        return self.images.identity()

    def open(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> Image.Image:
        """Return the decoded image, of mode "L" or "RGB"."""
        return self.images.open(int(self.indices[index]), size, bits)

    def read(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> NDArray[np.uint8]:
        """Return the image, uint8 ``(H, W, C)``."""
        return self.images.read(int(self.indices[index]), size, bits)

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return (height, width, channels)."""
        return self.images.shape(int(self.indices[index]))

    def signature(self, index: int) -> tuple[int, int]:
        """Return the two numbers that change when the image changes."""
        return self.images.signature(int(self.indices[index]))
