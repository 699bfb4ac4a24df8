"""Findings from the scorecard: nothing learned, weak classes, few training images, miscalibration."""

from __future__ import annotations

from statistics import NormalDist, median
from typing import Any

from numpy.typing import NDArray

from opsin.evaluation.verdict.finding import Finding, chance_level, counts_of, number, with_interval

Scores = dict[str, dict[str, Any]]

SHOWN_CLASSES = 3
# A class is weak if its recall is this far below the accuracy; five times as much is a warning.
WEAK = 0.03


def has_learned(scores: Scores, counts: list[int]) -> bool:
    """Whether a network separates the classes.

    It does not if always predicting the most common class would explain both its accuracy and its balanced accuracy,
    and its accuracy is nearer to that baseline than to 1. The second condition accepts a good score on very few images.

    Args:
        scores: Scores of one split.
        counts: Images per class in that split.
    """
    accuracy, balanced = scores["accuracy"], scores["balanced_accuracy"]
    present = sum(count > 0 for count in counts) or _number_of_classes(scores)
    chance = chance_level(counts, present)
    guessing = accuracy["low"] <= chance and balanced["low"] <= 1 / max(present, 1)
    return not guessing or accuracy["value"] > (1 + chance) / 2


def nothing_learned(scores: Scores, counts: list[int], split: str) -> Finding:
    """Return the finding that a network does not separate the classes; see `has_learned`."""
    chance = chance_level(counts, _number_of_classes(scores))
    return Finding(
        "did-not-learn",
        "serious",
        f"The network does not separate the classes: its {split} accuracy {with_interval(scores['accuracy'])} is not "
        f"significantly better than always predicting the most common class ({number(chance)}).",
        f"Balanced accuracy {with_interval(scores['balanced_accuracy'])}, on {scores['accuracy']['n']:,} images.",
        "Check that images and labels match, find a better learning rate "
        "(`opsin find-learning-rate`), and train longer "
        "(`--epochs`).",
    )


def score_findings(
    scores: Scores, info: dict[str, Any], confusion: NDArray[Any] | None, overconfidence: float | None
) -> list[Finding]:
    """Return the findings on the scores of a network that separates the classes.

    Args:
        scores: Scores of one split.
        info: ``run.json``.
        confusion: int64 ``(C, C)`` of that split, if known.
        overconfidence: Mean confidence minus accuracy, if known.
    """
    found = [_few_training_images(scores, info), _miscalibrated(scores, overconfidence)]
    return [*weak_classes(scores, info, confusion), *(finding for finding in found if finding)]


def weak_classes(scores: Scores, info: dict[str, Any], confusion: NDArray[Any] | None = None) -> list[Finding]:
    """Return findings on up to three classes whose recall is significantly below the accuracy, worst first.

    The interval is widened for the number of classes (Bonferroni), or one class of forty would be named by chance.
    """
    classes = [name.removeprefix("recall/") for name in scores if name.startswith("recall/")]
    widening = NormalDist().inv_cdf(1 - 0.025 / max(len(classes), 1)) / NormalDist().inv_cdf(0.975)
    overall = scores["accuracy"]["value"]
    weak = []
    for name in classes:
        recall = scores[f"recall/{name}"]
        if recall["value"] is None or overall - recall["value"] < WEAK:
            continue
        if recall["value"] + widening * (recall["high"] - recall["value"]) < overall:
            weak.append((recall["value"], name))
    return [_weak_class(name, scores, info, confusion) for _, name in sorted(weak)[:SHOWN_CLASSES]]


def _weak_class(name: str, scores: Scores, info: dict[str, Any], confusion: NDArray[Any] | None) -> Finding:
    classes = list(info.get("data", {}).get("classes", []))
    counts = counts_of(info, "train")
    recall, overall = scores[f"recall/{name}"], scores["accuracy"]["value"]
    images = counts[classes.index(name)] if name in classes and len(counts) == len(classes) else None
    typical = median(counts) if counts else 0
    evidence = [] if images is None else [f"{images:,} training images; the median class has {typical:,.0f}."]
    mistaken = _mistaken_for(name, classes, confusion)
    sentence = (
        f"`{name}` has a lower recall than the other classes: {with_interval(recall)} against an accuracy of "
        f"{number(overall)}{mistaken}."
    )
    bad = "warning" if overall - recall["value"] > 5 * WEAK else "note"
    if images is not None and 2 * images <= sum(counts) / len(counts):
        sentence = (
            f"`{name}` is rare and has a low recall: {images:,} of {sum(counts):,} training images, recall "
            f"{with_interval(recall)} against an accuracy of {number(overall)}{mistaken}."
        )
        advice = f"Collect more images of `{name}`, or weight rare classes more: `--balance weights`."
        return Finding("imbalance", bad, sentence, " ".join(evidence), advice)
    advice = f"Check the errors on `{name}` in the gallery for wrong labels and for missing variants."
    return Finding(
        "weak-class", bad, sentence, " ".join(evidence), f"{advice} More images of `{name}` would help most."
    )


def _mistaken_for(name: str, classes: list[str], confusion: NDArray[Any] | None) -> str:
    """Return the end of the sentence, with the most frequent wrong prediction for a class."""
    if confusion is None or name not in classes or confusion.shape[0] != len(classes):
        return ""
    row = confusion[classes.index(name)].copy()
    row[classes.index(name)] = 0
    if not row.sum():
        return ""
    return f"; it is most often predicted as `{classes[int(row.argmax())]}` ({row.max():,} of {row.sum():,} errors)"


def _few_training_images(scores: Scores, info: dict[str, Any]) -> Finding | None:
    counts = counts_of(info, "train")
    if not counts or median(counts) >= 50 or scores["accuracy"]["value"] >= 0.95:
        return None
    random = info.get("network", {}).get("weights", "random") == "random"
    pretrained = ", pretrained weights (`--pretrained`)" if random else ""
    return Finding(
        "few-training-images",
        "warning" if median(counts) < 20 else "note",
        f"There are few training images: {sum(counts):,}, with a median of {median(counts):,.0f} per class.",
        f"Accuracy {with_interval(scores['accuracy'])}.",
        f"More labelled images help most. Otherwise use stronger augmentation (`--augment 1.5`){pretrained}.",
    )


def _miscalibrated(scores: Scores, overconfidence: float | None) -> Finding | None:
    error = scores["calibration_error"]
    if error["low"] <= 0.05:
        return None
    sentence = f"The predicted probabilities are miscalibrated by {100 * error['value']:.0f} points on average"
    advice = "Use its probabilities as a ranking only."
    if overconfidence is not None and overconfidence > 0:
        sentence += ": the network is overconfident"
        advice += " `--label-smoothing 0.1` or `--mixup 0.2` reduce overconfidence in the next run."
    elif overconfidence is not None:
        sentence += ": the network is underconfident"
        advice += " Less `--label-smoothing` or `--mixup`, or more `--epochs`, increase confidence in the next run."
    evidence = f"Expected calibration error {with_interval(error)}."
    return Finding("miscalibrated", "warning", f"{sentence}.", evidence, advice)


def _number_of_classes(scores: Scores) -> int:
    return sum(name.startswith("recall/") for name in scores)
