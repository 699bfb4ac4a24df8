"""Images: sequences that are read one at a time, and the words for the splits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.data.decoding import from_array, image_size, open_image, read_image
from opsin.errors import DataError

if TYPE_CHECKING:
    pass


TRAIN, VALIDATION, TEST = "train", "validation", "test"


SPLITS = (TRAIN, VALIDATION, TEST)


UNUSED = "unused"  # kept out of all three


# What may be mirrored without becoming something else: nothing (characters), left and right (photographs), or any
# direction (microscopy, aerial views).
Symmetry = Literal["none", "mirror", "any"]


class Images(Protocol):
    """A sequence of images that are read one at a time."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return what a person calls this image: a path relative to the data set, or ``image 17``."""

    def identity(self) -> str:
        """Return text that differs between sequences whose images are not the same, even if their names are."""

    def open(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> Image.Image:
        """Return the decoded image, of mode "L" or "RGB".

        Args:
            index: Which image.
            size: A hint: the caller shrinks the image to (height, width) afterwards, so that a JPEG may be decoded at
                reduced scale, though never below this size.
            bits: Bits in use in 16-bit images.

        Raises:
            UnreadableImageError: The image cannot be read.
        """

    def read(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> NDArray[np.uint8]:
        """Return the image as an array, uint8 ``(H, W, C)`` with C = 1 or 3; see `open`."""

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return (height, width, channels) without decoding the pixels, where the format allows it."""

    def signature(self, index: int) -> tuple[int, int]:
        """Return two numbers, 0 or more, that change when the image changes (a file's size and modification time)."""


class ArrayImages:
    """Images that are in memory already.

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
        return self.array[index]

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return (height, width, channels)."""
        return self.array.shape[1:]

    def signature(self, index: int) -> tuple[int, int]:
        """Return two numbers of 63 bits from a digest of the pixels (BLAKE2b)."""
        digest = hashlib.blake2b(np.ascontiguousarray(self.array[index]).data, digest_size=16).digest()
        return (int.from_bytes(digest[:8], "little") >> 1, int.from_bytes(digest[8:], "little") >> 1)


class NamedFiles:
    """Files that are called by their paths.

    Args:
        root: The folder that names are relative to.
        paths: The files, below ``root`` or anywhere else.
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
    """Images that are files; the arguments are those of `NamedFiles`."""

    def identity(self) -> str:
        """Return the folder that names are relative to, in full."""
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
    """Some of the images of another sequence, each under its own name.

    Args:
        images: All images.
        indices: int64 ``(M,)``; which of them.
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
        """Return the full sequence's identity; which of its images these are, their names say."""
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
