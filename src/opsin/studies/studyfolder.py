"""The folder of a study: a run for each variant and seed, and what they say together.

::

    study.json             the study as it was asked for, how each run went, and the table of results
    VARIANT-SEED-HASH/ ... the run of each; HASH changes with the recipe, so that finished runs are known again
    comparison.json        differences of all variants from their parents, with intervals and p-values
    study.html             all of it for people
    logs/                  what worker processes wrote, where they wrote anything
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import opsin
from opsin.errors import RunError
from opsin.files import damage_explained, write_json
from opsin.runfolder import FORMAT, RunFolder

FILE = "study.json"


class StudyFolder:
    """Read and write the files of a study.

    Args:
        path: A folder that holds a ``study.json``; use `create` for a new one.

    Raises:
        RunError: There is none, it is damaged, or of another format version.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not (self.path / FILE).exists():
            raise RunError(f"{self.path} is no study: it has no {FILE}.")
        if self.info.get("format") != FORMAT:
            raise RunError(
                f"{self.path} has format {self.info.get('format')}, written by Opsin "
                f"{self.info.get('opsin', '(unknown)')}; Opsin {opsin.__version__} reads format {FORMAT}. Run the "
                "study anew in another folder (--out)."
            )

    @classmethod
    def create(cls, path: Path, **facts: Any) -> StudyFolder:
        """Begin a study, or go on with the one that is there.

        Raises:
            RunError: The folder holds something else.
        """
        if not (path / FILE).exists():
            RunFolder.check_free(path)
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RunError(f"The folder {path} cannot be made: {error.strerror}. Choose another (--out).") from None
            write_json(path / FILE, {"format": FORMAT, "opsin": opsin.__version__})
        folder = cls(path)
        folder.update(**facts)
        return folder

    @property
    def info(self) -> dict[str, Any]:
        """What ``study.json`` holds: the study, ``runs``, ``rows``, ``best`` and ``sentence`` among others."""
        with damage_explained(self.path / FILE):
            info = json.loads((self.path / FILE).read_text(encoding="utf-8"))
            if not isinstance(info, dict):
                raise ValueError("it holds no table")
        return info

    def update(self, **values: Any) -> None:
        """Set entries of ``study.json``."""
        write_json(self.path / FILE, self.info | values)

    @property
    def page(self) -> Path:
        """The report, a self-contained HTML file."""
        return self.path / "study.html"

    def place(self, variant: str, seed: int, digits: str) -> Path:
        """Return the run folder of a variant and a seed."""
        return self.path / f"{variant}-{seed}-{digits}"

    def runs(self, variant: str) -> list[RunFolder]:
        """Return the finished runs of a variant, in the order of their seeds."""
        rows = [row for row in self.info.get("runs", []) if row["variant"] == variant and row["state"] == "finished"]
        return [RunFolder(self.path / row["run"]) for row in rows]
