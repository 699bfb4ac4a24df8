"""Groups of new images: from the run's own rule, a table, or a pattern in their names."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.splitting.from_recipe import groups_from_names
from opsin.errors import DataError
from opsin.runs.folder import RunFolder


def find_groups(folder: RunFolder, names: Sequence[str], how: str) -> NDArray[np.str_]:
    r"""Find the group of each image.

    Args:
        folder: The run.
        names: Paths of N images.
        how: ``group``: as the run was told by ``--group-by``. A CSV file: its columns ``image`` (or ``path``, ``file``,
            a path or the name of the file) and ``group``. Otherwise a pattern such as ``patient_(\d+)``, or
            ``folder:-1`` for the folder that holds the image.

    Returns:
        ``(N,)``, text.

    Raises:
        DataError: There is an image without a group.
    """
    if how == "group":
        how = folder.recipe.split.group_by
        if not how:
            raise DataError(
                f"--pool-by group: {folder.path} was not trained with --group-by, so give the pattern itself, such as "
                "'patient_(\\d+)', or a CSV file with the columns image and group."
            )
    if Path(how).suffix.lower() == ".csv":
        return _groups_from_table(Path(how), names)
    return groups_from_names([Path(name).as_posix() for name in names], how)


def _groups_from_table(path: Path, names: Sequence[str]) -> NDArray[np.str_]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"--pool-by {path}: it cannot be read ({error}).") from None
    heading = next((name for name in ("image", "path", "file") if rows and name in rows[0]), None)
    if heading is None or "group" not in rows[0]:
        raise DataError(f"--pool-by {path}: it needs a header with the columns image and group.")
    known = {Path(row[heading]).as_posix(): row["group"] for row in rows if row[heading] and row["group"]}
    found = [known.get(Path(name).as_posix()) or known.get(Path(name).name) for name in names]
    if None in found:
        raise DataError(f"--pool-by {path}: it has no group for {names[found.index(None)]}.")
    return np.array(found, np.str_)
