"""Reader of images with mask files: two folders, one folder with a suffix, the PASCAL VOC layout, or a CSV file."""

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
    OBJECT_CHECKS,
    MaskFiles,
    MaskSummary,
    read_colors,
    read_names,
    resolve_mask_coding,
    shown_classes,
    summarize_mask,
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
    """Images and their masks.

    Attributes:
        root: The folder to which names are relative.
        images: N files.
        masks: N files.
        split: ``(N,)``, split of each image, or None.
        groups: ``(N,)``, group of each image, or None.
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

    Either folders ``images`` and ``masks`` (or similar names) contain files of equal names, or each mask is next to its
    image and has its name with ``_mask`` or ``_anno`` added. Folders called train, valid and test above or below are a
    given split. ``classes.txt`` names the classes 0, 1, ..., ``colors.csv`` or ``colors.toml`` their colors.

    Args:
        path: The folder.
        label: Must be left at its default: folders have no columns.
        group: Must be left at its default.
        masks: "auto", "classes" or "binary"; see `opsin.data.mask_codes.resolve_mask_coding`.

    Raises:
        DataError: An image has no mask or vice versa, sizes differ, a mask cannot be read, or its values have no class.
    """
    refuse_column_names(path, "is a folder of images and masks", label, group)
    return build_dataset(_pairs_below(path), path.resolve().name or "images", masks)


def read_voc(path: Path, *, label: str = "label", group: str = "group", masks: str = "auto") -> Dataset:
    """Read a folder in the layout of PASCAL VOC 2012: ``JPEGImages``, ``SegmentationClass``, ``ImageSets``.

    ``ImageSets/Segmentation/train.txt`` and ``val.txt`` are a given split; without ``test.txt``, whose masks are not
    public, the images of ``val.txt`` are the test split. Images without a mask, which are most, are skipped.

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
        notes = (
            "The images of val.txt are the test split, because the test images of the challenge have no public masks.",
        )
    stems = sorted(given or files, key=natural_key)
    for stem in stems:
        if stem not in files or stem not in images:
            folder = "SegmentationClass" if stem not in files else "JPEGImages"
            raise DataError(f"{path}: {folder} has no file for {stem}; add it, or remove {stem} from ImageSets.")
    split = np.array([given[stem] for stem in stems]) if given else None
    pairs = Pairs(path, [images[stem] for stem in stems], [files[stem] for stem in stems], split, notes=notes)
    names = read_names(path) or VOC_CLASSES
    return build_dataset(pairs, path.resolve().name or "voc", masks, names)


def read_mask_table(path: Path, *, label: str = "label", group: str = "group", masks: str = "auto") -> Dataset:
    """Read a CSV file with a column of images and one of masks: ``path,mask[,split][,group]``.

    Args:
        path: The CSV or TSV file, UTF-8.
        label: The column of masks; by default mask, masks, mask_path or segmentation.
        group: The column of groups; the default column ``group`` may be missing.
        masks: "auto", "classes" or "binary"; see `opsin.data.mask_codes.resolve_mask_coding`.

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
    return build_dataset(pairs, path.stem, masks)


def holds_masks(path: Path) -> bool:
    """Return whether a folder contains images and masks for `read_mask_folder`, by file name."""
    images, masks = _separate(path)
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


def build_dataset(pairs: Pairs, name: str, masks: str, names: Sequence[str] | None = None) -> Dataset:
    """Summarize every mask and build the data set.

    Raises:
        DataError: A mask cannot be read, differs in size from its image, is entirely void, or has values without a
            class.
    """
    root = Path(os.path.abspath(pairs.root))
    colors = read_colors(root)
    names = names or read_names(root)
    seen = _summarize_masks(pairs, name, colors is not None)
    for image, mask in zip(pairs.images, seen, strict=True):
        _check_size(image, mask)
    classes, coding, notes = resolve_mask_coding(name, seen, mode=masks, names=names, colors=colors)
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


def _summarize_masks(pairs: Pairs, name: str, colors: bool) -> list[MaskSummary]:
    """Summarize every mask in threads: most of the time is spent decoding, which releases the GIL."""
    checked = set(np.unique(np.linspace(0, len(pairs.masks) - 1, OBJECT_CHECKS).astype(int)).tolist())

    def summarize(index: int) -> MaskSummary | UnreadableImageError:
        file = pairs.masks[index]
        called = file.relative_to(pairs.root).as_posix() if file.is_relative_to(pairs.root) else file.as_posix()
        try:
            return summarize_mask(called, read_values(file, colors), index in checked and not colors)
        except UnreadableImageError as error:
            return error

    with ThreadPoolExecutor() as threads:
        found = list(threads.map(summarize, range(len(pairs.masks))))
    broken = {str(error.path): error.reason for error in found if isinstance(error, UnreadableImageError)}
    if broken:
        raise DataError(unreadable_message(f"{name}: the masks", broken, skippable=False))
    return [mask for mask in found if isinstance(mask, MaskSummary)]


def _check_size(image: Path, mask: MaskSummary) -> None:
    try:
        height, width, _ = image_size(image)
    except UnreadableImageError:
        return  # reported when the image is decoded
    if (height, width) != mask.size:
        raise DataError(
            f"The mask {mask.name} has {mask.size[1]}×{mask.size[0]} pixels, but its image {image.name} has "
            f"{width}×{height}; both must have the same size."
        )


def _pairs_below(path: Path) -> Pairs:
    images, masks = _separate(path)
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
            f"{path}: the image {image} has no mask{_more(missing)}; add one (black for background only), or move the "
            "image elsewhere."
        )
    if not images:
        raise DataError(
            f"{path} contains no images with masks; put images and masks of equal names into the folders images and "
            "masks, or name each mask like its image with _mask added."
        )
    keys = sorted(images, key=lambda key: natural_key("/".join(key)))
    words = [next((word for part in key[:-1] if (word := split_of(part))), None) for key in keys]
    known = [word for word in words if word]
    split = np.array(known) if len(known) == len(keys) and len(set(known)) > 1 else None
    return Pairs(path, [images[key] for key in keys], [masks[key] for key in keys], split)


def _more(keys: Sequence[object]) -> str:
    return f" (and {len(keys) - 1:,} more)" if len(keys) > 1 else ""


def _separate(path: Path) -> tuple[dict[tuple[str, ...], Path], dict[tuple[str, ...], Path]]:
    """Return the images and the masks below a folder; an image and its mask have the same key."""
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
                continue  # an image that is neither, such as an overview next to the two folders
        rest = tuple(part for part, word in zip(parts[:-1], lower, strict=True) if word not in IMAGE_WORDS | MASK_WORDS)
        (masks if is_mask else images)[(*rest, stem if is_mask else file.stem)] = file
    return images, masks


def _without_suffix(stem: str) -> tuple[str, bool]:
    """Return the name of a mask's image, and whether the name is that of a mask."""
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
