"""Reading of data sets by path or name: format detection, choice of the reader, and checks for training."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from opsin.data import catalog
from opsin.data.dataset import Dataset, apply_decisions
from opsin.data.decisions import default_path, is_decisions_file, read_decisions
from opsin.data.decoding import SUFFIXES
from opsin.data.images import SPLITS, TEST, TRAIN, VALIDATION
from opsin.data.readers.arrays import read_arrays
from opsin.data.readers.cifar import holds_cifar, holds_pickled_cifar, read_cifar
from opsin.data.readers.common import join_some, join_words
from opsin.data.readers.folders import has_loose_images, image_folders, read_folders
from opsin.data.readers.idx import holds_idx, is_idx, read_idx
from opsin.data.readers.mask_arrays import holds_mask_arrays, read_mask_arrays
from opsin.data.readers.mask_files import (
    holds_masks,
    holds_voc_masks,
    is_table_of_masks,
    read_mask_folder,
    read_mask_table,
    read_voc,
)
from opsin.data.readers.table import is_table_of_images, read_table
from opsin.data.targets import Requirement
from opsin.errors import DataError, nearest

READERS: dict[str, Callable[..., Dataset]] = {
    "class folders": read_folders,
    "CSV": read_table,
    "npz": read_arrays,
    "IDX": read_idx,
    "CIFAR": read_cifar,
}

TASK_AWARE = ("CSV", "npz")  # formats for several tasks; their readers also take ``task``
# Formats with a mask for each image; their readers also take ``masks``.
MASK_READERS: dict[str, Callable[..., Dataset]] = {
    "images and masks": read_mask_folder,
    "PASCAL VOC": read_voc,
    "CSV of masks": read_mask_table,
    "npz of masks": read_mask_arrays,
}

_TABLES = frozenset({".csv", ".tsv"})
_ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"})
_KNOWN = "a folder of class folders, a CSV file, an npz file or IDX files"


def read_dataset(
    source: str | Path,
    *,
    label: str = "label",
    group: str = "group",
    data_root: str | Path | None = None,
    decisions: str | Path = "",
    check: bool = True,
    task: str | None = None,
    masks: str = "auto",
) -> Dataset:
    """Read a data set from a path or by its name.

    An existing path takes precedence over a name. No image file is opened, so unreadable files are found only when the
    images are decoded.

    Args:
        source: A folder of class folders, a CSV, npz or IDX file, a folder of IDX or CIFAR files, or the name of a data
            set of the catalog.
        label: The column or array with the labels.
        group: The column or array whose equal values (patient, slide, video) stay on one side of a split.
        data_root: The folder with named data sets; see `opsin.data.catalog.find`.
        decisions: A file of decisions about single images (`opsin.data.decisions`) to apply; by default
            ``decisions.csv`` in the folder, or ``scans.decisions.csv`` next to the file ``scans.csv``, if it exists.
        check: Whether to require at least two classes with enough images (`check_classes`); not needed for data that
            are only scored.
        task: The task; None: segmentation if there are masks, otherwise inferred from the labels.
        masks: Coding of masks: "auto", "classes" or "binary"; see `opsin.data.mask_codes.resolve_mask_coding`.

    Returns:
        The data set.

    Raises:
        DataError: The data set does not exist, cannot be read, or cannot be trained on.
    """
    if not str(source).strip():
        raise DataError(f"The path of the data is empty; give {_KNOWN}, or the name of a data set such as 'digits'.")
    path = Path(source).expanduser()
    if os.path.lexists(path):
        dataset = _read_path(path, label, group, task, masks)
        decisions = decisions or (default if (default := default_path(path)).exists() else "")
    elif str(source) in catalog.CATALOG:
        dataset = catalog.read_named(str(source), data_root, label=label, group=group)
    else:
        raise DataError(_not_found_message(str(source), path))
    if task not in (None, dataset.task):
        masked = os.path.lexists(path) and _detect_masks(path, "") is not None
        has = "contains images and masks" if masked else f"is labeled for {dataset.task}"
        raise DataError(
            f"{source} {has} and cannot be used for {task}; list the images in a CSV file with the columns path,label."
        )
    if decisions:
        dataset = apply_decisions(dataset, read_decisions(Path(decisions).expanduser()))
    if check:
        check_classes(dataset)
    return dataset


def _read_path(path: Path, label: str, group: str, task: str | None, masks: str) -> Dataset:
    found = detect(path, label=label, group=group, task=task)
    if found.format in MASK_READERS:
        dataset = MASK_READERS[found.format](found.path, label=label, group=group, masks=masks)
    else:
        options = {"task": task} if found.format in TASK_AWARE else {}
        dataset = READERS[found.format](found.path, label=label, group=group, **options)
    return replace(dataset, notes=(*found.notes, *dataset.notes))


class DetectedFormat(NamedTuple):
    """Format of the data at a path.

    Attributes:
        format: A key of `READERS` or of `MASK_READERS`.
        path: The path to read: the given path, or the relevant file in the folder.
        notes: Sentences for the report on how the format was chosen.
    """

    format: str
    path: Path
    notes: tuple[str, ...] = ()


def detect(path: Path, *, label: str = "label", group: str = "group", task: str | None = None) -> DetectedFormat:
    """Detect the format of a file or folder.

    Args:
        path: An existing file or folder.
        label: Name of the label column; a CSV file in a folder of images is used only if it has that column.
        group: Name of the group column; a name other than the default selects the CSV file.
        task: The task; None: masks are used if no label column is named.

    Raises:
        DataError: The format is unknown or ambiguous.
    """
    try:
        if task == "segmentation" or (task is None and label == "label"):
            if (found := _detect_masks(path, label if task is None else "")) is not None:
                return found
        if task == "segmentation":
            raise DataError(
                f"{path} contains no images with masks; give a folder with images and masks of equal names, a CSV file "
                "with the columns path,mask, or an npz file with images and masks."
            )
        return _detect_folder(path, label, group) if path.is_dir() else _detect_file(path)
    except PermissionError as error:
        raise DataError(f"{path} cannot be read: permission denied.") from error


def _detect_masks(path: Path, label: str) -> DetectedFormat | None:
    """Return the format if each image has a mask, or None; a table with a column ``label`` does not count as masks."""
    if path.is_file():
        if path.suffix.lower() in _TABLES and is_table_of_masks(path, label):
            return DetectedFormat("CSV of masks", path)
        return (
            DetectedFormat("npz of masks", path) if path.suffix.lower() == ".npz" and holds_mask_arrays(path) else None
        )
    if holds_voc_masks(path):
        return DetectedFormat("PASCAL VOC", path)
    files = sorted(file for file in path.glob("*.*") if file.suffix.lower() in {*_TABLES, ".npz"})
    found = [inside for file in files if (inside := _detect_masks(file, label)) is not None]
    if len(found) == 1:
        return found[0]._replace(notes=(f"Images and masks are read from {found[0].path.name} in the folder.",))
    return DetectedFormat("images and masks", path) if holds_masks(path) else None


def _detect_file(path: Path) -> DetectedFormat:
    if not path.exists():
        raise DataError(f"{path} is a broken link: its target does not exist; repair the link or give the target.")
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        return DetectedFormat("CSV", path)
    if suffix == ".npz":
        return DetectedFormat("npz", path)
    if is_idx(path):
        return DetectedFormat("IDX", path)
    if suffix in SUFFIXES:
        raise DataError(f"{path} is a single image; give {_KNOWN}.")
    if suffix in _ARCHIVES:
        raise DataError(f"{path} is an archive; unpack it and give the folder.")
    if suffix in (".xls", ".xlsx", ".ods"):
        raise DataError(f"{path} is a spreadsheet; save it as 'CSV UTF-8' and give that file.")
    raise DataError(f"{path} has an unknown format; give {_KNOWN}.")


def _detect_folder(path: Path, label: str, group: str) -> DetectedFormat:
    if holds_idx(path):
        return DetectedFormat("IDX", path)
    if holds_cifar(path) or holds_pickled_cifar(path):
        return DetectedFormat("CIFAR", path)
    classes = image_folders(path)
    files = sorted(file for file in path.iterdir() if file.name[0] != "." and not is_decisions_file(file))
    tables = [file for file in files if file.suffix.lower() in _TABLES]
    arrays = sorted(path.glob("*.npz"))
    if len(arrays) == 1 and not tables and not classes and not has_loose_images(path):
        return DetectedFormat("npz", arrays[0], (f"The data are read from {arrays[0].name} in the folder.",))
    readable = [table for table in tables if is_table_of_images(table, label)]
    named = (label, group) != ("label", "group")
    only_images = not classes or (len(classes) == 1 and has_loose_images(path / classes[0]))
    if tables and (named or only_images):
        if len(tables) > 1 and len(readable) != 1:
            raise DataError(f"{path} contains several CSV files; give one of them: {join_some(tables)}.")
        table = (readable or tables)[0]
        return DetectedFormat("CSV", table, (f"Images and labels are read from {table.name} in the folder.",))
    if readable:
        raise DataError(
            f"{path} contains class folders ({join_some(classes)}) and {readable[0].name} with the column {label!r}; "
            f"give {readable[0]} to use its labels, or move it elsewhere to use the folders."
        )
    return DetectedFormat("class folders", path)


def _not_found_message(source: str, path: Path) -> str:
    hint = nearest(source, catalog.CATALOG)
    try:
        siblings = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        siblings = []
    hint = nearest(path.name, siblings) or hint
    if not path.parent.exists():
        hint = f" (nor does the folder {path.parent})"
    return f"{source} does not exist{hint} and is not a data set of the catalog; `opsin datasets` lists those."


def check_classes(dataset: Dataset) -> None:
    """Check that a data set can be trained on.

    Training, validation and test each need an image of every class. Splits that are not given are drawn from the
    training images, so one to three images per class are required there.

    Raises:
        DataError: There is only one class, or a class has too few training images.
    """
    if not len(dataset):
        raise DataError(f"{dataset.name} contains no images; check the path and the labels.")
    given = set(SPLITS) if dataset.split is None else set(np.unique(dataset.split).tolist())
    if TRAIN not in given:
        raise DataError(f"{dataset.name} has no training images, only {join_words(sorted(given))}; check its split.")
    training = dataset.targets if dataset.split is None else dataset.targets.take(dataset.split == TRAIN)
    others = tuple(split for split in (VALIDATION, TEST) if dataset.split is None or split not in given)
    needed = Requirement(1 + len(others), others, dataset.split is not None)
    training.check_enough(dataset.name, dataset.classes, needed)
