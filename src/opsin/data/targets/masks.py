"""The targets of segmentation: a mask for each image, in files or decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from opsin.data.images import Images, SomeImages
from opsin.data.targets.base import ArrayTargets, EncodedArray, EncodedTargets, Motion, Progress, Requirement
from opsin.errors import DataError, unreadable_message

if TYPE_CHECKING:
    from opsin.data.preprocessing import Preprocessing

SEPARATOR = ";"


@dataclass(frozen=True)
class EncodedMasks(EncodedArray):
    """Masks at the size of the network's input, uint8 ``(N, H, W)``, `opsin.data.mask_codes.VOID` among them."""

    def move(self, motion: Motion) -> Self:
        """Return each pixel with the class of the pixel nearest to its input position."""
        from opsin.data.augment import sample

        moved = sample(self.data[:, None].float(), motion.grid, "nearest")[:, 0]
        return replace(self, data=moved.to(self.data.dtype))


class _ClassesShown(ArrayTargets):
    """What both containers of masks share: everything that follows from the classes that each mask shows."""

    task: ClassVar[str] = "segmentation"
    kind: ClassVar[str] = "class"

    def shown(self, classes: Sequence[str]) -> NDArray[np.bool_]:
        """Return whether any pixel of each mask has each class, bool ``(N, classes)``."""
        raise NotImplementedError

    def check_enough(self, name: str, classes: Sequence[str], needed: Requirement) -> None:
        """Check that there are two classes, and an image for each split."""
        if len(classes) < 2:
            raise DataError(f"{name}: the masks are of one class only, {classes[0]!r}; there is nothing to tell apart.")
        if len(self) < needed.number:
            raise DataError(
                f"{name} has {len(self)} training image{'s' * (len(self) != 1)}, but at least {needed.number} are "
                "needed, for training and for the other splits; add images with masks."
            )

    def check_trained(self, name: str, classes: Sequence[str], part: float = 1.0) -> None:
        """Check that the training masks show two classes at least; a missing rare class shows in the scores."""
        if self.shown(classes).any(axis=0).sum() < 2:
            raise DataError(f"{name}: the masks that are left to train on show one class only; more images are needed.")

    def strata(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the rarest class that each image shows."""
        shown = self.shown(classes)
        rarity = np.argsort(np.argsort(shown.sum(axis=0), kind="stable"), kind="stable")
        result: NDArray[np.int64] = np.where(shown, rarity, len(classes)).argmin(axis=1)
        return result

    def counts(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of images that show each class."""
        result: NDArray[np.int64] = self.shown(classes).sum(axis=0, dtype=np.int64)
        return result

    def kinds(self, classes: Sequence[str]) -> list[tuple[str, NDArray[np.int64]]]:
        """Return each class and the images that show it."""
        shown = self.shown(classes)
        return [(name, np.flatnonzero(shown[:, number])) for number, name in enumerate(classes)]

    def describe(self, classes: Sequence[str]) -> str:
        """Return the number of classes of pixels."""
        return f"masks of {len(classes)} classes"

    def text(self, row: int, classes: Sequence[str]) -> str:
        """Return the names of the classes that a mask shows, separated by semicolons."""
        [shown] = self.take([row]).shown(classes)
        return SEPARATOR.join(name for name, there in zip(classes, shown, strict=True) if there)

    def relabel(self, row: int, text: str, classes: Sequence[str]) -> Self:
        """Refuse: a mask cannot be written in words.

        Raises:
            DataError: Always.
        """
        raise DataError("has masks, which are mended in their files; decide to exclude or keep an image")

    def translate(self, name: str, classes: Sequence[str], known: Sequence[str], run: str) -> Self:
        """Return them as they are where the classes are the run's; see `Targets.translate`."""
        if tuple(classes) != tuple(known):
            raise DataError(
                f"{name} has masks of the classes {', '.join(classes)}, but {run} was trained on {', '.join(known)}; "
                "name them alike, in the same order (classes.txt)."
            )
        return self


@dataclass(frozen=True)
class MaskTargets(_ClassesShown):
    """Masks that are read one at a time.

    Attributes:
        values: bool ``(N, classes)``: whether any pixel of the mask is of a class.
        files: N masks of class numbers; `opsin.data.mask_codes` says what their values mean.
    """

    values: NDArray[np.bool_]
    files: Images

    def shown(self, classes: Sequence[str]) -> NDArray[np.bool_]:
        """Return `values`."""
        return self.values

    def take(self, rows: NDArray[np.int64] | slice | Sequence[int]) -> Self:
        """Return the masks of some images."""
        indices = np.arange(len(self))[rows]
        return replace(self, values=self.values[indices], files=SomeImages(self.files, indices))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Refuse: masks are joined when they are decoded (`DecodedMasks`).

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("masks in files are not joined")

    def checked(self, name: str, classes: Sequence[str]) -> Self:
        """Return them as they are; see `Targets.checked`."""
        values = np.asarray(self.values)
        if values.dtype != np.bool_ or values.ndim != 2 or values.shape[1] != len(classes):
            raise DataError(
                f"{name}: beside masks, labels must be bool (N, {len(classes)}), the classes that each mask shows, not "
                f"{values.dtype} {values.shape}."
            )
        if len(values) != len(self.files):
            raise DataError(
                f"{name}: {len(values):,} images but {len(self.files):,} masks; there must be one for each."
            )
        return self

    def reorder(self, order: Sequence[int]) -> Self:
        """Return them with the classes in another order."""
        return replace(self, values=self.values[:, list(order)])

    def encode(self, preprocessing: Preprocessing, progress: Progress | None = None) -> EncodedMasks:
        """Return the masks at the size of the network's input, uint8 ``(N, H, W)``.

        Raises:
            DataError: Masks cannot be read; they are named.
        """
        from opsin.data.pixels import load_pixels

        decoded = load_pixels(self.files, preprocessing.for_masks(), progress=progress)
        if decoded.unreadable:
            names = {self.files.name(index): reason for index, reason in decoded.unreadable.items()}
            raise DataError(unreadable_message("The masks", names, skippable=False))
        return EncodedMasks(decoded.images[..., 0])

    def at_input_size(self, encoded: EncodedTargets) -> DecodedMasks:  # type: ignore[override]
        """Return the encoded masks as targets."""
        return DecodedMasks(encoded.data.numpy())

    def digests(self, encoded: EncodedTargets) -> NDArray[np.uint64] | None:
        """Return digests of the decoded masks."""
        from opsin.data.pixels import digest_images

        return digest_images(encoded.data.numpy())

    def signature(self, row: int) -> str:
        """Return the name of the mask and what changes when its file does."""
        return f"{self.files.name(row)} {self.files.signature(row)}"


@dataclass(frozen=True)
class DecodedMasks(_ClassesShown):
    """Masks of one size.

    Attributes:
        values: uint8 ``(N, H, W)``, the class of each pixel; `opsin.data.mask_codes.VOID` is not counted.
    """

    values: NDArray[np.uint8]

    def shown(self, classes: Sequence[str]) -> NDArray[np.bool_]:
        """Return the classes found among the pixels of each mask."""
        found = [np.isin(np.arange(len(classes)), mask) for mask in self.values]
        return np.stack(found) if found else np.zeros((0, len(classes)), bool)

    def checked(self, name: str, classes: Sequence[str]) -> Self:
        """Return them as they are."""
        return self

    def reorder(self, order: Sequence[int]) -> Self:
        """Return them with the classes in another order; void stays void."""
        numbers = np.arange(256, dtype=np.uint8)
        numbers[list(order)] = np.arange(len(order))
        return replace(self, values=numbers[self.values])

    def encode(self, preprocessing: Preprocessing, progress: Progress | None = None) -> EncodedMasks:
        """Return the masks, which are at the size of the input already."""
        import torch

        return EncodedMasks(torch.from_numpy(self.values))

    def move(self, motion: Motion) -> Self:
        """Return the masks sampled on the grid."""
        import torch

        return replace(self, values=EncodedMasks(torch.from_numpy(self.values)).move(motion).data.numpy())
