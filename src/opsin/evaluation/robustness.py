"""How a classifier's accuracy holds up under corruptions, and what to expect of it on somebody else's images.

The second question is answered by simulation, from the images at hand alone: a simulated laboratory applies one fixed,
random combination of moderate corruptions to all its images, as another stain, camera, lamp, objective and file format
would. The spread of the accuracies over many such laboratories is what to expect in another one, as far as laboratories
differ in the ways that are simulated; what they do not know of (other patients, other kinds of cells, labels by other
people) comes on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from opsin.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt_by
from opsin.evaluation.elsewhere import Answers, foretell
from opsin.evaluation.intervals import wilson
from opsin.recipe_sections import AugmentationRecipe
from opsin.tasks.predictions import Classified

LABORATORIES = 30
STRONGEST = 3.0  # of the severities 0 to 5; up to here a person is still sure of the picture
# What differs from laboratory to laboratory, in the order in which it happens on the way from specimen to file.
LABORATORY = ("stain", "brightness", "scale", "blur", "cast", "contrast", "saturation", "noise", "jpeg")
AT_ONCE = 256  # images that are corrupted at a time

# Gives the probabilities of the classes, float32 (N, classes), of images uint8 (N, C, H, W).
Predict = Callable[[Tensor], NDArray[np.float32]]


def choose_images(labels: NDArray[np.int64], number: int, seed: int = 0) -> NDArray[np.int64]:
    """Choose images at random so that every class keeps its share; return their places, int64 ascending.

    Args:
        labels: int64 ``(N,)``.
        number: How many; all where there are no more.
        seed: Decides which.
    """
    order = np.lexsort((np.random.default_rng(seed).random(len(labels)), labels))
    number = min(number, len(labels))
    return np.sort(order[((np.arange(number) + 0.5) * len(labels) / max(number, 1)).astype(np.int64)])


def applicable(images: Tensor) -> list[str]:
    """Return the corruptions that images, uint8 ``(N, C, H, W)``, can have: those of color need color."""
    colored = images.shape[1] == 3 and bool((images[:, :1] != images[:, 1:]).any())
    return [name for name, corruption in CORRUPTIONS.items() if colored or not corruption.colored]


def predict_corrupted(
    predict: Predict, images: Tensor, severities: dict[str, float], ways: dict[str, float], seed: int = 0
) -> Classified:
    """Predict images, uint8 ``(N, C, H, W)``, after corruptions; see `opsin.data.corruptions.corrupt_by`."""
    parts = [
        predict(corrupt_by(some, severities, ways=ways, seed=seed + number))
        for number, some in enumerate(images.split(AT_ONCE))
    ]
    return Classified(np.concatenate(parts))


def measure_corruptions(
    predict: Predict,
    images: Tensor,
    labels: NDArray[np.int64],
    classes: Sequence[str],
    augmentation: AugmentationRecipe,
    severities: Sequence[int] = SEVERITIES,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Measure the accuracy under each corruption at each severity.

    Args:
        predict: The network.
        images: uint8 ``(N, C, H, W)``.
        labels: int64 ``(N,)``, the true classes.
        classes: Their names.
        augmentation: What training varied, so that what the network knows does not count as new.
        severities: Some of 1 to 5.
        progress: Called after each pass over the images.

    Returns:
        ``clean`` (accuracy as is), ``corruptions`` (for each its severities, and whether training has ``seen`` the
        like), ``mean`` (over those never seen; None where there are none), ``worst``, and ``classes`` (for each its
        recall as is and under the corruptions never seen). An accuracy is ``{"value", "low", "high", "method", "n"}``;
        under a corruption also ``lost`` and ``gained``, the images that it alone makes wrong and right.
    """
    before = Classified(predict(images)).labels == labels
    progress()
    rows = []
    unseen: list[NDArray[np.bool_]] = []
    for name in applicable(images):
        corruption = CORRUPTIONS[name]
        seen = corruption.seen(augmentation)
        row: dict[str, Any] = {
            "name": name,
            "title": corruption.title,
            "flag": corruption.flag,
            "seen": seen,
            "severities": [],
        }
        for severity in severities:
            after = predict_corrupted(predict, images, {name: severity}, {}).labels == labels
            progress()
            if not seen:
                unseen.append(after)
            changes = {"lost": int((before & ~after).sum()), "gained": int((after & ~before).sum())}
            meaning = corruption.meaning.format(corruption.amount(severity))
            row["severities"].append({"severity": severity, "amount": meaning, **_accuracy(after), **changes})
        rows.append(row)
    return {
        "clean": _accuracy(before),
        "corruptions": rows,
        "mean": float(np.mean(unseen)) if unseen else None,
        "worst": _worst(rows),
        "classes": _by_class(before, unseen, labels, classes),
    }


def _accuracy(correct: NDArray[np.bool_]) -> dict[str, Any]:
    return wilson(int(correct.sum()), len(correct)).to_dict()


def _worst(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the corruption that costs most over its severities, those that training has seen among them."""
    means = [float(np.mean([entry["value"] for entry in row["severities"]])) for row in rows]
    worst = int(np.argmin(means))
    return {"name": rows[worst]["name"], "title": rows[worst]["title"], "value": means[worst]}


def _by_class(
    before: NDArray[np.bool_], after: list[NDArray[np.bool_]], labels: NDArray[np.int64], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the recall of each class that is there, as is and under corruptions, that which suffers most first."""
    corrupted = np.mean(after, axis=0) if after else before.astype(float)
    rows = []
    for number, name in enumerate(classes):
        own = labels == number
        if own.any():
            recall, left = float(before[own].mean()), float(corrupted[own].mean())
            rows.append({"class": name, "n": int(own.sum()), "clean": recall, "corrupted": left})
    return sorted(rows, key=lambda row: row["corrupted"] - row["clean"])


def simulate_laboratories(
    predict: Predict,
    images: Tensor,
    labels: NDArray[np.int64],
    classes: int,
    number: int = LABORATORIES,
    strongest: float = STRONGEST,
    progress: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], Answers]:
    """Measure the accuracy in simulated laboratories.

    Each draws one severity, evenly from 0 to ``strongest``, and one way to go for everything in which laboratories
    differ, and applies them to all images.

    Args:
        predict: The network.
        images: uint8 ``(N, C, H, W)``.
        labels: int64 ``(N,)``.
        classes: How many there are.
        number: Of laboratories.
        strongest: Severity that is never exceeded, up to 5.
        progress: Called after each pass over the images: one at home, and one in each laboratory.

    Returns:
        ``number``, ``strongest``, ``images`` (of each class), ``right`` (for each laboratory and class, the images
        that are predicted right), ``severities`` (of each laboratory), and what `foretell` makes of them for images
        with the same shares of the classes. And what the network answers: at home, then in each laboratory.
    """
    names = [name for name in LABORATORY if name in applicable(images)]
    generator = np.random.default_rng(0)
    answers, drawn = [Classified(predict(images))], []
    progress()
    for laboratory in range(number):
        severities = dict(zip(names, generator.uniform(0, strongest, len(names)).tolist(), strict=True))
        ways = dict(zip(names, generator.uniform(0, 1, len(names)).tolist(), strict=True))
        answers.append(predict_corrupted(predict, images, severities, ways, seed=laboratory))
        drawn.append({name: round(severity, 3) for name, severity in severities.items()})
        progress()
    right = [np.bincount(labels[answer.labels == labels], minlength=classes).tolist() for answer in answers[1:]]
    counts = np.bincount(labels, minlength=classes).tolist()
    found = {"number": number, "strongest": strongest, "images": counts, "right": right, "severities": drawn}
    return found | foretell(found, counts), Answers.of(answers, labels)
