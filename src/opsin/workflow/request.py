"""Resolve the arguments of a call to a recipe and a dataset, and find earlier runs with the same identity."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from opsin.data.dataset import Dataset
from opsin.errors import RunError
from opsin.recipe.recipe import Recipe, from_settings
from opsin.runs.folder import RunFolder, list_runs
from opsin.training.initial_weights import find_source
from opsin.training.prepare import Prepared, read_source, stamp
from opsin.workflow.evaluate import data_changed


@dataclass(frozen=True)
class RunOptions:
    """Options of a run beside its recipe, which ``run.json`` keeps.

    Attributes:
        anonymous: Leave file names and paths out of the report.
        inspect: Inspect the trained network.
        open_test: Score the test split at the end of training.
        data_root: Absolute path of a folder that holds named data sets; empty for the default.
    """

    anonymous: bool = False
    inspect: bool = True
    open_test: bool = True
    data_root: str = ""

    @classmethod
    def create(
        cls, data_root: str | Path | None, *, anonymous: bool = False, inspect: bool = True, open_test: bool = True
    ) -> RunOptions:
        """Make options with the absolute path of ``data_root``."""
        return cls(anonymous, inspect, open_test, str(Path(data_root).resolve()) if data_root is not None else "")

    def to_dict(self) -> dict[str, Any]:
        """Return a table for JSON."""
        return asdict(self)


def ask(
    data: str | Path | Dataset | None,
    recipe: Recipe | str | Path | None,
    settings: Mapping[str, Any],
    data_root: str | Path | None = None,
) -> tuple[Recipe, Dataset]:
    """Put together what was asked for, as `train` takes it: the recipe with all its paths in full, and the data.

    Raises:
        RecipeError: A setting is unknown or out of range.
        DataError: The data cannot be read.
    """
    asked = from_settings(settings, Recipe.read(recipe) if isinstance(recipe, str | Path) else recipe)
    source = asked.data.source if data is None or isinstance(data, Dataset) else data
    asked = asked.merge(
        {
            "data": {"source": _source(source), "decisions": _source(asked.data.decisions)},
            "split": {"file": _source(asked.split.file)},
            "network": {"weights": _source(asked.network.weights)},
        }
    )
    return asked, data if isinstance(data, Dataset) else read_source(asked, data_root)


def identify(asked: Recipe, dataset: Dataset) -> str:
    """Return text that is equal for runs that were asked for in the same words on the same data."""
    weights = f"-{find_source(asked.network.weights).fingerprint}" if asked.network.weights else ""
    return f"{asked.hash}-{stamp(dataset)}{weights}"


def is_run_of(folder: RunFolder, identity: str, ready: Callable[[], Prepared]) -> bool:
    """Whether a run was asked for like this; where only the dates of its files differ, as of copies, look inside."""
    asked = folder.info.get("asked", "")
    if asked == identity:
        return True
    if _without_stamp(asked) != _without_stamp(identity):
        return False
    if ready().fingerprint != folder.info["data"]["fingerprint"]:
        raise RunError(data_changed(folder))
    return True


def find_same_run(out: Path | None, runs: Path, identity: str) -> Path | None:
    """Return the run that was asked for in the same words on the same data: an unfinished one before a finished one."""
    folders = list_runs(runs) if out is None else [RunFolder(out)] if (out / "run.json").exists() else []
    order = {"interrupted": 0, "training": 0, "finished": 1, "failed": 2}
    same = [folder for folder in folders if folder.info.get("asked") == identity]
    return min(same, key=lambda folder: order[folder.info["state"]]).path if same else None


def free_place(runs: Path, name: str, recipe: Recipe) -> Path:
    """Return ``runs/NAME-HASH``, with a number where that is taken."""
    place = runs / f"{_readable(name)}-{recipe.hash[:6]}"
    number = 2
    while place.exists():
        place = runs / f"{_readable(name)}-{recipe.hash[:6]}-{number}"
        number += 1
    return place


def name_of_several(kind: str, asked: Recipe, dataset: Dataset) -> str:
    """Return ``NAME-KIND-HASH`` for a folder of several runs, the same for the same words on the same data."""
    return f"{_readable(dataset.name)}-{kind}-{hashlib.sha256(identify(asked, dataset).encode()).hexdigest()[:6]}"


def _without_stamp(identity: str) -> list[str]:
    parts = identity.split("-")
    return parts[:1] + parts[2:]


def _source(data: str | Path) -> str:
    """Return an absolute path where there is one, so that a run can be resumed from anywhere; else the text."""
    return str(Path(data).resolve()) if str(data) and Path(data).exists() else str(data)


def _readable(name: str) -> str:
    """Return a name that can be that of a folder on every system."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.") or "run"
