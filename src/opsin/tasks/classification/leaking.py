"""Finding out from the files of a run what its test score owes to groups that its split has on both sides."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.dataset import TEST, TRAIN, VALIDATION
from opsin.errors import OpsinError
from opsin.recipe.recipe import Recipe
from opsin.recipe.schema import DataRecipe, SplitRecipe
from opsin.runs.cross_validation import CrossvalFolder, list_crossvals
from opsin.runs.folder import RunFolder
from opsin.tasks.classification.leakage import compare_with_unseen, describe_leak, estimate_leak


def measure_leak(folder: RunFolder) -> dict[str, Any] | None:
    """Measure the leak of a run's split and write ``leak.json``.

    Where a cross-validation by group of the same images with the same recipe stands beside the run, the run's test
    images are compared with what its networks say of them.

    Args:
        folder: A run whose test split is scored.

    Returns:
        What `opsin.tasks.classification.leakage.estimate_leak` found, with ``crossval`` (its path, its accuracy on the test
        images, and what the run's score owes), ``command`` (what makes such a cross-validation) and ``reading``. None
        where the split does not leak.

    Raises:
        RunError: A file of the run is damaged.
    """
    if not folder.info.get("data", {}).get("groups"):
        return None
    rows = folder.split_rows()
    group_of = {row["image"]: row["group"] for row in rows}
    names, labels, predictions = folder.predictions(TEST)
    groups = np.array([group_of[name] for name in names])
    seen = np.unique([row["group"] for row in rows if row["split"] in (TRAIN, VALIDATION)])
    leak = estimate_leak(labels, predictions, groups, seen, folder.classes)
    if leak is None:
        return None
    crossval = _find_crossval(folder, rows)
    leak["command"] = f"opsin crossval {shlex.quote(str(folder.path))}"
    leak["crossval"] = None
    if crossval is not None:
        right = _right_unseen(crossval, names)
        owed = compare_with_unseen(labels, predictions.labels, right, groups)
        leak["crossval"] = {"path": crossval.path.name, "accuracy": float(right.mean()), "owed": owed}
    leak["reading"] = describe_leak(leak)
    folder.write("leak.json", leak)
    return leak


def _find_crossval(folder: RunFolder, rows: list[dict[str, str]]) -> CrossvalFolder | None:
    """Return the cross-validation beside a run that has the same images, classes, groups and recipe, or None."""
    wanted, recipe = _identity(rows), _comparable(folder.recipe)
    found = []
    for crossval in list_crossvals(folder.path.resolve().parent):
        try:
            first = crossval.runs()[0]
            if _comparable(first.recipe) == recipe and _identity(first.split_rows()) == wanted:
                found.append(crossval)
        except OpsinError:  # a cross-validation whose runs are damaged says nothing
            continue
    return max(found, key=lambda crossval: crossval.info["repeats"], default=None)


def _identity(rows: list[dict[str, str]]) -> set[tuple[str, ...]]:
    return {(row["image"], row["class"], row["group"], row["digest"]) for row in rows}


def _comparable(recipe: Recipe) -> Recipe:
    """Return a recipe without what tells a run from its cross-validation: split, and what follows from its size."""
    training = replace(
        recipe.training, epochs=None, minutes=None, batch_size=None, freeze_epochs=None, precision="auto"
    )
    return replace(recipe, data=DataRecipe(image_size=recipe.data.image_size), split=SplitRecipe(), training=training)


def _right_unseen(crossval: CrossvalFolder, names: list[str]) -> NDArray[np.float64]:
    """Return how often the networks that had not seen an image's group are right on each image, float64 ``(N,)``."""
    pooled = crossval.out_of_fold()
    right: dict[str, list[bool]] = {}
    for name, hit in zip(pooled.names, pooled.predictions.labels == pooled.labels, strict=True):
        right.setdefault(name, []).append(bool(hit))
    return np.array([np.mean(right[name]) for name in names])
