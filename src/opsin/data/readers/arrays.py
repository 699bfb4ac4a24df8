"""Reader of NumPy arrays of images and labels in an ``.npz`` file."""

from __future__ import annotations

import contextlib
import functools
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from opsin.data.dataset import Dataset
from opsin.data.images import SPLITS, TRAIN, ArrayImages
from opsin.data.readers.common import join_some, number_labels, split_of
from opsin.data.readers.labels import Labels, infer_number_task, read_label_sets
from opsin.errors import DataError, nearest

LABEL_WORDS = ("label", "labels", "y", "target", "targets")  # default names of the array of labels
_LAYOUTS = "images and labels, x and y, x_train and y_train, or train_images and train_labels"
_IMAGES = re.compile(r"images?|x", re.IGNORECASE)
_SPLIT_FIRST = re.compile(r"(?P<part>(?:train|val|test)\w*?)_(?:images?|x)", re.IGNORECASE)
_SPLIT_LAST = re.compile(r"(?:images?|x)_(?P<part>(?:train|val|test)\w*)", re.IGNORECASE)
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    KeyError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def read_arrays(path: Path, *, label: str = "label", group: str = "group", task: str | None = None) -> Dataset:
    """Read an ``.npz`` file of images and labels.

    Four layouts are supported, ignoring case:

    * ``images`` and ``labels``, optionally with ``groups``, ``split`` and ``classes``;
    * ``x`` and ``y``;
    * ``x_train``, ``y_train``, ``x_test``, ``y_test`` (Keras), optionally with ``x_val`` and ``y_val``;
    * ``train_images``, ``train_labels``, ``val_images``, ... (MedMNIST): the prefix of the name determines the split,
      so ``testA_images`` and ``testB_images`` are both test images.

    Images are uint8 ``(N, H, W)``, ``(N, H, W, 1 or 3)`` or ``(N, 1 or 3, H, W)``, or floating-point numbers from 0 to
    1. Labels are integers, booleans, strings or regression targets, ``(N,)`` or ``(N, 1)``. Pickled objects are never
    loaded.

    Args:
        path: The file.
        label: Name of the array of labels, without the split: ``malignant`` reads ``train_malignant``.
        group: Name of the array of groups, likewise; the default array ``group`` or ``groups`` may be missing.
        task: The task; None: inferred from the labels (`opsin.data.readers.labels`).

    Returns:
        The data set. Booleans become the classes ``not malignant`` and ``malignant``.

    Raises:
        DataError: The file is damaged, an array is missing, or has a wrong shape or type.
    """
    with opened_arrays(path) as arrays:
        found = gather_arrays(
            arrays,
            (label, f"{label}s", *(LABEL_WORDS if label == "label" else ())),
            group,
            functools.partial(_per_image, labels=True),
        )
        targets = _targets(arrays, found.labels, label, task)
    return Dataset(
        name=path.stem,
        classes=targets.classes,
        images=ArrayImages(found.images),
        targets=targets.targets,
        split=found.split,
        groups=found.groups,
        notes=tuple(dict.fromkeys((*found.notes, *([targets.note] if targets.note else [])))),
    )


class _Gathered(NamedTuple):
    """Arrays of a file, with all splits concatenated; ``labels`` is ``(N,)`` or ``(N, H, W)``."""

    images: NDArray[np.uint8]
    labels: NDArray[Any]
    groups: NDArray[np.str_] | None
    split: NDArray[np.str_] | None
    notes: tuple[str, ...]


def gather_arrays(
    arrays: Arrays, words: tuple[str, ...], group: str, read: Callable[[Arrays, str, int, str], NDArray[Any]]
) -> _Gathered:
    """Concatenate the splits of a file; ``words`` are possible names of the labels, which ``read`` loads."""
    images, labels, groups, split, notes = [], [], [], [], []
    for part in parts_of(arrays):
        pixels, note = pixels_of(arrays, part.images)
        name = part.find(arrays, words)
        if name is None:
            raise DataError(_no_labels(arrays, part, words[0]))
        images.append(pixels)
        labels.append(read(arrays, name, len(pixels), part.images))
        name = part.find(arrays, (group, f"{group}s"))
        if name is not None:
            groups.append(_per_image(arrays, name, len(pixels), part.images).astype(str))
        elif group != "group" or groups:
            raise DataError(_no_groups(arrays, part, group))
        split.append(np.full(len(pixels), part.split or TRAIN))
        notes += [note] if note else []
    number = sum(map(len, images))
    given = split if len({part[0] for part in split if len(part)}) > 1 else None
    return _Gathered(
        _joined(arrays, images),
        np.concatenate(labels),
        np.concatenate(groups) if groups else None,
        _split_column(arrays, number) if given is None else np.concatenate(given),
        tuple(dict.fromkeys(notes)),
    )


@dataclass(frozen=True)
class _Part:
    """Names of the arrays of one split, or of the whole file.

    Attributes:
        split: train, validation or test; None if the file has no separate splits.
        images: Name of the array of images.
        pattern: Pattern of the names of the other arrays: ``train_{}``, ``{}_train`` or ``{}``.
    """

    split: str | None
    images: str
    pattern: str

    def find(self, arrays: Arrays, words: tuple[str, ...]) -> str | None:
        """Return the name of the first existing array for ``words``, or None."""
        return next((name for word in words if (name := arrays.find(self.pattern.format(word)))), None)


class Arrays:
    """Lazily loaded arrays of a file."""

    def __init__(self, path: Path, file: NpzFile):
        self.path = path
        self.file = file
        self.names: list[str] = list(file.files)

    def find(self, name: str) -> str | None:
        """Return the name as spelled in the file, ignoring case, or None."""
        if name in self.names:
            return name
        return next((known for known in self.names if known.lower() == name.lower()), None)

    def load(self, name: str) -> NDArray[Any]:
        """Load an array.

        Raises:
            DataError: It is damaged, exceeds the memory, or contains pickled objects.
        """
        try:
            array = self.file[name]
        except MemoryError as error:
            raise DataError(
                f"{self.path}: the array {name!r} does not fit into memory; use fewer or smaller images."
            ) from error
        except _DAMAGE as error:
            if "allow_pickle" in str(error):
                raise DataError(
                    f"{self.path}: the array {name!r} contains pickled Python objects; pickles can run code and are "
                    f"never loaded, so save it as numbers or strings."
                ) from error
            raise DataError(f"{self.path}: the array {name!r} is damaged; copy or save the file again.") from error
        if not isinstance(array, np.ndarray):
            raise DataError(f"{self.path}: {name!r} is not an array; save the file with numpy.savez.")
        return array


@contextlib.contextmanager
def opened_arrays(path: Path) -> Iterator[Arrays]:
    """Open the arrays of a file; closes it even if it is damaged, which NumPy does not.

    Raises:
        DataError: It cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the file and its permissions.") from error
    with file, _unpacked(path, file) as unpacked:
        yield Arrays(path, unpacked)


def _unpacked(path: Path, file: BinaryIO) -> NpzFile:
    try:
        if not zipfile.is_zipfile(file):
            raise DataError(f"{path} is not an npz file, or is cut off; save it again with numpy.savez.")
        file.seek(0)
        result: NpzFile = np.load(file, allow_pickle=False)
        return result
    except _DAMAGE as error:
        raise DataError(f"{path} is damaged; copy or save it again.") from error


def parts_of(arrays: Arrays) -> list[_Part]:
    """Return the splits that the names of the arrays define, or the whole file as one part.

    Raises:
        DataError: There is no array of images.
    """
    parts = []
    for name in arrays.names:
        if match := _SPLIT_FIRST.fullmatch(name):
            parts.append(_Part(_split_by_prefix(match["part"]), name, f"{match['part']}_{{}}"))
        elif match := _SPLIT_LAST.fullmatch(name):
            parts.append(_Part(_split_by_prefix(match["part"]), name, f"{{}}_{match['part']}"))
    if parts:
        return sorted(parts, key=lambda part: SPLITS.index(part.split or TRAIN))
    whole = [_Part(None, name, "{}") for name in arrays.names if _IMAGES.fullmatch(name)]
    if not whole:
        raise DataError(
            f"{arrays.path} has no array of images; name the arrays {_LAYOUTS}; it contains "
            f"{join_some(arrays.names, 12) or 'nothing'}."
        )
    return whole[:1]


def _split_by_prefix(part: str) -> str:
    return next(
        split for word in ("train", "val", "test") if part.lower().startswith(word) and (split := split_of(word))
    )


def pixels_of(arrays: Arrays, name: str) -> tuple[NDArray[np.uint8], str]:
    """Return images, uint8 ``(N, H, W, C)``, and a note on their conversion, or an empty string."""
    array = arrays.load(name)
    where = f"{arrays.path}: the array {name!r}"
    if array.ndim == 4 and array.shape[3] not in (1, 3) and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape[1:]:
        raise DataError(
            f"{where} has the shape {array.shape}; images must be (number, height, width) or (number, height, width, "
            f"1 or 3)."
        )
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array), ""
    if array.dtype.kind != "f":
        raise DataError(f"{where} has the type {array.dtype}; save images as uint8 with values from 0 to 255.")
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 1.0)
    if not (low >= 0 and high <= 1):  # also true of NaN
        raise DataError(
            f"{where} has floating-point values from {low:g} to {high:g}, an unknown range; save images as uint8 from "
            f"0 to 255, or as numbers from 0 to 1."
        )
    pixels = np.empty(array.shape, np.uint8)
    for index in range(len(array)):  # one by one, as a copy of everything as float64 may not fit into memory
        pixels[index] = np.rint(array[index] * 255.0)
    return pixels, f"Images were converted from {array.dtype} between 0 and 1 to 8-bit values from 0 to 255."


def _per_image(arrays: Arrays, name: str, number: int, images: str, *, labels: bool = False) -> NDArray[Any]:
    """Return an array with one value per image, ``(N,)``; labels may have a row per image, ``(N, L)``."""
    values = arrays.load(name)
    where = f"{arrays.path}: the array {name!r}"
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and len(values) == number and labels:
        return values
    if values.shape != (number,):
        raise DataError(
            f"{where} has the shape {values.shape}, but {images!r} contains {number:,} images; give one value "
            f"per image."
        )
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all():
        values = values.astype(np.int64)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind not in "biufU":
        raise DataError(f"{where} has the type {values.dtype}; save numbers, booleans or strings.")
    return values


def _targets(arrays: Arrays, labels: NDArray[Any], label: str, task: str | None) -> Labels:
    """Return the labels, converted for their task."""
    named = arrays.find("classes") or arrays.find("class_names")
    note = ""
    if labels.ndim == 2:
        return _label_sets(arrays, labels, named, task)
    if task == "multilabel":
        return read_label_sets(labels.astype(str).tolist(), str(arrays.path), label)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise DataError(f"{arrays.path}: the labels must be finite numbers; leave out images whose label is unknown.")
    if task is None:
        task = "classification"
        if labels.dtype.kind in "iuf" and named is None:
            task, note = infer_number_task(labels.astype(np.float64), label)
    if task == "regression":
        if labels.dtype.kind not in "biuf":
            raise DataError(f"{arrays.path}: the labels are text, but --task regression needs numbers.")
        return Labels(task, labels, (label,), note)
    if labels.dtype.kind == "f":
        labels = labels.astype(str)
    return Labels("classification", *_classes(arrays, labels, label), note)


def _classes(arrays: Arrays, labels: NDArray[Any], label: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the labels, int64 ``(N,)``, and the class names."""
    name = arrays.find("classes") or arrays.find("class_names")
    if name is not None and labels.dtype.kind in "iu":
        classes = tuple(arrays.load(name).astype(str).reshape(-1).tolist())
        if labels.size and not (labels.min() >= 0 and labels.max() < len(classes)):
            raise DataError(
                f"{arrays.path} has labels from {labels.min()} to {labels.max()}, but {name!r} has {len(classes)} "
                f"names; labels must be from 0 to {len(classes) - 1}."
            )
        return labels.astype(np.int64), classes
    if labels.dtype.kind == "b" and label not in LABEL_WORDS:
        return labels.astype(np.int64), (f"not {label}", label)
    return number_labels(labels)


def _label_sets(arrays: Arrays, labels: NDArray[Any], named: str | None, task: str | None) -> Labels:
    """Return label sets from rows of 0 and 1."""
    where = f"{arrays.path}: the array of labels"
    if labels.dtype.kind not in "biuf" or not np.isin(labels, (0, 1)).all():
        raise DataError(f"{where} has the shape {labels.shape}; with one column per label, each value must be 0 or 1.")
    if task not in (None, "multilabel") or (task is None and (labels.sum(axis=1) == 1).all()):
        raise DataError(
            f"{where} has the shape {labels.shape}; save labels.argmax(axis=1) if each image has exactly one class, or "
            "give --task multilabel if it may have several labels."
        )
    names = tuple(f"label {number}" for number in range(labels.shape[1]))
    if named is not None:
        names = tuple(arrays.load(named).astype(str).reshape(-1).tolist())
    if len(names) != labels.shape[1]:
        raise DataError(f"{arrays.path} has {labels.shape[1]} labels per image, but {named!r} has {len(names)} names.")
    return Labels("multilabel", labels.astype(bool), names)


def _joined(arrays: Arrays, images: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    shapes = sorted({part.shape[1:] for part in images})
    if len(shapes) > 1:
        raise DataError(
            f"{arrays.path} contains images of the shapes {shapes[0]} and {shapes[1]}; save all in one shape."
        )
    return images[0] if len(images) == 1 else np.concatenate(images)


def _split_column(arrays: Arrays, number: int) -> NDArray[np.str_] | None:
    """Return the array ``split`` of a file without separate splits."""
    name = arrays.find("split") or arrays.find("splits")
    if name is None:
        return None
    words = _per_image(arrays, name, number, "the file").astype(str)
    parts = {word: split_of(word) for word in np.unique(words).tolist()}
    wrong = [word for word, split in parts.items() if split is None]
    if wrong:
        raise DataError(
            f"{arrays.path}: the array {name!r} has the value {wrong[0]!r}; write train, validation or test."
        )
    return np.array([parts[word] for word in words.tolist()])


def _no_labels(arrays: Arrays, part: _Part, label: str) -> str:
    wanted = part.pattern.format("labels" if label == "label" else label)
    return (
        f"{arrays.path} has no array {wanted!r} for {part.images!r}{nearest(wanted, arrays.names)}; it contains "
        f"{join_some(arrays.names, 12)}."
    )


def _no_groups(arrays: Arrays, part: _Part, group: str) -> str:
    wanted = part.pattern.format(group)
    return (
        f"{arrays.path} has no array {wanted!r} for the groups of {part.images!r}{nearest(wanted, arrays.names)}; it "
        f"contains {join_some(arrays.names, 12)}."
    )
