"""What a test score owes to groups (patients, slides, videos) that a given split has on both sides."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.data.images import TEST, TRAIN, VALIDATION
from opsin.errors import OpsinError
from opsin.evaluation.verdict.finding import Finding, number, with_interval
from opsin.recipe.recipe import Recipe
from opsin.recipe.schema import DataRecipe, SplitRecipe
from opsin.runs.cross_validation import CrossValidationFolder, list_cross_validations
from opsin.runs.folder import RunFolder
from opsin.statistics.bootstrap import Interval, bca, bootstrap, without_spread
from opsin.statistics.serialize import to_json
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.scorecard import group_method, score

# With fewer new images or groups, the score on them says little; one class alone says nothing of telling classes apart.
LEAST_IMAGES, LEAST_GROUPS = 30, 5
SCORES = ("accuracy", "balanced_accuracy")
LARGE, SMALL = 0.05, 0.02  # parts of accuracy: from the first on a leak is serious, below the second it is a note


def estimate_leak(
    labels: NDArray[np.int64], predictions: Classifications, groups: NDArray, seen: NDArray, classes: tuple[str, ...]
) -> dict[str, Any] | None:
    """Compare test images of groups that training had seen with those of new groups.

    The two are different images, so that their difference also holds what makes the groups themselves easy or hard; its
    interval comes from drawing groups of both kinds anew.

    Args:
        labels: int64 ``(N,)``, true classes of the test images.
        predictions: Of the N test images.
        groups: ``(N,)``, names of their groups.
        seen: ``(M,)``, names of the groups that are trained or validated on.
        classes: Class names.

    Returns:
        ``images``, ``leaked``, ``clean`` (numbers of images), ``groups``, ``shared`` (numbers of groups), ``scores``
        (all, leaked, clean -> accuracy and balanced accuracy with intervals), ``enough`` (whether enough clean images
        remain), and where they do, ``difference`` (accuracy and balanced accuracy on leaked images minus those on clean
        ones) and ``owed`` (accuracy on all images minus that on clean ones). None where no group is on both sides.
    """
    leaked = np.isin(groups, seen)
    if not leaked.any():
        return None
    clean = ~leaked
    enough = (
        int(clean.sum()) >= LEAST_IMAGES
        and len(np.unique(groups[clean])) >= LEAST_GROUPS
        and len(np.unique(labels[clean])) > 1
    )

    def scored(rows: NDArray[np.bool_]) -> dict[str, Any] | None:
        if not rows.any():
            return None
        entries = to_json(score(Classifications(predictions.probabilities[rows]), labels[rows], classes, groups[rows]))
        return {name: entries[name] for name in SCORES}

    result: dict[str, Any] = {
        "images": len(labels),
        "leaked": int(leaked.sum()),
        "clean": int(clean.sum()),
        "groups": len(np.unique(groups)),
        "shared": len(np.unique(groups[leaked])),
        "scores": {"all": scored(clean | leaked), "leaked": scored(leaked), "clean": scored(clean)},
        "enough": enough,
    }
    if enough:
        hits = predictions.labels == labels
        difference = _difference(labels, groups, (leaked, leaked & hits), (clean, clean & hits))
        # The accuracy on all is the mean of both, weighted by how many there are, which is a given of the split.
        part, entry = float(leaked.mean()), difference["accuracy"]
        owed = entry | {bound: part * entry[bound] for bound in ("value", "low", "high")}
        result |= {"difference": difference, "owed": {"accuracy": owed}}
    return result


def compare_with_unseen(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], unseen: NDArray[np.float64], groups: NDArray
) -> dict[str, Any]:
    """Compare a test score with that of cross-validation by group on the same images.

    Args:
        labels: int64 ``(N,)``, true classes of the test images.
        predicted: int64 ``(N,)``, what the network says that had seen their groups.
        unseen: float64 ``(N,)``; how often networks that had not seen their group are right, from 0 to 1.
        groups: ``(N,)``, names of their groups.

    Returns:
        Accuracy and balanced accuracy, each the paired difference (the network's minus the others') with the interval
        that comes from drawing groups.
    """
    every = np.ones(len(labels))
    return _difference(labels, groups, (every, predicted == labels), (every, unseen))


def _difference(
    labels: NDArray[np.int64],
    groups: NDArray,
    first: tuple[NDArray, NDArray],
    second: tuple[NDArray, NDArray],
) -> dict[str, Any]:
    """Return the difference of two accuracies, and of two balanced ones, each given as weights and hits ``(N,)``."""
    _, label = np.unique(labels, return_inverse=True)
    _, group = np.unique(groups, return_inverse=True)
    classes = int(label.max()) + 1
    columns = np.concatenate([label + part * classes for part in range(4)])
    values = np.concatenate([*first, *second]).astype(np.float64)
    shape = (int(group.max()) + 1, 4 * classes)
    terms = sparse.csr_array((values, (np.tile(group, 4), columns)), shape=shape)

    def scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        weights, hits, other_weights, other_hits = np.split(sums, 4, axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            plain = hits.sum(axis=-1) / weights.sum(axis=-1) - other_hits.sum(axis=-1) / other_weights.sum(axis=-1)
            balanced = (hits / weights).mean(axis=-1) - (other_hits / other_weights).mean(axis=-1)
        return np.stack([plain, balanced], axis=-1)

    result = bootstrap(terms, scores)
    lows, highs = bca(result)
    return {
        name: _entry(float(value), float(low), float(high), shape[0], len(labels))
        for name, value, low, high in zip(SCORES, result.values, lows, highs, strict=True)
        if not np.isnan(value)
    }


def _entry(value: float, low: float, high: float, units: int, images: int) -> dict[str, Any]:
    if np.isnan(low) or np.isnan(high):
        low, high = without_spread(value, units, least=-1.0)
    return Interval(value, low, high, group_method(units), images).to_dict()


def describe_leak(leak: dict[str, Any]) -> str:
    """Return in words what `estimate_leak` found, and what cross-validation says where ``leak["cross_validation"]`` has it."""
    whole = leak["scores"]["all"]["accuracy"]
    sentences = [
        f"{leak['leaked']:,} of the {leak['images']:,} test images come from groups that were trained or validated on "
        f"as well ({leak['shared']:,} of {leak['groups']:,} groups)."
    ]
    if leak["enough"]:
        sentences.append(
            f"Accuracy is {with_interval(leak['scores']['leaked']['accuracy'])} on them and "
            f"{with_interval(leak['scores']['clean']['accuracy'])} on the other {leak['clean']:,}: the test "
            f"accuracy of {number(whole['value'])} owes {_points(leak['owed']['accuracy'])} to known groups."
        )
    elif leak["clean"]:
        new = "1 image is" if leak["clean"] == 1 else f"{leak['clean']:,} images are"
        sentences.append(f"Only {new} of new groups, too few to say what the score owes to that.")
    else:
        sentences.append("No image is of a new group, and so none can say what the score owes to that.")
    if leak.get("cross_validation"):
        sentences.append(
            "Networks that had seen no image of the group are right on "
            f"{number(leak['cross_validation']['accuracy'])} of the same images, this one on {number(whole['value'])}: knowing "
            f"the groups is worth {_points(leak['cross_validation']['owed']['accuracy'])}."
        )
    return " ".join(sentences)


def _points(entry: dict[str, Any]) -> str:
    """Write a difference of accuracies: ``3.1 points (-0.5 to 6.2)``."""
    value, low, high = (100 * entry[key] for key in ("value", "low", "high"))
    return f"{value:.1f} points ({low:.1f} to {high:.1f})"


def leak_finding(leak: dict[str, Any]) -> Finding:
    """Return the finding on a given split that leaks, as severe as what the score owes to it."""
    owed = (leak.get("cross_validation") or leak).get("owed", {}).get("accuracy")
    severity = "warning"
    if owed is not None and owed["low"] > 0 and owed["value"] >= LARGE:
        severity = "serious"
    elif owed is not None and owed["high"] < SMALL:
        severity = "note"
    sentence, _, evidence = describe_leak(leak).partition(". ")
    measure = "" if owed is not None else f"Measure what it is worth: `{leak['command']}`. "
    return Finding(
        "leaky-split",
        severity,
        f"The given split leaks: {sentence.rstrip('.')}.",
        evidence,
        f"{measure}For new groups expect the lower score; `--no-given-split` shares all images out anew, groups whole.",
    )


def measure_leak(folder: RunFolder) -> dict[str, Any] | None:
    """Measure the leak of a run's split and write ``leak.json``.

    Where a cross-validation by group of the same images with the same recipe stands beside the run, the run's test
    images are compared with what its networks say of them.

    Args:
        folder: A run whose test split is scored.

    Returns:
        What `opsin.tasks.classification.leakage.estimate_leak` found, with ``cross_validation`` (its path, its accuracy on the test
        images, and what the run's score owes), ``command`` (what makes such a cross-validation) and ``reading``. None
        where the split does not leak.

    Raises:
        RunError: A file of the run is damaged.
    """
    if not folder.info.get("data", {}).get("groups"):
        return None
    rows = folder.split_rows()
    group_of = {row["image"]: row["group"] for row in rows}
    tested = folder.predicted(TEST)
    names, labels, predictions = tested.names, tested.targets.values, tested.predictions
    groups = np.array([group_of[name] for name in names])
    seen = np.unique([row["group"] for row in rows if row["split"] in (TRAIN, VALIDATION)])
    leak = estimate_leak(labels, predictions, groups, seen, folder.classes)
    if leak is None:
        return None
    crossval = _find_cross_validation(folder, rows)
    leak["command"] = f"opsin cross-validate {shlex.quote(str(folder.path))}"
    leak["cross_validation"] = None
    if crossval is not None:
        right = _right_unseen(crossval, names)
        owed = compare_with_unseen(labels, predictions.labels, right, groups)
        leak["cross_validation"] = {"path": crossval.path.name, "accuracy": float(right.mean()), "owed": owed}
    leak["reading"] = describe_leak(leak)
    folder.write("leak.json", leak)
    return leak


def _find_cross_validation(folder: RunFolder, rows: list[dict[str, str]]) -> CrossValidationFolder | None:
    """Return the cross-validation beside a run that has the same images, classes, groups and recipe, or None."""
    wanted, recipe = _identity(rows), _comparable(folder.recipe)
    found = []
    for crossval in list_cross_validations(folder.path.resolve().parent):
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


def _right_unseen(crossval: CrossValidationFolder, names: list[str]) -> NDArray[np.float64]:
    """Return how often the networks that had not seen an image's group are right on each image, float64 ``(N,)``."""
    pooled = crossval.out_of_fold().split
    right: dict[str, list[bool]] = {}
    for name, hit in zip(pooled.names, pooled.predictions.labels == pooled.targets.values, strict=True):
        right.setdefault(name, []).append(bool(hit))
    return np.array([np.mean(right[name]) for name in names])
