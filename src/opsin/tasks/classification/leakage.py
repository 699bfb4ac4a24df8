"""Effect of a leaky split on the test score: groups (patients, slides, videos) in both training and test."""

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

# With fewer new images or groups, or a single class, the score on them is not informative.
LEAST_IMAGES, LEAST_GROUPS = 30, 5
SCORES = ("accuracy", "balanced_accuracy")
LARGE, SMALL = 0.05, 0.02  # of accuracy: from the first on a leak is serious, below the second it is a note


def estimate_leak(
    labels: NDArray[np.int64],
    predictions: Classifications,
    groups: NDArray[Any],
    seen: NDArray[Any],
    classes: tuple[str, ...],
) -> dict[str, Any] | None:
    """Compare test images from groups that are also in training with those from new groups.

    The images differ, so the difference also includes how easy or hard the groups themselves are. Its interval comes
    from resampling groups of both kinds.

    Args:
        labels: int64 ``(N,)``, true classes of the test images.
        predictions: Predictions for the N test images.
        groups: ``(N,)``, names of their groups.
        seen: ``(M,)``, names of the groups in training or validation.
        classes: Class names.

    Returns:
        ``images``, ``leaked``, ``clean`` (numbers of images), ``groups``, ``shared`` (numbers of groups), ``scores``
        (all, leaked, clean -> accuracy and balanced accuracy with intervals), ``enough`` (whether enough clean images
        remain), and if so, ``difference`` (accuracy and balanced accuracy on leaked images minus those on clean
        ones) and ``owed`` (accuracy on all images minus that on clean ones). None if no group is on both sides.
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
        # The accuracy on all images is the mean of both, weighted by their numbers, which are fixed by the split.
        part, entry = float(leaked.mean()), difference["accuracy"]
        owed = entry | {bound: part * entry[bound] for bound in ("value", "low", "high")}
        result |= {"difference": difference, "owed": {"accuracy": owed}}
    return result


def compare_with_unseen(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], unseen: NDArray[np.float64], groups: NDArray[Any]
) -> dict[str, Any]:
    """Compare a test score with that of cross-validation by group on the same images.

    Args:
        labels: int64 ``(N,)``, true classes of the test images.
        predicted: int64 ``(N,)``, predictions of the network that was trained on their groups.
        unseen: float64 ``(N,)``; fraction of the networks not trained on their group that are correct, from 0 to 1.
        groups: ``(N,)``, names of their groups.

    Returns:
        Accuracy and balanced accuracy, each the paired difference (the network's minus the others') with an interval
        from resampling groups.
    """
    every = np.ones(len(labels))
    return _difference(labels, groups, (every, predicted == labels), (every, unseen))


def _difference(
    labels: NDArray[np.int64],
    groups: NDArray[Any],
    first: tuple[NDArray[Any], NDArray[Any]],
    second: tuple[NDArray[Any], NDArray[Any]],
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
    """Describe the result of `estimate_leak`, and that of cross-validation if ``leak["cross_validation"]`` is set."""
    whole = leak["scores"]["all"]["accuracy"]
    sentences = [
        f"{leak['leaked']:,} of the {leak['images']:,} test images come from groups that are also in training or "
        f"validation ({leak['shared']:,} of {leak['groups']:,} groups)."
    ]
    if leak["enough"]:
        sentences.append(
            f"Accuracy is {with_interval(leak['scores']['leaked']['accuracy'])} on them and "
            f"{with_interval(leak['scores']['clean']['accuracy'])} on the other {leak['clean']:,}: the leak "
            f"contributes {_points(leak['owed']['accuracy'])} to the test accuracy of {number(whole['value'])}."
        )
    elif leak["clean"]:
        new = "1 image is" if leak["clean"] == 1 else f"{leak['clean']:,} images are"
        sentences.append(f"Only {new} from new groups, too few to measure the effect of the leak on the score.")
    else:
        sentences.append(
            "No test image comes from a new group, so the effect of the leak on the score cannot be measured."
        )
    if leak.get("cross_validation"):
        sentences.append(
            f"Networks without training images of the group classify {number(leak['cross_validation']['accuracy'])} "
            f"of the same images correctly, this one {number(whole['value'])}: the leak contributes "
            f"{_points(leak['cross_validation']['owed']['accuracy'])}."
        )
    return " ".join(sentences)


def _points(entry: dict[str, Any]) -> str:
    """Format a difference of accuracies: ``3.1 points (-0.5 to 6.2)``."""
    value, low, high = (100 * entry[key] for key in ("value", "low", "high"))
    return f"{value:.1f} points ({low:.1f} to {high:.1f})"


def leak_finding(leak: dict[str, Any]) -> Finding:
    """Return the finding on a leaky given split, with a severity by its effect on the score."""
    owed = (leak.get("cross_validation") or leak).get("owed", {}).get("accuracy")
    severity = "warning"
    if owed is not None and owed["low"] > 0 and owed["value"] >= LARGE:
        severity = "serious"
    elif owed is not None and owed["high"] < SMALL:
        severity = "note"
    sentence, _, evidence = describe_leak(leak).partition(". ")
    measure = "" if owed is not None else f"Measure the effect: `{leak['command']}`. "
    return Finding(
        "leaky-split",
        severity,
        f"The given split has a data leak: {sentence.rstrip('.')}.",
        evidence,
        f"{measure}For new groups expect the lower score. `--no-given-split` makes a new split with whole groups.",
    )


def measure_leak(folder: RunFolder) -> dict[str, Any] | None:
    """Measure the leak of a run's split and write ``leak.json``.

    If a cross-validation by group of the same images with the same recipe lies next to the run, the run's predictions
    on test are compared with those of its networks.

    Args:
        folder: A run whose test split is scored.

    Returns:
        Result of `estimate_leak`, with ``cross_validation`` (its path, its accuracy on the test images, and the effect
        on the run's score), ``command`` (the command for such a cross-validation) and ``reading``. None if the split
        does not leak.

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
    """Return the cross-validation next to a run with the same images, classes, groups and recipe, or None."""
    wanted, recipe = _identity(rows), _comparable(folder.recipe)
    found = []
    for crossval in list_cross_validations(folder.path.resolve().parent):
        try:
            first = crossval.runs()[0]
            if _comparable(first.recipe) == recipe and _identity(first.split_rows()) == wanted:
                found.append(crossval)
        except OpsinError:  # a cross-validation with damaged runs is skipped
            continue
    return max(found, key=lambda crossval: crossval.info["repeats"], default=None)


def _identity(rows: list[dict[str, str]]) -> set[tuple[str, ...]]:
    return {(row["image"], row["class"], row["group"], row["digest"]) for row in rows}


def _comparable(recipe: Recipe) -> Recipe:
    """Return a recipe without the keys that differ between a run and its cross-validation (split and its size)."""
    training = replace(
        recipe.training, epochs=None, minutes=None, batch_size=None, freeze_epochs=None, precision="auto"
    )
    return replace(recipe, data=DataRecipe(image_size=recipe.data.image_size), split=SplitRecipe(), training=training)


def _right_unseen(crossval: CrossValidationFolder, names: list[str]) -> NDArray[np.float64]:
    """Return for each image the fraction of networks not trained on its group that are correct, float64 ``(N,)``."""
    pooled = crossval.out_of_fold().split
    right: dict[str, list[bool]] = {}
    for name, hit in zip(pooled.names, pooled.predictions.labels == pooled.targets.values, strict=True):
        right.setdefault(name, []).append(bool(hit))
    return np.array([np.mean(right[name]) for name in names])
