"""Class folders: one folder of images for each class, flat or below train, valid and test folders."""

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
from opsin.data.readers.common import file_images, listed, natural_key, refuse_column_names, split_of
from opsin.data.targets import ClassTargets
from opsin.errors import DataError, nearest

# What file managers and network drives leave behind; "@eaDir" holds thumbnails that look like images.
_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})

_HOW = (
    "put the images of each class into a folder of their own, named after the class (photos/cat, photos/dog), or list "
    "them in a CSV file with the columns path,label"
)


def read_folders(path: Path, *, label: str = "label", group: str = "group") -> Dataset:
    """Read a folder whose sub-folders are classes.

    The images of a class may lie at any depth below its folder. Sub-folders called train (training), valid (val,
    validation) and test (testing) are a given split, each with the same class folders. Files that are no images are
    left out and mentioned in the notes; hidden files are ignored. No image is opened.

    Args:
        path: The folder.
        label: Must be left at its default: class folders have no columns.
        group: Must be left at its default.

    Returns:
        The data set; its classes are in natural order ("10" after "9").

    Raises:
        DataError: There are no images, no class folders, or not the same classes in each part.
    """
    refuse_column_names(path, "is a folder of classes", label, group)
    found = _Found(path)
    names = [name for name, paths in found.folders.items() if paths]
    if not names:
        raise DataError(_nothing(path, found))
    if _is_split(path, names):
        parts = _split_parts(path, found, names)
    else:
        _refuse_nesting(path, names)
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
    """Return the names of the sub-folders of ``path`` that hold an image at any depth, in natural order."""
    names = [entry.name for entry in _entries(path) if entry.is_dir()]
    return sorted((name for name in names if holds_image(path / name)), key=natural_key)


def holds_image(path: Path) -> bool:
    """Return whether there is an image file in a folder, at any depth, judged by the names of the files."""
    return any(_is_image(file) for file in _files_below(path))


def has_loose_images(path: Path) -> bool:
    """Return whether there is an image file directly in a folder."""
    return any(_is_image(entry.name) and not entry.is_dir() for entry in _entries(path))


@dataclass
class _Found:
    """What lies below a folder.

    Attributes:
        folders: The images below each sub-folder, at any depth.
        loose: Images that belong to no class folder.
        others: Files that are no images.
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
        """Return sentences on what was left out."""
        empty = [name for name, paths in self.folders.items() if not paths]
        return tuple(
            f"{len(what):,} {one if len(what) == 1 else many} left out ({listed(self._short(item) for item in what)})."
            for what, one, many in (
                (self.others, "file that is not an image was", "files that are not images were"),
                (self.loose, "image outside the class folders was", "images outside the class folders were"),
                (empty, "folder without images was", "folders without images were"),
            )
            if what
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
    """Give the path of every visible file at any depth, broken links among them; a link in a circle ends there."""
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
    """Say so if no class folder holds an image itself: its sub-folders may have been meant as the classes."""
    every = [(name, image) for members in parts.values() for name in classes for image in members[name]]
    if any(image.parent.name == name for name, image in every):
        return ()
    example = every[0][1].parent.relative_to(path).as_posix()
    return (f"All images lie deeper than the class folders (as in {example}); each has the class of the upper folder.",)


def _nothing(path: Path, found: _Found) -> str:
    if found.loose:
        return f"{path} holds images but no class folders; {_HOW}."
    kinds = Counter(os.path.splitext(file)[1].lower() or "no suffix" for file in found.others)
    if kinds:
        seen = listed((f"{kind} ({number:,})" for kind, number in kinds.most_common()), 4)
        return f"{path} holds no images that can be read (.jpg, .png, .tif, .bmp, .webp), only other files: {seen}."
    return f"{path} is empty; {_HOW}."


def _is_split(path: Path, names: list[str]) -> bool:
    """Return whether the sub-folders with images are the parts of a split rather than classes."""
    parts = [split for name in names if (split := split_of(name))]
    if TRAIN not in parts:
        return False
    odd = [name for name in names if not split_of(name)]
    if not odd:
        return True
    if len(parts) == 1:  # "train" is then taken for a class, beside "bus" and "car"
        return False
    raise DataError(
        f"{path} holds the parts of a split ({listed(name for name in names if split_of(name))}) and also the folder "
        f"{odd[0]!r} with images; move that folder elsewhere."
    )


def _split_parts(path: Path, found: _Found, names: list[str]) -> dict[str, dict[str, list[Path]]]:
    """Return split -> class -> images, in the order of the splits; found.loose gains the images outside classes."""
    folders: dict[str, str] = {}
    for name in names:
        split = split_of(name) or ""
        if split in folders:
            raise DataError(
                f"{path} holds both {folders[split]!r} and {name!r}, which mean the same; keep one of them."
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
            raise DataError(f"{path / folders[split]} holds images but no class folders; {_HOW}.")
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
                f"{here} has images of the class {extra[0]!r}, of which {train} has none"
                f"{nearest(extra[0], parts[TRAIN])}; each part needs the same class folders."
            )
        missing = sorted(set(parts[TRAIN]) - set(members), key=natural_key)
        if missing:
            raise DataError(
                f"{here} has no images of the class {missing[0]!r}, of which {train} has some; each part needs the "
                f"same class folders."
            )


def _refuse_nesting(path: Path, names: list[str]) -> None:
    """Raise an error if the class folders lie one level or more below the folder that was given."""
    deeper = path
    while len(names) == 1:
        deeper = deeper / names[0]
        if has_loose_images(deeper):
            return
        names = image_folders(deeper)
    if deeper != path and names:
        raise DataError(
            f"{path} holds a single folder with images, {deeper.relative_to(path).as_posix()!r}, which holds "
            f"{listed(names)}; if those are the classes, give {deeper}."
        )
