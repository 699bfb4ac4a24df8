"""Folders that hold several runs and, in one JSON file, what they say together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Self

from opsin.errors import RunError
from opsin.runs.folder import FORMAT, RunFolder
from opsin.storage.atomic import damage_explained, write_json
from opsin.version import __version__


class RunCollection:
    """Read and write the JSON file of a folder of several runs; the base of each kind.

    Args:
        path: A folder that holds the file; use `create` for a new one.

    Raises:
        RunError: There is none, it is damaged, or of another format version.
    """

    file: ClassVar[str]
    kind: ClassVar[str]  # "study"

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not (self.path / self.file).exists():
            raise RunError(f"{self.path} is no {self.kind}: it has no {self.file}.")
        info = self.info
        if info.get("format") != FORMAT:
            raise RunError(
                f"{self.path} has format {info.get('format')}, written by Opsin {info.get('opsin', '(unknown)')}; "
                f"Opsin {__version__} reads format {FORMAT}. Start a new one in another folder (--out)."
            )

    @classmethod
    def create(cls, path: Path, **facts: Any) -> Self:
        """Begin one, or go on with the one that is there.

        Args:
            path: Its folder.
            facts: The first entries of the file, or other values of entries that are there.

        Raises:
            RunError: The folder holds something else, or cannot be made.
        """
        if not (path / cls.file).exists():
            RunFolder.check_free(path)
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RunError(f"The folder {path} cannot be made: {error.strerror}. Choose another (--out).") from None
            write_json(path / cls.file, {"format": FORMAT, "opsin": __version__})
        folder = cls(path)
        folder.update(**facts)
        return folder

    @property
    def info(self) -> dict[str, Any]:
        """What the file holds.

        Raises:
            RunError: It is damaged.
        """
        with damage_explained(self.path / self.file):
            info = json.loads((self.path / self.file).read_text(encoding="utf-8"))
            if not isinstance(info, dict):
                raise ValueError("it holds no table")
        return info

    def update(self, **values: Any) -> None:
        """Set entries of the file."""
        write_json(self.path / self.file, self.info | values)
