"""Reader of class folders: one folder of images per class, optionally in train, valid and test folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from opsin.data.dataset import Dataset
from opsin.data.decisions import is_decisions_file
from opsin.data.decoding import SUFFIXES
from opsin.data.images import SPLITS, TRAIN
from opsin.data.readers.common import file_images, join_some, natural_key, refuse_column_names, split_of
from opsin.data.targets import ClassTargets
from opsin.errors import DataError, nearest

# Left behind by file managers and network drives; "@eaDir" contains thumbnails.
_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})

_LAYOUT_ADVICE = (
    "put the images of each class into a folder with the name of the class (photos/cat, photos/dog), or list them in a "
    "CSV file with the columns path,label"
)


def read_folders(path: Path, *, label: str = "label", group: str = "group") -> Dataset:
    """Read a folder whose subfolders are classes.

    The images of a class may be at any depth below its folder. Subfolders called train (training), valid (val,
    validation) and test (testing) are a given split, each with the same class folders. Files that are not images are
    skipped with a note; hidden files are ignored. No image is opened.

    Args:
        path: The folder.
        label: Must be left at its default: class folders have no columns.
        group: Must be left at its default.

    Returns:
        The data set; its classes are in natural order ("10" after "9").

    Raises:
        DataError: There are no images, no class folders, or different classes in the parts of a split.
    """
    refuse_column_names(path, "is a folder of classes", label, group)
    found = _FolderContents(path)
    names = [name for name, paths in found.folders.items() if paths]
    if not names:
        raise DataError(_no_images_message(path, found))
    if _is_split(path, names):
        parts = _split_parts(path, found, names)
    else:
        _check_nesting(path, names)
        parts = {"": {name: found.folders[name] for name in names}}
    classes = sorted(next(iter(parts.values())), key=natural_key)
    paths: list[Path] = []
    labels: list[int] = []
    split: list[str] = []
    for part, members in parts.items():
        for index, name in enumerate(classes):
            paths += sorted(members[name])
            labels += [index] * len(members[name])
            split += [part] * len(members[name])
    return Dataset(
        name=path.resolve().name or "images",
        classes=tuple(classes),
        images=file_images(path, paths),
        targets=ClassTargets(np.array(labels, dtype=np.int64)),
        split=np.array(split) if len(parts) > 1 else None,
        notes=(*found.notes(), *_depth_note(path, classes, parts)),
    )


def image_folders(path: Path) -> list[str]:
    """Return the names of the subfolders of ``path`` with an image at any depth, in natural order."""
    names = [entry.name for entry in _entries(path) if entry.is_dir()]
    return sorted((name for name in names if holds_image(path / name)), key=natural_key)


def holds_image(path: Path) -> bool:
    """Return whether a folder contains an image file at any depth, by file name."""
    return any(_is_image(file) for file in _files_below(path))


def has_loose_images(path: Path) -> bool:
    """Return whether a folder directly contains an image file."""
    return any(_is_image(entry.name) and not entry.is_dir() for entry in _entries(path))


@dataclass
class _FolderContents:
    """Files below a folder.

    Attributes:
        folders: Images below each subfolder, at any depth.
        loose: Images outside class folders.
        others: Files that are not images.
    """

    folders: dict[str, list[Path]]
    loose: list[Path]
    others: list[Path]
    root: Path

    def __init__(self, root: Path):
        self.root, self.folders, self.loose, self.others = root, {}, [], []
        for entry in sorted(_entries(root), key=lambda entry: natural_key(entry.name)):
            if not entry.is_dir():
                if not is_decisions_file(Path(entry.path)):
                    (self.loose if _is_image(entry.name) else self.others).append(Path(entry.path))
                continue
            files = [Path(file) for file in _files_below(Path(entry.path))]
            self.folders[entry.name] = [file for file in files if _is_image(file)]
            self.others += [file for file in files if not _is_image(file)]
        self.others.sort()

    def notes(self) -> tuple[str, ...]:
        """Return notes on skipped files and folders."""
        empty = [name for name, paths in self.folders.items() if not paths]
        return tuple(
            f"{len(skipped):,} {one if len(skipped) == 1 else many} skipped ({join_some(map(self._short, skipped))})."
            for skipped, one, many in (
                (self.others, "file that is not an image was", "files that are not images were"),
                (self.loose, "image outside the class folders was", "images outside the class folders were"),
                (empty, "folder without images was", "folders without images were"),
            )
            if skipped
        )

    def _short(self, path: Path | str) -> str:
        return path if isinstance(path, str) else path.relative_to(self.root).as_posix()


def _is_image(path: str | PurePath) -> bool:
    return os.path.splitext(path)[1].lower() in SUFFIXES


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name[0] != "." and entry.name.lower() not in _LITTER]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}; check its permissions.") from error


def _files_below(folder: Path) -> Iterator[str]:
    """Yield the path of every visible file at any depth, including broken links; cyclic links are followed once."""
    waiting, seen = [folder], {os.path.realpath(folder)}
    while waiting:
        for entry in _entries(waiting.pop()):
            if not entry.is_dir():
                yield entry.path
                continue
            if entry.is_symlink():
                target = os.path.realpath(entry.path)
                if target in seen:
                    continue
                seen.add(target)
            waiting.append(Path(entry.path))


def _depth_note(path: Path, classes: list[str], parts: dict[str, dict[str, list[Path]]]) -> tuple[str, ...]:
    """Return a note if no class folder directly contains an image: its subfolders may have been meant as classes."""
    every = [(name, image) for members in parts.values() for name in classes for image in members[name]]
    if any(image.parent.name == name for name, image in every):
        return ()
    example = every[0][1].parent.relative_to(path).as_posix()
    return (f"All images are in subfolders of the class folders (such as {example}); the upper folder is the class.",)


def _no_images_message(path: Path, found: _FolderContents) -> str:
    if found.loose:
        return f"{path} contains images but no class folders; {_LAYOUT_ADVICE}."
    kinds = Counter(os.path.splitext(file)[1].lower() or "no suffix" for file in found.others)
    if kinds:
        seen = join_some((f"{kind} ({number:,})" for kind, number in kinds.most_common()), 4)
        return f"{path} contains no images (.jpg, .png, .tif, .bmp, .webp), only other files: {seen}."
    return f"{path} is empty; {_LAYOUT_ADVICE}."


def _is_split(path: Path, names: list[str]) -> bool:
    """Return whether the subfolders with images are the parts of a split rather than classes."""
    parts = [split for name in names if (split := split_of(name))]
    if TRAIN not in parts:
        return False
    odd = [name for name in names if not split_of(name)]
    if not odd:
        return True
    if len(parts) == 1:  # "train" is then a class, like "bus" and "car"
        return False
    raise DataError(
        f"{path} contains the parts of a split ({join_some(name for name in names if split_of(name))}) and also the "
        f"folder {odd[0]!r} with images; move that folder elsewhere."
    )


def _split_parts(path: Path, found: _FolderContents, names: list[str]) -> dict[str, dict[str, list[Path]]]:
    """Return split -> class -> images, in the order of the splits; adds images outside class folders to found.loose."""
    folders: dict[str, str] = {}
    for name in names:
        split = split_of(name) or ""
        if split in folders:
            raise DataError(
                f"{path} contains both {folders[split]!r} and {name!r}, which mean the same split; keep one of them."
            )
        folders[split] = name
    parts: dict[str, dict[str, list[Path]]] = {}
    for split in (split for split in SPLITS if split in folders):
        members: dict[str, list[Path]] = {}
        for image in found.folders[folders[split]]:
            inside = image.relative_to(path / folders[split]).parts
            if len(inside) == 1:
                found.loose.append(image)
            else:
                members.setdefault(inside[0], []).append(image)
        if not members:
            raise DataError(f"{path / folders[split]} contains images but no class folders; {_LAYOUT_ADVICE}.")
        parts[split] = members
    _refuse_odd_classes(path, folders, parts)
    return parts


def _refuse_odd_classes(path: Path, folders: dict[str, str], parts: dict[str, dict[str, list[Path]]]) -> None:
    train = path / folders[TRAIN]
    for split, members in parts.items():
        here = path / folders[split]
        extra = sorted(set(members) - set(parts[TRAIN]), key=natural_key)
        if extra:
            raise DataError(
                f"{here} has the class {extra[0]!r}, but {train} does not{nearest(extra[0], parts[TRAIN])}; each part "
                f"needs the same class folders."
            )
        missing = sorted(set(parts[TRAIN]) - set(members), key=natural_key)
        if missing:
            raise DataError(
                f"{here} lacks the class {missing[0]!r}, which {train} has; each part needs the same class folders."
            )


def _check_nesting(path: Path, names: list[str]) -> None:
    """Raise an error if the class folders are one or more levels below the given folder."""
    deeper = path
    while len(names) == 1:
        deeper = deeper / names[0]
        if has_loose_images(deeper):
            return
        names = image_folders(deeper)
    if deeper != path and names:
        raise DataError(
            f"{path} contains a single folder with images, {deeper.relative_to(path).as_posix()!r}, which contains "
            f"{join_some(names)}; if these are the classes, give {deeper}."
        )
