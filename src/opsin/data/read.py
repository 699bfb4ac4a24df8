"""From a path or a name to a data set: which format it is, which reader reads it, and whether it can be trained on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from opsin.data import catalog
from opsin.data.dataset import Dataset, apply_decisions
from opsin.data.decisions import default_place, is_decisions_file, read_decisions
from opsin.data.decoding import SUFFIXES
from opsin.data.images import SPLITS, TEST, TRAIN, VALIDATION
from opsin.data.readers.arrays import read_arrays
from opsin.data.readers.cifar import holds_cifar, holds_pickled_cifar, read_cifar
from opsin.data.readers.common import listed, spoken
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

TELL_TASKS = ("CSV", "npz")  # formats that may hold other targets than classes
# Formats with a mask for each image; their readers take ``masks`` beside what all take.
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

    A path that exists wins over a name. No image file is opened, so that unreadable ones come to light when the images
    are decoded.

    Args:
        source: A folder of class folders, a CSV, npz or IDX file, a folder of IDX or CIFAR files, or the name of a data
            set of the catalogue.
        label: The column or array that holds the class.
        group: The column or array whose equal values (patient, slide, video) stay on one side of a split.
        data_root: The folder that holds named data sets; see `opsin.data.catalog.find`.
        decisions: A file of decisions about single images (`opsin.data.decisions`), which are applied; left out:
            ``decisions.csv`` in the folder, or ``scans.decisions.csv`` beside the file ``scans.csv``, where there is
            one.
        check: Whether to require two classes with enough images each (`check_classes`), which data that are only
            scored need not have.
        task: What is to be learned; left out, segmentation where there are masks, else as the labels are.
        masks: What the values of masks mean: "auto", "classes" or "binary" (`opsin.data.mask_codes.understand`).

    Returns:
        The data set.

    Raises:
        DataError: There is no such data set, it cannot be read, or it cannot be trained on.
    """
    if not str(source).strip():
        raise DataError(f"No data were given; give {_KNOWN}, or the name of a data set such as 'digits'.")
    path = Path(source).expanduser()
    if os.path.lexists(path):
        found = detect(path, label=label, group=group, task=task)
        if found.format in MASK_READERS:
            dataset = MASK_READERS[found.format](found.path, label=label, group=group, masks=masks)
        else:
            several = {"task": task} if found.format in TELL_TASKS else {}
            dataset = READERS[found.format](found.path, label=label, group=group, **several)
        dataset = replace(dataset, notes=(*found.notes, *dataset.notes))
        decisions = decisions or (place if (place := default_place(path)).exists() else "")
    elif str(source) in catalog.CATALOGUE:
        dataset = catalog.read_named(str(source), data_root, label=label, group=group)
    else:
        raise DataError(_unknown(str(source), path))
    if task not in (None, dataset.task):
        masked = os.path.lexists(path) and _detect_masks(path, "") is not None
        has = "holds images and masks" if masked else f"is labelled for {dataset.task}"
        raise DataError(
            f"{source} {has}, so that {task} cannot be learned from it; list the images in a CSV file with the columns "
            "path,label."
        )
    if decisions:
        dataset = apply_decisions(dataset, read_decisions(Path(decisions).expanduser()))
    if check:
        check_classes(dataset)
    return dataset


class Found(NamedTuple):
    """What is at a path.

    Attributes:
        format: A key of `READERS` or of `MASK_READERS`.
        path: What its reader is to read: the path itself, or the one file that matters in a folder.
        notes: Sentences for the report on how this was decided.
    """

    format: str
    path: Path
    notes: tuple[str, ...] = ()


def detect(path: Path, *, label: str = "label", group: str = "group", task: str | None = None) -> Found:
    """Find out which format a file or folder has.

    Args:
        path: It exists.
        label: The name of the label column; a CSV file in a folder of images is taken only if it has that column.
        group: The name of the group column; a name of the caller's decides for the CSV file.
        task: What is to be learned; left out, masks are looked for where no column of labels is named.

    Raises:
        DataError: It is none of the formats, or could be two of them.
    """
    try:
        if task == "segmentation" or (task is None and label == "label"):
            if (found := _detect_masks(path, label if task is None else "")) is not None:
                return found
        if task == "segmentation":
            raise DataError(
                f"{path} holds no images with masks; give a folder with images and masks of equal names, a CSV file "
                "with the columns path,mask, or an npz file of images and masks."
            )
        return _detect_folder(path, label, group) if path.is_dir() else _detect_file(path)
    except PermissionError as error:
        raise DataError(f"{path} may not be read: its permissions do not allow it.") from error


def _detect_masks(path: Path, label: str) -> Found | None:
    """Return where there is a mask for each image, or None; a table with a column ``label`` is one of labels."""
    if path.is_file():
        if path.suffix.lower() in _TABLES and is_table_of_masks(path, label):
            return Found("CSV of masks", path)
        return Found("npz of masks", path) if path.suffix.lower() == ".npz" and holds_mask_arrays(path) else None
    if holds_voc_masks(path):
        return Found("PASCAL VOC", path)
    files = sorted(file for file in path.glob("*.*") if file.suffix.lower() in {*_TABLES, ".npz"})
    found = [inside for file in files if (inside := _detect_masks(file, label)) is not None]
    if len(found) == 1:
        return found[0]._replace(notes=(f"The images and masks are those of {found[0].path.name} in the folder.",))
    return Found("images and masks", path) if holds_masks(path) else None


def _detect_file(path: Path) -> Found:
    if not path.exists():
        raise DataError(f"{path} is a broken link: its target does not exist; mend the link or give the target.")
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        return Found("CSV", path)
    if suffix == ".npz":
        return Found("npz", path)
    if is_idx(path):
        return Found("IDX", path)
    if suffix in SUFFIXES:
        raise DataError(f"{path} is a single image; give {_KNOWN}.")
    if suffix in _ARCHIVES:
        raise DataError(f"{path} is an archive; unpack it and give the folder.")
    if suffix in (".xls", ".xlsx", ".ods"):
        raise DataError(f"{path} is a spreadsheet; save it as 'CSV UTF-8' and give that file.")
    raise DataError(f"{path} is of no format that is read here; give {_KNOWN}.")


def _detect_folder(path: Path, label: str, group: str) -> Found:
    if holds_idx(path):
        return Found("IDX", path)
    if holds_cifar(path) or holds_pickled_cifar(path):
        return Found("CIFAR", path)
    classes = image_folders(path)
    files = sorted(file for file in path.iterdir() if file.name[0] != "." and not is_decisions_file(file))
    tables = [file for file in files if file.suffix.lower() in _TABLES]
    arrays = sorted(path.glob("*.npz"))
    if len(arrays) == 1 and not tables and not classes and not has_loose_images(path):
        return Found("npz", arrays[0], (f"The data are those of {arrays[0].name} in the folder.",))
    readable = [table for table in tables if is_table_of_images(table, label)]
    named = (label, group) != ("label", "group")
    only_images = not classes or (len(classes) == 1 and has_loose_images(path / classes[0]))
    if tables and (named or only_images):
        if len(tables) > 1 and len(readable) != 1:
            raise DataError(f"{path} holds several CSV files; give one of them: {listed(tables)}.")
        table = (readable or tables)[0]
        return Found("CSV", table, (f"The images and labels are those of {table.name} in the folder.",))
    if readable:
        raise DataError(
            f"{path} holds class folders ({listed(classes)}) and also {readable[0].name} with the column {label!r}; "
            f"give {readable[0]} for its labels, or move it elsewhere for the folders."
        )
    return Found("class folders", path)


def _unknown(source: str, path: Path) -> str:
    hint = nearest(source, catalog.CATALOGUE)
    try:
        siblings = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        siblings = []
    hint = nearest(path.name, siblings) or hint
    if not path.parent.exists():
        hint = f" (there is no folder {path.parent} either)"
    return f"{source} does not exist{hint}, and is no data set of the catalogue; `opsin datasets` shows those."


def check_classes(dataset: Dataset) -> None:
    """Make sure that a data set can be trained on.

    Training, validation and test need an image of each class. What is not given as a split is taken out of the training
    images, so that these must be one, two or three of each class.

    Raises:
        DataError: There is one class only, or a class has too few training images.
    """
    if not len(dataset):
        raise DataError(f"{dataset.name} holds no images; check the path and the labels.")
    given = set(SPLITS) if dataset.split is None else set(np.unique(dataset.split).tolist())
    if TRAIN not in given:
        raise DataError(f"{dataset.name} has no training images; its split has only {spoken(sorted(given))}.")
    training = dataset.targets if dataset.split is None else dataset.targets.take(dataset.split == TRAIN)
    others = tuple(split for split in (VALIDATION, TEST) if dataset.split is None or split not in given)
    needed = Requirement(1 + len(others), others, dataset.split is not None)
    training.check_enough(dataset.name, dataset.classes, needed)
