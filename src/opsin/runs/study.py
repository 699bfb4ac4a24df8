"""The folder of a study: a run for each variant and seed, and what they say together.

::

    study.json             the study as it was asked for, how each run went, and the table of results
    VARIANT-SEED-HASH/ ... the run of each; HASH changes with the recipe, so that finished runs are known again;
                           VARIANT-SEED-HASH-fold-0/ ... where each is cross-validated
    comparison.json        differences of all variants from their parents, with intervals and p-values
    study.html             all of it for people
    logs/                  what worker processes wrote, where they wrote anything
"""

from __future__ import annotations

from pathlib import Path

from opsin.runs.collection import RunCollection
from opsin.runs.folded_run import FoldedRun
from opsin.runs.folder import RunFolder


class StudyFolder(RunCollection):
    """Read and write the files of a study.

    Its ``info`` holds the study, ``runs``, ``rows``, ``best`` and ``sentence`` among others.

    Args:
        path: A folder that holds a ``study.json``; use `create` for a new one.

    Raises:
        RunError: There is none, it is damaged, or of another format version.
    """

    file, kind = "study.json", "study"

    @property
    def page(self) -> Path:
        """The report, a self-contained HTML file."""
        return self.path / "study.html"

    def place(self, variant: str, seed: int, digits: str, fold: int | None) -> Path:
        """Return the run folder of a variant, a seed and a fold (None: there are no folds)."""
        return self.path / (f"{variant}-{seed}-{digits}" + ("" if fold is None else f"-fold-{fold}"))

    def runs(self, variant: str) -> list[RunFolder]:
        """Return the finished runs of a variant, in the order of their seeds; all folds of a seed are one run."""
        rows = [row for row in self.info.get("runs", []) if row["variant"] == variant]
        found: list[RunFolder] = []
        for seed in dict.fromkeys(row["seed"] for row in rows):
            those = [row for row in rows if row["seed"] == seed]
            if all(row["state"] == "finished" for row in those):
                runs = [RunFolder(self.path / row["run"]) for row in those]
                found.append(runs[0] if those[0]["fold"] is None else FoldedRun(runs))
        return found
