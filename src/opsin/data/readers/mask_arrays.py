"""Reader of NumPy arrays of images and masks in an ``.npz`` file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.mask_codes import OBJECT_CHECKS, resolve_mask_coding, shown_classes, summarize_mask
from opsin.data.readers.arrays import LABEL_WORDS, Arrays, gather_arrays, opened_arrays, parts_of, pixels_of
from opsin.data.targets import MaskTargets
from opsin.errors import DataError

MASK_WORDS = ("masks", "mask")


def read_mask_arrays(path: Path, *, label: str = "label", group: str = "group", masks: str = "auto") -> Dataset:
    """Read an ``.npz`` file of images and masks, in the layouts of `read_arrays` with masks instead of labels.

    Args:
        path: The file. Masks are integers or booleans ``(N, H, W)`` or ``(N, H, W, 1)``, of the size of the images.
        label: Name of the array of masks, as in `read_arrays`; by default masks, mask, labels or y.
        group: Name of the array of groups, as in `read_arrays`.
        masks: "auto", "classes" or "binary"; see `opsin.data.mask_codes.resolve_mask_coding`. An array ``classes`` or
            ``class_names`` names the classes 0, 1, ...

    Raises:
        DataError: The file is damaged, an array is missing, or has a wrong shape, type or values.
    """
    with opened_arrays(path) as arrays:
        words = (*MASK_WORDS, *LABEL_WORDS) if label == "label" else (label, f"{label}s")
        found = gather_arrays(arrays, words, group, _masks_of)
        named = arrays.find("classes") or arrays.find("class_names")
        names = None if named is None else tuple(arrays.load(named).astype(str).reshape(-1).tolist())
    seen = [
        summarize_mask(f"{index} of {path.name}", mask, index < OBJECT_CHECKS)
        for index, mask in enumerate(found.labels)
    ]
    classes, coding, notes = resolve_mask_coding(path.stem, seen, mode=masks, names=names)
    return Dataset(
        name=path.stem,
        classes=classes,
        images=ArrayImages(found.images),
        targets=MaskTargets(
            shown_classes(path.stem, seen, coding, len(classes)), ArrayImages(coding.apply(found.labels))
        ),
        split=found.split,
        groups=found.groups,
        notes=(*found.notes, *notes),
    )


def holds_mask_arrays(path: Path) -> bool:
    """Return whether an npz file contains an array of masks, by its name or by labels with a value per pixel."""
    try:
        with opened_arrays(path) as arrays:
            part = parts_of(arrays)[0]
            name = part.find(arrays, LABEL_WORDS)
            return part.find(arrays, MASK_WORDS) is not None or (name is not None and arrays.load(name).ndim >= 3)
    except DataError:
        return False


def _masks_of(arrays: Arrays, name: str, number: int, images: str) -> NDArray[Any]:
    """Return masks, integers ``(N, H, W)``, of the size of the images."""
    values = arrays.load(name)
    where = f"{arrays.path}: the array {name!r}"
    values = values[..., 0] if values.ndim == 4 and values.shape[3] == 1 else values
    wanted = (number, *pixels_of(arrays, images)[0].shape[1:3])
    if values.shape != wanted:
        raise DataError(f"{where} has the shape {values.shape}, but the masks of {images!r} must have {wanted}.")
    if values.dtype.kind == "f" and (values == np.rint(values)).all():
        values = values.astype(np.int64)
    if values.dtype.kind not in "biu":
        raise DataError(f"{where} has the type {values.dtype}; save masks as integers, one per class.")
    return values.astype(np.uint8) if values.dtype.kind == "b" else values
