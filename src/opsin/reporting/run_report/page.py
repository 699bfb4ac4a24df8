"""What every section of a report is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from opsin.reporting.run_report.privacy import Redactor, anonymous_network, names_of
from opsin.runs.folder import RunFolder
from opsin.tasks.base import AnySplit, AnyTask
from opsin.tasks.registry import task_spec

LARGEST = 5_000_000  # bytes of the whole file


def read_predicted(folder: RunFolder, split: str) -> AnySplit | None:
    """Read a split's predictions; None where there are none yet."""
    return folder.predicted(split) if (folder.path / f"predictions-{split}.csv").exists() else None


@dataclass(frozen=True)
class Page:
    """The report of a run, as far as all its sections share it.

    Attributes:
        run: The run, finished or not.
        predicted: Predictions on test; None where there are none yet.
        validation: The same on validation.
        classes: Names of the network's outputs; empty where no file of the run knows them yet.
        words: Takes the names of files, folders, groups and machines out of a text where the report is anonymous.
        anonymous: Whether such names are to be left out.
        room: Bytes that the file may still grow by. Sections that can shrink keep to it.
    """

    run: RunFolder
    predicted: AnySplit | None
    validation: AnySplit | None
    classes: list[str]
    words: Callable[[str], str]
    anonymous: bool
    room: int = LARGEST

    @classmethod
    def read(cls, run: RunFolder, *, anonymous: bool = False) -> Page:
        """Read what the sections share.

        Raises:
            RunError: A file of the run is damaged.
        """
        classes = class_names(run)
        words: Callable[[str], str] = Redactor(names_of(run), classes) if anonymous else str
        return cls(run, read_predicted(run, "test"), read_predicted(run, "validation"), classes, words, anonymous)

    @property
    def task(self) -> AnyTask:
        """What differs from task to task."""
        return task_spec(self.run.task)


def class_names(folder: RunFolder) -> list[str]:
    """Return the class names, as early as any file of the run knows them."""
    if (folder.path / "preprocessing.json").exists():
        return list(folder.classes)
    return list(folder.info.get("data", {}).get("classes", []))


def training_facts(folder: RunFolder) -> dict[str, Any]:
    """Return how far training came, which epoch was kept and how long it took."""
    info, history = folder.info, folder.history
    return {
        "state": info.get("state", ""),
        "epochs": len(history),
        "planned": folder.recipe.training.epochs,
        "best": info.get("best"),
        "seconds": info.get("seconds"),
        "features": info.get("feature_extraction", ""),
        "epoch_seconds": float(np.median([row["seconds"] for row in folder.timings])) if folder.timings else None,
    }


_VIEWS = {
    "mirror": "Its probabilities are the mean over each image and its mirror image.",
    "any": "Its probabilities are the mean over all turns by a quarter and mirror images of each image.",
}


def network_facts(folder: RunFolder, *, anonymous: bool) -> dict[str, Any] | None:
    """Return what ``run.json`` says of the network; None where it says nothing yet."""
    network = folder.info.get("network")
    if not network:
        return None
    network = {"weights": "", "macs": None, "input": [], "layers": []} | network
    network["views"] = _VIEWS.get(folder.recipe.data.tta, "")
    if anonymous:
        for key in ("name", "weights"):
            network[key] = anonymous_network(network[key])
        if folder.recipe.network.weights:
            network["weights"] = "of another run"
    result: dict[str, Any] | None = network
    return result
