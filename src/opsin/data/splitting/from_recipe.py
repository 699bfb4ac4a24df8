"""Split settings of a recipe that apply before splitting: groups and given splits."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from opsin.data.csv_table import parse_table
from opsin.data.dataset import Dataset
from opsin.data.images import TEST, TRAIN, UNUSED
from opsin.data.readers.common import join_some, split_of
from opsin.data.readers.table import path_column
from opsin.errors import DataError, RecipeError, nearest
from opsin.recipe.schema import SplitRecipe

_FOLDER = re.compile(r"folder:(-?\d+)")


def apply_split_settings(dataset: Dataset, recipe: SplitRecipe) -> Dataset:
    """Apply the groups and the given split of a recipe to a data set; `split_samples` does the rest.

    Groups from names replace those of the data. A split file, test groups, folds and ``given = false`` each replace the
    split of the data.

    Args:
        dataset: The data as read.
        recipe: The split settings.

    Returns:
        The data set with new groups, a new split, and notes on what was replaced.

    Raises:
        RecipeError: Two keys contradict each other, or a test group does not exist.
        DataError: A name contains no group, or the split file does not match the data.
    """
    _refuse_contradictions(recipe)
    notes = list(dataset.notes)
    groups, given = dataset.groups, dataset.split
    if recipe.group_by:
        if groups is not None:
            notes.append("The groups come from the image names (--group-by), not from the data.")
        names = [dataset.images.name(index) for index in range(len(dataset))]
        groups = groups_from_names(names, recipe.group_by)
    split = given if recipe.given and not recipe.folds else None
    if recipe.file:
        split = _split_from_file(Path(recipe.file), dataset)
    elif recipe.test_groups:
        split = _split_by_groups(dataset.name, groups, recipe.test_groups)
    if given is not None and split is not given:
        notes.append("The split given with the data is not used, because the recipe defines another one.")
    return replace(dataset, groups=groups, split=split, notes=tuple(notes))


def groups_from_names(names: list[str], how: str) -> NDArray[np.str_]:
    r"""Extract the group of each image from its name.

    Args:
        names: Names of N images, folders separated by ``/``.
        how: A regular expression that is searched in the name, or ``folder:1``, the first folder of the name
            (``folder:-1``: the folder of the image). In an expression such as ``patient_(\d+)``, the parenthesized
            match is the group (several are joined by a space); without parentheses, the whole match.

    Returns:
        ``(N,)``, text.

    Raises:
        RecipeError: The regular expression is invalid.
        DataError: A name contains no group.
    """
    folder = _FOLDER.fullmatch(how)
    found = [_folder(name, int(folder[1])) for name in names] if folder else _matches(names, how)
    without = [name for name, group in zip(names, found, strict=True) if not group]
    if without:
        what = f"folder {folder[1]}" if folder else "match for it"
        count = "1 image has" if len(without) == 1 else f"{len(without):,} images have"
        raise DataError(
            f"--group-by '{how}': {count} no {what} in the name, for example {without[0]!r}; change it to match every "
            "name."
        )
    return np.array([str(group) for group in found])


def _folder(name: str, level: int) -> str:
    """Return a folder of a name, counted from 1 at the top or from -1 at the image; empty if it does not exist."""
    path = PurePosixPath(name)
    folders = [part for part in path.parent.parts if part != path.anchor]
    if level > 0:
        return folders[level - 1] if level <= len(folders) else ""
    return folders[level] if level and -level <= len(folders) else ""


def _matches(names: list[str], pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise RecipeError(
            f"split.group_by: '{pattern}' is not a valid regular expression ({error}); write one like "
            "'patient_(\\d+)', or folder:1."
        ) from None
    matches = [compiled.search(name) for name in names]
    if not compiled.groups:
        return [match[0] if match else "" for match in matches]
    return [" ".join(part for part in match.groups() if part) if match else "" for match in matches]


def _split_by_groups(name: str, groups: NDArray[np.str_] | None, wanted: tuple[str, ...]) -> NDArray[np.str_]:
    """Return a split in which the images of some groups are the test split."""
    if groups is None:
        raise RecipeError(
            f"split.test_groups: {name} has no groups; define them with --group (a column) or --group-by (a part of "
            "the names)."
        )
    there = np.unique(groups.astype(str)).tolist()
    unknown = [group for group in wanted if group not in there]
    if unknown:
        raise RecipeError(
            f"split.test_groups: {name} has no group {unknown[0]!r}{nearest(unknown[0], there)}; its {len(there):,} "
            f"groups are {join_some(there, 8)}."
        )
    return np.where(np.isin(groups.astype(str), wanted), TEST, TRAIN)


def _split_from_file(path: Path, dataset: Dataset) -> NDArray[np.str_]:
    """Read the split of each image from a table such as a run's ``split.csv``."""
    path = path / "split.csv" if path.is_dir() else path
    table = parse_table(path)
    images, words = table.values(path_column(table)), table.values(table.column("split"))
    doubled = [name for name, count in Counter(images).items() if count > 1]
    if doubled:
        raise DataError(f"{path} lists the image {doubled[0]} twice; keep one of its rows.")
    split_of_image: dict[str, str] = {}
    for name, word, line in zip(images, words, table.lines, strict=True):
        split = UNUSED if word.lower() == UNUSED else split_of(word)
        if split is None:
            raise DataError(
                f"{path}, line {line}: the split {word!r} is unknown; write train, validation, test or unused."
            )
        split_of_image[name] = split
    names = [dataset.images.name(index) for index in range(len(dataset))]
    _refuse_other_images(path, dataset.name, names, list(split_of_image))
    return np.array([split_of_image[name] for name in names])


def _refuse_other_images(path: Path, data: str, names: list[str], listed_names: list[str]) -> None:
    """Raise `DataError` unless a split file lists exactly the images of the data."""
    unknown = sorted(set(listed_names) - set(names))
    missing = sorted(set(names) - set(listed_names))
    if unknown:
        raise DataError(
            f"{path} lists {_images(len(unknown))} that {data} does not contain, for example "
            f"{unknown[0]!r}{nearest(unknown[0], names)}; use the names in the split.csv of a run on these data."
        )
    if missing:
        raise DataError(
            f"{path} lacks {_images(len(missing))} of {data}, for example {missing[0]!r}; add a row for each, with the "
            "split train, validation, test or unused."
        )


def _images(number: int) -> str:
    return "1 image" if number == 1 else f"{number:,} images"


def _refuse_contradictions(recipe: SplitRecipe) -> None:
    """Raise `RecipeError` if a recipe defines two splits, or a fold that does not exist."""
    asked = {"split.file": recipe.file, "split.test_groups": recipe.test_groups, "split.folds": recipe.folds}
    wanted = [key for key, value in asked.items() if value]
    if len(wanted) > 1:
        raise RecipeError(f"Give either {wanted[0]} or {wanted[1]}, not both: each defines the test split.")
    if recipe.folds == 1:
        raise RecipeError("split.folds must be 0 (no folds) or at least 2.")
    if recipe.fold and recipe.fold >= recipe.folds:
        there = f"the folds are 0 to {recipe.folds - 1}" if recipe.folds else "set the number of folds with split.folds"
        raise RecipeError(f"There is no fold {recipe.fold}; {there}.")
