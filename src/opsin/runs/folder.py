"""The run folder: what one recipe makes, as files that people and programs can read.

::

    recipe.toml            the resolved recipe, which reproduces the run
    run.json               format version, state, machine, data set, network, throughput (`RunFolder.info`)
    split.csv              image, class, split, group, digest: where every sample went
    history.jsonl          a line per epoch: learning rate, training and validation scores (equal for equal recipes)
    timings.jsonl          a line per epoch: seconds, images per second
    audit.json             what was found in the images, and what was decided about them
    checkpoint.safetensors everything that resuming needs
    best.safetensors       the weights that did best on validation
    preprocessing.json     how an image becomes the network's input, and what its outputs are called
    calibration.json       what was learned on validation images: for a classifier the temperature of its logits
    unlike.safetensors     what training images look like to the network, to know those that are unlike them
    predictions-test.csv   a row per image: true and predicted class, all probabilities
    thumbnails-test.npz    small pictures of the images that the report's gallery shows
    attributions.npz       heat maps of some of these images
    attributions.json      how they were made, and how much of them lies along the border
    map.npz                validation images laid out by what the network makes of them
    scorecard.json         split -> score -> value, low, high, method, n
    robustness.json        scores under corruptions and in simulated laboratories, where the run was inspected
    laboratories.npz       what the network answered in the simulated laboratories
    readers.csv            what people saw in the test images, where `opsin report --readers` was given it
    verdict.json           the findings in plain language
    leak.json              what the test score owes to groups on both sides of a given split, where there are any
    looks.jsonl            every time the locked test split was opened
    report.html            all of it for people
    events.out.tfevents.*  the curves for TensorBoard
"""

from __future__ import annotations

import csv
import functools
import json
import math
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.errors import OpsinError, RunError
from opsin.recipe.recipe import Recipe
from opsin.storage.atomic import (
    damage_explained,
    read_json_lines,
    replacing,
    write_csv,
    write_json,
    write_json_lines,
    write_text,
)
from opsin.tasks.base import AnySplit
from opsin.tasks.registry import task_spec
from opsin.version import __version__

FORMAT = 2  # 1: keys and files had other names
STATES = ("training", "interrupted", "failed", "finished")
UNMADE = re.compile(r"recipe\.toml|\.(recipe\.toml|run\.json)\..+")  # what is there before run.json is


class RunFolder:
    """Read and write the files of one run.

    Args:
        path: A folder that holds a ``run.json``; use `create` for a new one.

    Raises:
        RunError: There is no run, its ``run.json`` is damaged, or it was written by another version of the format.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.exists():
            raise RunError(f"There is no run {self.path}. `opsin runs` lists the runs that are here.")
        if not (self.path / "run.json").exists():
            raise RunError(f"{self.path} is not a run: it has no run.json. `opsin runs` lists the runs that are here.")
        info = self.info
        version = info.get("format")
        if version != FORMAT:
            made_by = info.get("opsin", "an unknown version")
            raise RunError(
                f"{self.path} has run format {version}, written by Opsin {made_by}; Opsin {__version__} reads "
                f"format {FORMAT}. Train a new run, or install the version that made it."
            )
        with damage_explained(self.path / "run.json"):
            datetime.fromisoformat(info["created"])
            if info["state"] not in STATES:
                raise ValueError(f"there is no state {info['state']!r}")

    @classmethod
    def create(cls, path: str | Path, recipe: Recipe, **facts: Any) -> RunFolder:
        """Make a new run folder that holds the recipe, and further facts in its ``run.json``.

        Raises:
            RunError: The folder holds another run or other files.
        """
        path = Path(path)
        cls.check_free(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"The run folder {path} cannot be made: {error.strerror}. Choose another with --out."
            ) from None
        write_text(path / "recipe.toml", recipe.to_toml())
        created = datetime.now(UTC).isoformat(timespec="seconds")
        info = {
            "format": FORMAT,
            "opsin": __version__,
            "recipe": recipe.hash,
            "state": "training",
            "created": created,
        }
        write_json(path / "run.json", info | facts)  # last: a folder without it is no run
        return cls(path)

    @staticmethod
    def check_free(path: Path) -> None:
        """Raise unless a folder can become that of a new run.

        Raises:
            RunError: It holds another run or other files.
        """
        if path.is_file():
            raise RunError(f"{path} is a file; the run needs a folder of its own. Choose another with --out.")
        if (path / "run.json").exists():
            raise RunError(
                f"{path} holds another run. Choose another folder with --out, or go on with it: "
                f"opsin train --resume {path}"
            )
        if path.exists() and any(path.iterdir()):
            raise RunError(f"{path} is not empty; the run needs a folder of its own. Choose another with --out.")

    @classmethod
    def clear_unmade(cls, path: Path) -> None:
        """Remove a folder whose process ended while it made it: without a ``run.json``, with a recipe at most.

        For folders whose names no person chose; one that holds anything else stays as it is.
        """
        if path.is_dir() and all(UNMADE.fullmatch(each.name) for each in path.iterdir()):
            shutil.rmtree(path)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def info(self) -> dict[str, Any]:
        """What ``run.json`` holds.

        Always ``format``, ``opsin`` (version), ``recipe`` (hash), ``state`` (training, interrupted, failed or finished)
        and ``created``; then ``machine``, ``data``, ``network``, ``throughput`` and ``best``, as far as the run has
        come, and ``positive`` and ``aims`` once a person has decided on them (`opsin.workflow.operating_point`).
        """
        result: dict[str, Any] = self.read("run.json")
        return result

    def update(self, **values: Any) -> None:
        """Set entries of ``run.json``."""
        write_json(self.path / "run.json", self.info | values)

    @functools.cached_property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return Recipe.read(self.path / "recipe.toml")

    @property
    def task(self) -> str:
        """What was learned, a key of `opsin.tasks.registry.TASKS`; classification where the recipe does not say it."""
        return self.recipe.task or "classification"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the network's outputs, in their order: of classes, of labels, or of the one value."""
        with damage_explained(self.path / "preprocessing.json"):
            return tuple(self.read("preprocessing.json")["classes"])

    @property
    def positive(self) -> str | None:
        """Of two classes the one that is looked for, None where there are not two.

        The one chosen with ``opsin report --positive``; otherwise the rarer in training, of equally many the last.
        """
        classes, info = self.classes, self.info
        if len(classes) != 2 or not task_spec(self.task).exclusive:
            return None
        first, last = info.get("data", {}).get("counts", {}).get("train", (1, 1))
        return info.get("positive") or classes[0 if first < last else 1]

    @property
    def history(self) -> list[dict[str, Any]]:
        """One entry per epoch: ``{"epoch": 1, "learning_rate": …, "train": {score: value}, "validation": {…}}``."""
        return read_json_lines(self.path / "history.jsonl")

    @property
    def timings(self) -> list[dict[str, Any]]:
        """One entry per epoch: ``{"epoch": 1, "seconds": …}``."""
        return read_json_lines(self.path / "timings.jsonl")

    @property
    def calibration(self) -> dict[str, Any]:
        """What ``calibration.json`` holds (`opsin.evaluation.calibration.Calibration`); empty where there is none."""
        path = self.path / "calibration.json"
        calibration = self.read("calibration.json") if path.exists() else {}
        with damage_explained(path):
            if not 0 < float(calibration.get("temperature", 1)) < math.inf:
                raise ValueError(f"{calibration['temperature']} is no temperature")
        return calibration

    @property
    def fitted_state(self) -> dict[str, Any]:
        """What prediction needs beside the weights: fitted on training targets, and on validation."""
        result: dict[str, Any] = self.read("preprocessing.json").get("targets", {}) | self.calibration
        return result

    @property
    def temperature(self) -> float:
        """What a classifier's logits are divided by; 1 for runs that were not calibrated."""
        return float(self.calibration.get("temperature", 1))

    @property
    def scorecard(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Split -> score -> ``{"value", "low", "high", "method", "n"}``; per-class scores are named ``recall/cat``."""
        return self.read("scorecard.json") if (self.path / "scorecard.json").exists() else {}

    @property
    def verdict(self) -> list[dict[str, str]]:
        """Findings: ``{"kind", "severity", "sentence", "evidence", "advice"}``."""
        return self.read("verdict.json", list) if (self.path / "verdict.json").exists() else []

    @property
    def robustness(self) -> dict[str, Any]:
        """What `opsin.inspection.robustness` found out; empty where the network was not inspected."""
        found = self.read("robustness.json") if (self.path / "robustness.json").exists() else {}
        return found if "score" in found else {}  # older versions knew of accuracy alone; inspect such a run again

    @property
    def attributions(self) -> dict[str, Any]:
        """How the heat maps were made and how much lies along the border; empty where it was not inspected."""
        return self.read("attributions.json") if (self.path / "attributions.json").exists() else {}

    @property
    def audit(self) -> dict[str, Any]:
        """What was found in the images: ``decisions`` (counts, or None) and ``findings``; empty where nobody looked."""
        return self.read("audit.json") if (self.path / "audit.json").exists() else {}

    @property
    def looks(self) -> list[dict[str, Any]]:
        """Every opening of the locked test split: ``{"time", "recipe", "split", "why"}``."""
        return read_json_lines(self.path / "looks.jsonl")

    def add_look(self, split: str, why: str) -> None:
        """Log that a locked split is opened, before it is."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        look = {"time": now, "recipe": self.recipe.hash, "split": split, "why": why}
        write_json_lines(self.path / "looks.jsonl", [*self.looks, look])

    def write(self, name: str, value: Any) -> None:
        """Write a ``.json`` or ``.jsonl`` file of the run in one step."""
        (write_json_lines if name.endswith(".jsonl") else write_json)(self.path / name, value)

    def write_split(self, rows: list[list[str]]) -> None:
        """Write ``split.csv`` from rows of image, class, split, group, digest."""
        write_csv(self.path / "split.csv", ["image", "class", "split", "group", "digest"], rows)

    def digests(self, *splits: str) -> NDArray[np.uint64]:
        """Return the digests of the pixels of all images in some splits, uint64 ``(N,)``."""
        with damage_explained(self.path / "split.csv"):
            chosen = [int(row["digest"], 16) for row in self.split_rows() if row["split"] in splits]
        return np.array(chosen, np.uint64)

    def split_rows(self) -> list[dict[str, str]]:
        """Return the rows of ``split.csv``: ``{"image", "class", "split", "group", "digest"}``.

        Raises:
            RunError: The file is missing or damaged.
        """
        path = self.path / "split.csv"
        with damage_explained(path), path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def groups(self, split: str) -> NDArray[np.str_] | None:
        """Return which group each image of a split is from, ``(N,)``; None where each image stands for itself.

        Args:
            split: One of the run's own; the order is that of its predictions.
        """
        if not self.info.get("data", {}).get("groups"):
            return None
        path = self.path / "split.csv"
        with damage_explained(path), path.open(newline="", encoding="utf-8") as file:
            return np.array([row["group"] for row in csv.DictReader(file) if row["split"] == split], np.str_)

    def write_predictions(self, split: str, predicted: AnySplit) -> None:
        """Write the predictions of a split, ``predictions-SPLIT.csv`` and what its task keeps beside it."""
        task_spec(self.task).store().write(self.path / f"predictions-{split}.csv", self.classes, predicted)

    def predicted(self, split: str) -> AnySplit:
        """Return names, targets and predictions of a split; its groups where it is one of the run's own.

        Raises:
            RunError: The split was not predicted yet, or the file is damaged.
        """
        path = self.path / f"predictions-{split}.csv"
        if not path.exists():
            raise RunError(f"{self.path} has no predictions for its {split} split yet: opsin evaluate {self.path}")
        predicted = task_spec(self.task).store().read(path, self.classes)
        groups = self.groups(split)
        return predicted if groups is None or len(groups) != len(predicted) else replace(predicted, groups=groups)

    def write_thumbnails(self, split: str, rows: NDArray[np.int64], images: NDArray[np.uint8]) -> None:
        """Keep small pictures of some rows of the predictions for the gallery.

        Args:
            split: Which split.
            rows: int64 ``(K,)``; rows of ``predictions-SPLIT.csv``.
            images: uint8 ``(K, H, W, C)``.
        """
        self.write_arrays(f"thumbnails-{split}.npz", rows=rows, images=images)

    def thumbnails(self, split: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return rows int64 ``(K,)`` and images uint8 ``(K, H, W, C)``; empty where none were kept.

        Raises:
            RunError: The file is damaged.
        """
        name = f"thumbnails-{split}.npz"
        if not (self.path / name).exists():
            return np.zeros(0, np.int64), np.zeros((0, 1, 1, 3), np.uint8)
        stored = self.arrays(name, "rows", "images")
        return stored["rows"], stored["images"]

    def write_arrays(self, name: str, **arrays: NDArray[Any]) -> None:
        """Write a ``.npz`` file of the run in one step."""
        with replacing(self.path / name) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy takes them for its own options

    def arrays(self, name: str, *needed: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of a ``.npz`` file of the run.

        Args:
            name: The file.
            needed: The arrays it has to hold.

        Raises:
            RunError: It is missing or damaged.
        """
        path = self.path / name
        if not path.exists():
            raise RunError(f"{self.path} has no {name}: the run ended before it was written.")
        # Opened here, because np.load leaves a damaged file open.
        with damage_explained(path), path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {key: stored[key] for key in needed}

    def read(self, name: str, kind: type = dict) -> Any:
        """Read a ``.json`` file of the run, which holds a table or, with ``kind=list``, a list.

        Raises:
            RunError: It is missing or damaged.
        """
        path = self.path / name
        if not path.exists():
            raise RunError(f"{self.path} has no {name}: the run ended before it was written.")
        with damage_explained(path):
            value = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(value, kind):
                raise ValueError(f"it holds no {'list' if kind is list else 'table'}")
            return value


def list_runs(folder: str | Path = "runs") -> list[RunFolder]:
    """Return the runs directly below a folder, newest first; those with damaged files are skipped."""
    runs = []
    for path in Path(folder).glob("*/run.json"):
        try:
            run = RunFolder(path.parent)
            _ = run.recipe, run.history, run.scorecard
        except OpsinError:
            continue
        runs.append(run)
    return sorted(runs, key=lambda run: run.info["created"], reverse=True)
