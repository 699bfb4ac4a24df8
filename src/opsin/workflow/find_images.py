"""Image files named by paths, folders and globs."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from opsin.errors import DataError


def find_images(patterns: Sequence[str | Path]) -> list[Path]:
    """Return the image files that paths, folders and globs name, each once, in order.

    Args:
        patterns: Files with any suffix, folders (searched recursively for files with an image suffix), and globs.

    Raises:
        DataError: A path does not exist, a glob matches nothing, or a folder holds no images.
    """
    from opsin.data.decoding import SUFFIXES

    found: dict[Path, None] = {}
    for pattern in patterns:
        path, text = Path(pattern), str(pattern)
        matches = [path] if path.exists() else [Path(name) for name in sorted(glob.glob(text, recursive=True))]
        if not matches:
            hint = "matches nothing" if glob.has_magic(text) else "does not exist"
            raise DataError(f'{text} {hint}; give image files, folders or globs like "scans/*.png".')
        files = [match for match in matches if not match.is_dir()]
        for folder in sorted(set(matches) - set(files)):
            inside = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
            if not inside:
                raise DataError(f"{folder} holds no images ({', '.join(sorted(SUFFIXES))}).")
            files += inside
        found |= dict.fromkeys(files)
    return list(found)


def names_several(image: object) -> bool:
    """Whether an argument is a folder or a glob rather than one image."""
    if not isinstance(image, str | Path):
        return False
    return Path(image).is_dir() or (glob.has_magic(str(image)) and not Path(image).exists())
