"""Robustness of a network under corruptions, and simulated domain shift.

A simulated laboratory applies one fixed, random combination of moderate corruptions to all its images, as another
stain, camera, lamp, objective and file format would. The distribution of the scores over many such laboratories
estimates the score in a real one, as far as laboratories differ in the simulated properties. Other patients, other
kinds of cells and other annotators are not simulated and add to the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from opsin.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt_by, move_targets
from opsin.data.targets import Targets
from opsin.inspection.domain_shift import Answers, estimate_accuracy
from opsin.metrics.names import describe_score
from opsin.recipe.schema import AugmentationRecipe
from opsin.statistics.bootstrap import Interval, bca, bootstrap, bounded, wilson
from opsin.statistics.means import mean_terms, means_of
from opsin.tasks.base import Predictions
from opsin.tasks.registry import task_spec

LABORATORIES = 30
STRONGEST = 3.0  # of the severities 0 to 5; up to here a person still recognizes the image
# Properties that differ between laboratories, in their order on the way from specimen to file.
LABORATORY = ("stain", "brightness", "scale", "blur", "cast", "contrast", "saturation", "noise", "jpeg")
AT_ONCE = 256  # images that are corrupted at a time; fewer if they are large
VALUES_AT_ONCE = AT_ONCE * 3 * 256 * 256

PerImage = NDArray[np.bool_] | NDArray[np.float64]  # of each image; see `opsin.evaluation.per_image`


@dataclass(frozen=True)
class Trial:
    """N images with known targets, and the network to test on them.

    Attributes:
        predict: Returns the predictions for images uint8 ``(K, C, H, W)``.
        images: uint8 ``(N, C, H, W)``.
        targets: Targets of the images; masks are warped with their images.
        classes: Names of the outputs.
        task: As in ``recipe.task``.
    """

    predict: Callable[[Tensor], Predictions]
    images: Tensor
    targets: Targets
    classes: tuple[str, ...]
    task: str = "classification"

    @property
    def score(self) -> str:
        """Name of the score: the mean over the images of what `look` gives of each."""
        return task_spec(self.task).per_image_metric

    def look(self, severities: dict[str, float], ways: dict[str, float], seed: int = 0) -> tuple[Predictions, PerImage]:
        """Predict the images after corruptions; see `opsin.data.corruptions.corrupt_by`.

        Returns:
            The predictions, and the score or error of each.
        """
        predictions, targets = [], []
        few = max(1, min(AT_ONCE, VALUES_AT_ONCE // self.images[0].numel()))
        for number, start in enumerate(range(0, len(self.images), few)):
            part, noise = slice(start, start + few), seed + number
            predictions.append(self.predict(corrupt_by(self.images[part], severities, ways=ways, seed=noise)))
            still = self.targets.take(part)
            targets.append(move_targets(still, self.images[part], severities, ways=ways, seed=noise))
        joined = type(predictions[0]).join(predictions)
        values = task_spec(self.task).per_image(type(targets[0]).join(targets), joined)
        return joined, values


def choose_images(labels: NDArray[np.int64], number: int, seed: int = 0) -> NDArray[np.int64]:
    """Draw a random sample stratified by class; return sorted indices, int64.

    Args:
        labels: int64 ``(N,)``.
        number: Sample size; all images if there are no more.
        seed: Random seed.
    """
    order = np.lexsort((np.random.default_rng(seed).random(len(labels)), labels))
    number = min(number, len(labels))
    return np.sort(order[((np.arange(number) + 0.5) * len(labels) / max(number, 1)).astype(np.int64)])


def applicable(images: Tensor) -> list[str]:
    """Return the corruptions that images, uint8 ``(N, C, H, W)``, can have; those of color need color images."""
    colored = images.shape[1] == 3 and bool((images[:, :1] != images[:, 1:]).any())
    return [name for name, corruption in CORRUPTIONS.items() if colored or not corruption.colored]


def measure_corruptions(
    trial: Trial,
    augmentation: AugmentationRecipe,
    severities: Sequence[int] = SEVERITIES,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Measure the score under each corruption at each severity.

    Args:
        trial: The images and the network.
        augmentation: Augmentation of the training, to mark corruptions that were seen in training.
        severities: Severities from 1 to 5.
        progress: Called after each pass over the images.

    Returns:
        ``score`` (its name), ``clean`` (its value on unaltered images), ``corruptions`` (for each its severities, and
        whether it was ``seen`` in training), ``mean`` (over unseen ones; None if there are none), ``worst``, and
        ``classes`` (of a classifier: recall of each on unaltered images and under unseen corruptions). A value is
        ``{"value", "low", "high", "method", "n"}``; under a corruption also ``cost``, the loss of score,
        and ``error``, its standard error under no loss.
    """
    _, before = trial.look({}, {})
    progress()
    names = applicable(trial.images)
    after: dict[tuple[str, int], PerImage] = {}
    for name in names:
        for severity in severities:
            _, after[name, severity] = trial.look({name: severity}, {})
            progress()
    worse = 1.0 if describe_score(trial.score).lower_is_better else -1.0
    clean, *means = _means([before, *after.values()], trial.score)
    entries = {
        (name, severity): {
            "severity": severity,
            "amount": CORRUPTIONS[name].meaning.format(CORRUPTIONS[name].amount(severity)),
            **mean.to_dict(),
            **_cost(worse * (after[name, severity].astype(np.float64) - before)),
        }
        for (name, severity), mean in zip(after, means, strict=True)
    }
    rows, unseen = [], []
    for name in names:
        corruption = CORRUPTIONS[name]
        seen = corruption.seen(augmentation)
        unseen += [] if seen else [after[name, severity] for severity in severities]
        own = [entries[name, severity] for severity in severities]
        rows.append({"name": name, "title": corruption.title, "flag": corruption.flag, "seen": seen, "severities": own})
    return {
        "score": trial.score,
        "clean": clean.to_dict(),
        "corruptions": rows,
        "mean": float(np.nanmean(unseen)) if unseen else None,
        "worst": _worst(rows, worse),
        "classes": _by_class(before, unseen, trial) if task_spec(trial.task).exclusive else [],
    }


def _means(values: Sequence[PerImage], score: str) -> list[Interval]:
    """Return the mean over images of each of several values, with its 95 % interval."""
    if values[0].dtype == np.bool_:
        return [wilson(int(each.sum()), len(each)) for each in values]
    columns = np.stack(values, axis=1).astype(np.float64)
    result = bootstrap(sparse.csr_array(mean_terms(columns)), means_of)
    largest = 1.0 if describe_score(score).part else float(np.nanmax(columns, initial=0.0))
    known = np.isfinite(columns).sum(axis=0)
    return [
        bounded(float(value), float(low), float(high), "BCa over images", int(number), float(number), largest)
        for value, low, high, number in zip(result.values, *bca(result), known, strict=True)
    ]


def _cost(lost: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean loss of score over images, and its standard error under no loss."""
    lost = lost[np.isfinite(lost)]
    number = max(len(lost), 1)
    return {"cost": float(lost.sum()) / number, "error": float(np.linalg.norm(lost)) / number}


def _worst(rows: list[dict[str, Any]], worse: float) -> dict[str, Any]:
    """Return the corruption with the largest mean cost over its severities, including those seen in training."""
    means = [float(np.mean([entry["value"] for entry in row["severities"]])) for row in rows]
    worst = int(np.argmax(worse * np.array(means)))
    return {"name": rows[worst]["name"], "title": rows[worst]["title"], "value": means[worst]}


def _by_class(before: PerImage, after: list[PerImage], trial: Trial) -> list[dict[str, Any]]:
    """Return the recall of each present class, unaltered and under corruptions, most affected first."""
    corrupted = np.mean(after, axis=0) if after else before.astype(float)
    rows = []
    for number, name in enumerate(trial.classes):
        own = trial.targets.strata(trial.classes) == number
        if own.any():
            recall, left = float(before[own].mean()), float(corrupted[own].mean())
            rows.append({"class": name, "n": int(own.sum()), "clean": recall, "corrupted": left})
    return sorted(rows, key=lambda row: row["corrupted"] - row["clean"])


def simulate_laboratories(
    trial: Trial,
    number: int = LABORATORIES,
    strongest: float = STRONGEST,
    progress: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], Answers | None]:
    """Measure the score in simulated laboratories.

    Each laboratory draws one severity uniformly from 0 to ``strongest`` and one direction for every simulated
    property, and applies them to all images.

    Args:
        trial: The images and the network.
        number: Number of laboratories.
        strongest: Maximum severity, up to 5.
        progress: Called after each pass over the images: one unaltered, and one per laboratory.

    Returns:
        ``number``, ``strongest``, ``severities`` (of each laboratory), and its ``scores``; for a
        classifier instead ``images`` (per class) and ``right`` (correct images per laboratory and class). Also the
        result of `estimate_accuracy` for images with the same class frequencies. Then, for a classifier, its answers on
        unaltered images and in each laboratory.
    """
    names = [name for name in LABORATORY if name in applicable(trial.images)]
    generator = np.random.default_rng(0)
    at_home, _ = trial.look({}, {})
    progress()
    exclusive = task_spec(trial.task).exclusive
    answers, drawn, values = [at_home], [], []
    for laboratory in range(number):
        severities = dict(zip(names, generator.uniform(0, strongest, len(names)).tolist(), strict=True))
        ways = dict(zip(names, generator.uniform(0, 1, len(names)).tolist(), strict=True))
        predictions, seen = trial.look(severities, ways, seed=laboratory)
        answers += [predictions] if exclusive else []  # masks would exhaust memory
        values.append(seen)
        drawn.append({name: round(severity, 3) for name, severity in severities.items()})
        progress()
    found: dict[str, Any] = {"number": number, "strongest": strongest, "severities": drawn}
    if not exclusive:
        found["scores"] = [float(np.nanmean(each)) for each in values]
        return found | estimate_accuracy(found, score=trial.score), None
    classes = len(trial.classes)
    truth = trial.targets.strata(trial.classes)
    found["images"] = np.bincount(truth, minlength=classes).tolist()
    found["right"] = [np.bincount(truth[each], minlength=classes).tolist() for each in values]
    return found | estimate_accuracy(found, found["images"]), Answers.of(answers, truth)
