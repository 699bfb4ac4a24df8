"""The data set: samples (an image and its target), class names, and what is known of their groups and split."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.data.decoding import from_array, image_size, open_image, read_image
from opsin.data.targets import TARGETS, Targets
from opsin.errors import DataError, nearest

if TYPE_CHECKING:
    from opsin.data.decisions import Decisions

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


@dataclass(frozen=True)
class DataSet:
    """Labelled images.

    Attributes:
        name: A short name for run folders and reports.
        classes: Names of what the network puts out: of classes, of labels, or of the one value.
        images: N images.
        labels: ``(N, ...)``, what is true of each image in the form of the task (`opsin.data.targets`); for
            classification integers ``(N,)``, each an index into ``classes``, kept as int64.
        split: ``(N,)`` of "train", "validation", "test" or "unused" where the data come with a split, else None.
        groups: ``(N,)`` of names that stay on one side of every split (patient, slide, video); None: each on its own.
        symmetry: Which mirror images are still the same thing; None: not known.
        notes: Sentences for the report on what was found or decided while reading.
        left_out: Names of images left out because they cannot be read, each with the reason.
        decisions: What a person decided about single images, applied already; None where nothing was.
        task: What is to be learned, a key of `opsin.data.targets.TARGETS`.
        masks: N masks, where what is to be learned of an image is an image itself; None for all other tasks.

    Raises:
        DataError: There are no images, not one label, split word and group for each, or labels, split words or class
            names that are not as above.
    """

    name: str
    classes: tuple[str, ...]
    images: Images
    labels: NDArray
    split: NDArray[np.str_] | None = None
    groups: NDArray[np.str_] | None = None
    symmetry: Symmetry | None = None
    notes: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    decisions: Decisions | None = None
    task: str = "classification"
    masks: Images | None = None

    def __post_init__(self) -> None:
        number = len(self.images)
        if not number:
            raise DataError(f"{self.name} holds no images; check the path and the labels.")
        for what, values in (
            ("labels", self.labels),
            ("split", self.split),
            ("groups", self.groups),
            ("masks", self.masks),
        ):
            if values is not None and len(values) != number:
                raise DataError(
                    f"{self.name}: {number:,} images but {len(values):,} {what}; there must be one for each."
                )
        self._check_labels()
        if self.split is not None:
            self._check_split(self.split)

    def _check_labels(self) -> None:
        """Make sure that each output has a name of its own and the targets are as the task has them."""
        if self.task not in TARGETS:
            raise DataError(
                f"{self.name}: there is no task {self.task!r}{nearest(self.task, TARGETS)}; there are "
                f"{', '.join(TARGETS)}."
            )
        twice = [name for name, count in Counter(self.classes).items() if count > 1]
        if twice:
            raise DataError(f"{self.name}: the class {twice[0]!r} is named twice; each class needs a name of its own.")
        object.__setattr__(self, "labels", TARGETS[self.task].checked(self.name, self.labels, self.classes))

    def _check_split(self, split: NDArray[np.str_]) -> None:
        """Make sure that every image is for training, validation or test, or for none of them."""
        unknown = sorted(set(map(str, np.asarray(split).tolist())) - {*SPLITS, UNUSED})
        if unknown:
            raise DataError(
                f"{self.name}: the split must say train, validation or test for each image, "
                f"not {unknown[0]!r}{nearest(unknown[0], SPLITS)}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, indices: NDArray[np.int64]) -> DataSet:
        """Return the data set of the samples at ``indices`` (int64 ``(M,)``), in that order."""

        def pick(values: NDArray | None) -> NDArray | None:
            return None if values is None else values[indices]

        return replace(
            self,
            images=SomeImages(self.images, indices),
            labels=self.labels[indices],
            split=pick(self.split),
            groups=pick(self.groups),
            masks=None if self.masks is None else SomeImages(self.masks, indices),
        )

    @property
    def form(self) -> Targets:
        """The form of the targets, which knows what can be asked of them."""
        return TARGETS[self.task]

    @property
    def strata(self) -> NDArray[np.int64]:
        """The kind of each sample, int64 ``(N,)``; every part of a split holds as much of each kind."""
        return self.form.strata(self.labels, self.classes)

    def counts(self) -> NDArray[np.int64]:
        """Return the number of samples that show each class, int64 ``(classes,)``; ``(0,)`` where there are none."""
        return self.form.counts(self.labels, self.classes)

    def kinds(self) -> list[tuple[str, NDArray[np.int64]]]:
        """Return what people sort the samples by (classes, labels, ranges), each with its samples, int64."""
        return self.form.kinds(self.labels, self.classes)

    def describe(self) -> str:
        """Say in a few words what is learned: ``3 classes``, ``age from 0 to 90``."""
        return self.form.describe(self.labels, self.classes)

    def text(self, index: int) -> str:
        """Write what is true of one sample: its class, its labels, its value."""
        return self.form.text(self.labels[index], self.classes)


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
