"""Images with masks as files: two folders, one folder with a suffix, the layout of PASCAL VOC, or a CSV file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.csv_table import parse_table
from opsin.data.dataset import Dataset
from opsin.data.decoding import SUFFIXES, image_size, read_values
from opsin.data.images import TEST, TRAIN, VALIDATION
from opsin.data.mask_codes import (
    PIECES,
    MaskFiles,
    Seen,
    look_at_mask,
    read_colors,
    read_names,
    shown_classes,
    understand,
)
from opsin.data.readers.common import file_images, natural_key, refuse_column_names, split_of
from opsin.data.readers.table import files_in_column, path_column, split_in_column
from opsin.data.targets import MaskTargets
from opsin.errors import DataError, UnreadableImageError, unreadable_message

IMAGE_WORDS = frozenset({"image", "images", "img", "imgs", "jpegimages", "photos", "scans"})
MASK_WORDS = frozenset(
    {"mask", "masks", "label", "labels", "annotation", "annotations", "anno", "gt", "groundtruth", "ground_truth"}
    | {"segmentation", "segmentations", "segmentationclass", "seg"}
)
MASK_SUFFIXES = ("_anno", "_mask", "_masks", "_gt", "_seg", "_segmentation", "_label", "_labels")
MASK_COLUMNS = ("mask", "masks", "mask_path", "segmentation")

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """Images and the masks that belong to them.

    Attributes:
        root: The folder that names are relative to.
        images: N files.
        masks: N files.
        split: ``(N,)`` of words, or None.
        groups: ``(N,)`` of names, or None.
        notes: Sentences for the report.
    """

    root: Path
    images: list[Path]
    masks: list[Path]
    split: NDArray[np.str_] | None = None
    groups: NDArray[np.str_] | None = None
    notes: tuple[str, ...] = ()


def read_mask_folder(path: Path, *, label: str = "label", group: str = "group", masks: str = "auto") -> Dataset:
    """Read a folder of images and masks.

    Either folders ``images`` and ``masks`` (or other such words) hold files of equal names, or each mask lies beside
    its image and is called like it with ``_mask`` or ``_anno`` added. Folders called train, valid and test above or
    below are a given split. What the values of the masks mean, `opsin.data.mask_codes.understand` decides; ``classes.txt``
    names the classes 0, 1, ..., ``colors.csv`` or ``colors.toml`` the colors.

    Args:
        path: The folder.
        label: Must be left at its default: folders have no columns.
        group: Must be left at its default.
        masks: "auto", "classes" or "binary"; see `opsin.data.mask_codes.understand`.

    Raises:
        DataError: An image or a mask stands alone, sizes differ, a mask cannot be read or its values mean nothing.
    """
    refuse_column_names(path, "is a folder of images and masks", label, group)
    return combine(_pairs_below(path), path.resolve().name or "images", masks)


def read_voc(path: Path, *, label: str = "label", group: str = "group", masks: str = "auto") -> Dataset:
    """Read a folder in the layout of PASCAL VOC 2012: ``JPEGImages``, ``SegmentationClass``, ``ImageSets``.

    ``ImageSets/Segmentation/train.txt`` and ``val.txt`` are a given split; without ``test.txt``, whose masks are
    public nowhere, the images of ``val.txt`` are for test. Images without a mask are passed over: only some have one.

    Args:
        path: The folder.
        label: Must be left at its default.
        group: Must be left at its default.
        masks: "auto" and "classes": the 20 classes and the background; "binary": foreground and background.

    Raises:
        DataError: As for `read_mask_folder`.
    """
    refuse_column_names(path, "has the layout of PASCAL VOC", label, group)
    images = {file.stem: file for file in _image_files(path / "JPEGImages")}
    files = {file.stem: file for file in _image_files(path / "SegmentationClass")}
    lists = {
        split: _lines(path / "ImageSets" / "Segmentation" / f"{name}.txt")
        for name, split in (("train", TRAIN), ("val", VALIDATION), ("test", TEST))
    }
    given = {stem: split for split, stems in lists.items() for stem in stems}
    notes: tuple[str, ...] = ()
    if given and not lists[TEST]:
        given = {stem: TEST if split == VALIDATION else split for stem, split in given.items()}
        notes = ("The images of val.txt are for test, as the masks of the challenge's own test images are not public.",)
    stems = sorted(given or files, key=natural_key)
    for stem in stems:
        if stem not in files or stem not in images:
            folder = "SegmentationClass" if stem not in files else "JPEGImages"
            raise DataError(f"{path}: there is no file of {stem} in {folder}; add it, or take it out of ImageSets.")
    split = np.array([given[stem] for stem in stems]) if given else None
    pairs = Pairs(path, [images[stem] for stem in stems], [files[stem] for stem in stems], split, notes=notes)
    names = read_names(path) or VOC_CLASSES
    return combine(pairs, path.resolve().name or "voc", masks, names)


def read_mask_table(path: Path, *, label: str = "label", group: str = "group", masks: str = "auto") -> Dataset:
    """Read a CSV file with a column of images and one of masks: ``path,mask[,split][,group]``.

    Args:
        path: The CSV or TSV file, UTF-8.
        label: The column of masks; left at its default: mask, masks, mask_path or segmentation.
        group: The column of groups; a missing column ``group`` means that there are none.
        masks: "auto", "classes" or "binary"; see `opsin.data.mask_codes.understand`.

    Raises:
        DataError: A column, a value or a file is missing; or as for `read_mask_folder`.
    """
    table = parse_table(path, "path,mask")
    known = next((name for name in MASK_COLUMNS if table.find(name) is not None), MASK_COLUMNS[0])
    column = table.column(known if label == "label" else label)
    group_column = table.find(group) if group == "group" else table.column(group)
    split_column = table.find("split")
    pairs = Pairs(
        path.parent,
        files_in_column(table, path_column(table)),
        files_in_column(table, column),
        None if split_column is None else split_in_column(table, split_column),
        None if group_column is None else np.array(table.values(group_column)),
    )
    return combine(pairs, path.stem, masks)


def holds_masks(path: Path) -> bool:
    """Return whether a folder holds images and masks as `read_mask_folder` takes them, judged by names."""
    images, masks = _told_apart(path)
    return bool(masks) and len(set(images) & set(masks)) >= 0.5 * len(masks)


def holds_voc_masks(path: Path) -> bool:
    """Return whether a folder has the layout of PASCAL VOC with masks."""
    return (path / "JPEGImages").is_dir() and (path / "SegmentationClass").is_dir()


def is_table_of_masks(path: Path, label: str) -> bool:
    """Return whether a CSV file has a column of image paths and a column of masks, and none called ``label``."""
    try:
        table = parse_table(path)
        path_column(table)
    except DataError:
        return False
    has_labels = bool(label) and label not in MASK_COLUMNS and table.find(label) is not None
    return not has_labels and any(table.find(name) is not None for name in MASK_COLUMNS)


def combine(pairs: Pairs, name: str, masks: str, names: Sequence[str] | None = None) -> Dataset:
    """Look at every mask once and make the data set.

    Raises:
        DataError: A mask cannot be read, has another size than its image, is void throughout, or holds values that mean
            nothing.
    """
    root = Path(os.path.abspath(pairs.root))
    colors = read_colors(root)
    names = names or read_names(root)
    seen = _look_at(pairs, name, colors is not None)
    for image, mask in zip(pairs.images, seen, strict=True):
        _check_size(image, mask)
    classes, coding, notes = understand(name, seen, reading=masks, names=names, colors=colors)
    return Dataset(
        name=name,
        classes=classes,
        images=file_images(pairs.root, pairs.images),
        targets=MaskTargets(
            shown_classes(name, seen, coding, len(classes)),
            MaskFiles(root, [Path(os.path.abspath(mask)) for mask in pairs.masks], coding),
        ),
        split=pairs.split,
        groups=pairs.groups,
        notes=(*pairs.notes, *notes),
    )


def _look_at(pairs: Pairs, name: str, colors: bool) -> list[Seen]:
    """Look at every mask, in threads, as most of the time goes into decoding outside Python's lock."""
    pieces = set(np.unique(np.linspace(0, len(pairs.masks) - 1, PIECES).astype(int)).tolist())

    def look(index: int) -> Seen | UnreadableImageError:
        file = pairs.masks[index]
        called = file.relative_to(pairs.root).as_posix() if file.is_relative_to(pairs.root) else file.as_posix()
        try:
            return look_at_mask(called, read_values(file, colors), index in pieces and not colors)
        except UnreadableImageError as error:
            return error

    with ThreadPoolExecutor() as threads:
        found = list(threads.map(look, range(len(pairs.masks))))
    broken = {str(error.path): error.reason for error in found if isinstance(error, UnreadableImageError)}
    if broken:
        raise DataError(unreadable_message(f"{name}: the masks", broken, skippable=False))
    return [mask for mask in found if isinstance(mask, Seen)]


def _check_size(image: Path, mask: Seen) -> None:
    try:
        height, width, _ = image_size(image)
    except UnreadableImageError:
        return  # decoding names it, and leaves it out where the recipe says so
    if (height, width) != mask.size:
        raise DataError(
            f"The mask {mask.name} has {mask.size[1]}×{mask.size[0]} pixels, but its image {image.name} has "
            f"{width}×{height}; both must have one size."
        )


def _pairs_below(path: Path) -> Pairs:
    images, masks = _told_apart(path)
    lonely = sorted(set(masks) - set(images))
    if lonely:
        mask = masks[lonely[0]].relative_to(path).as_posix()
        raise DataError(
            f"{path}: the mask {mask} has no image of the same name{_more(lonely)}; add the image or remove the mask."
        )
    missing = sorted(set(images) - set(masks))
    if missing:
        image = images[missing[0]].relative_to(path).as_posix()
        raise DataError(
            f"{path}: the image {image} has no mask{_more(missing)}; add one, black where there is nothing, or move "
            "the image elsewhere."
        )
    if not images:
        raise DataError(
            f"{path} holds no images with masks; put images and masks of equal names into the folders images and "
            "masks, or give masks the name of their image with _mask added."
        )
    keys = sorted(images, key=lambda key: natural_key("/".join(key)))
    words = [next((word for part in key[:-1] if (word := split_of(part))), None) for key in keys]
    known = [word for word in words if word]
    split = np.array(known) if len(known) == len(keys) and len(set(known)) > 1 else None
    return Pairs(path, [images[key] for key in keys], [masks[key] for key in keys], split)


def _more(keys: Sequence[object]) -> str:
    return f" (and {len(keys) - 1:,} more)" if len(keys) > 1 else ""


def _told_apart(path: Path) -> tuple[dict[tuple[str, ...], Path], dict[tuple[str, ...], Path]]:
    """Return images and masks below a folder; those that belong together have the same key."""
    files = [(file, file.relative_to(path).parts) for file in _image_files(path)]
    words = {part.lower() for _, parts in files for part in parts[:-1]}
    images: dict[tuple[str, ...], Path] = {}
    masks: dict[tuple[str, ...], Path] = {}
    folders = bool(words & MASK_WORDS)
    for file, parts in files:
        lower = [part.lower() for part in parts[:-1]]
        stem, is_mask = _without_suffix(file.stem)
        if folders:
            is_mask = bool(MASK_WORDS & set(lower))
            if not is_mask and not IMAGE_WORDS & set(lower) and words & IMAGE_WORDS:
                continue  # a picture that is neither, such as an overview beside the two folders
        rest = tuple(part for part, word in zip(parts[:-1], lower, strict=True) if word not in IMAGE_WORDS | MASK_WORDS)
        (masks if is_mask else images)[(*rest, stem if is_mask else file.stem)] = file
    return images, masks


def _without_suffix(stem: str) -> tuple[str, bool]:
    """Return the name of the image that a mask is called after, and whether the name is that of a mask."""
    found = next((suffix for suffix in MASK_SUFFIXES if stem.lower().endswith(suffix)), "")
    return (stem[: -len(found)], True) if found and len(stem) > len(found) else (stem, False)


def _image_files(path: Path) -> Iterable[Path]:
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [words[0] for line in path.read_text(encoding="utf-8").splitlines() if (words := line.split())]
