"""What every section of a report is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.classification import confusion_matrix
from opsin.reporting.privacy import Redactor, anonymous_network, names_of
from opsin.runfolder import RunFolder
from opsin.tasks.predictions import Classified

LARGEST = 5_000_000  # bytes of the whole file


@dataclass(frozen=True)
class Predicted:
    """Predictions of one split.

    Attributes:
        names: What each of the N images is called.
        labels: int64 ``(N,)``, the true classes.
        result: Probabilities.
        matrix: int64 ``(C, C)``, true class by predicted class.
    """

    names: list[str]
    labels: NDArray[np.int64]
    result: Classified
    matrix: NDArray[np.int64]

    @classmethod
    def read(cls, folder: RunFolder, split: str) -> Predicted | None:
        """Read a split's predictions; None where there are none yet."""
        if not (folder.path / f"predictions-{split}.csv").exists():
            return None
        names, labels, result = folder.predictions(split)
        return cls(names, labels, result, confusion_matrix(labels, result.labels, len(folder.classes)))


@dataclass(frozen=True)
class Page:
    """The report of a run, as far as all its sections share it.

    Attributes:
        run: The run, finished or not.
        predicted: Predictions on test; None where there are none yet.
        validation: The same on validation.
        classes: Class names; empty where no file of the run knows them yet.
        words: Takes the names of files, folders, groups and machines out of a text where the report is anonymous.
        anonymous: Whether such names are to be left out.
        room: Bytes that the file may still grow by. Sections that can shrink keep to it.
    """

    run: RunFolder
    predicted: Predicted | None
    validation: Predicted | None
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
        return cls(run, Predicted.read(run, "test"), Predicted.read(run, "validation"), classes, words, anonymous)


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


def network_facts(folder: RunFolder, *, anonymous: bool) -> dict[str, Any] | None:
    """Return what ``run.json`` says of the network; None where it says nothing yet."""
    network = folder.info.get("network")
    if not network:
        return None
    network = {"weights": "", "macs": None, "input": [], "layers": []} | network
    if anonymous:
        for key in ("name", "weights"):
            network[key] = anonymous_network(network[key])
        if folder.recipe.network.weights:
            network["weights"] = "of another run"
    return network
