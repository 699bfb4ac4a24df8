"""What the scorecard says: nothing learned, weak classes, few images to learn from, probabilities that mislead."""

from __future__ import annotations

from statistics import NormalDist, median
from typing import Any

from numpy.typing import NDArray

from opsin.evaluation.verdict.finding import Finding, chance_level, counts_of, number, with_interval

Scores = dict[str, dict[str, Any]]

SHOWN_CLASSES = 3
# A class is weak where its recall lies this far below the accuracy, and badly so at five times that.
WEAK = 0.03


def has_learned(scores: Scores, counts: list[int]) -> bool:
    """Whether a network tells the classes apart.

    It does not where always guessing the commonest class would explain both its accuracy and its balanced accuracy, and
    where its accuracy is nearer to that guess than to perfect: a good score on very few images is not held against it.

    Args:
        scores: Of one split.
        counts: Images of each class in that split.
    """
    accuracy, balanced = scores["accuracy"], scores["balanced_accuracy"]
    present = sum(count > 0 for count in counts) or _number_of_classes(scores)
    chance = chance_level(counts, present)
    guessing = accuracy["low"] <= chance and balanced["low"] <= 1 / max(present, 1)
    return not guessing or accuracy["value"] > (1 + chance) / 2


def nothing_learned(scores: Scores, counts: list[int], split: str) -> Finding:
    """Say that a network does not tell the classes apart; see `has_learned`."""
    chance = chance_level(counts, _number_of_classes(scores))
    return Finding(
        "did-not-learn",
        "serious",
        f"The network has not learned to tell the classes apart: its {split} accuracy "
        f"{with_interval(scores['accuracy'])} cannot be told from always guessing the commonest class "
        f"({number(chance)}).",
        f"Balanced accuracy {with_interval(scores['balanced_accuracy'])}, on {scores['accuracy']['n']:,} images.",
        "Check that images and labels belong together, look for a better learning rate (`opsin find-learning-rate`), "
        "and train longer (`--epochs`).",
    )


def score_findings(
    scores: Scores, info: dict[str, Any], confusion: NDArray | None, overconfidence: float | None
) -> list[Finding]:
    """Read the scores of a network that has learned something.

    Args:
        scores: Of one split.
        info: ``run.json``.
        confusion: int64 ``(C, C)`` of that split, where known.
        overconfidence: Mean confidence minus accuracy, where known.
    """
    found = [_few_training_images(scores, info), _miscalibrated(scores, overconfidence)]
    return [*weak_classes(scores, info, confusion), *(finding for finding in found if finding)]


def weak_classes(scores: Scores, info: dict[str, Any], confusion: NDArray | None = None) -> list[Finding]:
    """Name up to three classes whose recall lies below the accuracy by more than chance, worst first.

    The interval is widened for the number of classes (Bonferroni), or one class of forty would be named for no reason.
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


def _weak_class(name: str, scores: Scores, info: dict[str, Any], confusion: NDArray | None) -> Finding:
    classes = list(info.get("data", {}).get("classes", []))
    counts = counts_of(info, "train")
    recall, overall = scores[f"recall/{name}"], scores["accuracy"]["value"]
    images = counts[classes.index(name)] if name in classes and len(counts) == len(classes) else None
    typical = median(counts) if counts else 0
    evidence = (
        [] if images is None else [f"{images:,} training images; half of the classes have {typical:,.0f} or more."]
    )
    mistaken = _mistaken_for(name, classes, confusion)
    sentence = (
        f"`{name}` is recognized less often than the others: recall {with_interval(recall)} against an accuracy of "
        f"{number(overall)}{mistaken}."
    )
    bad = "warning" if overall - recall["value"] > 5 * WEAK else "note"
    if images is not None and 2 * images <= sum(counts) / len(counts):
        sentence = (
            f"`{name}` suffers from being rare: {images:,} of {sum(counts):,} training images, and a recall of "
            f"{with_interval(recall)} against an accuracy of {number(overall)}{mistaken}."
        )
        advice = f"Collect more images of `{name}`, or give rare classes more weight: `--balance weights`."
        return Finding("imbalance", bad, sentence, " ".join(evidence), advice)
    advice = f"Look at the errors on `{name}` in the gallery: wrong labels, or too few images of what is missed?"
    return Finding(
        "weak-class", bad, sentence, " ".join(evidence), f"{advice} More images of `{name}` would help most."
    )


def _mistaken_for(name: str, classes: list[str], confusion: NDArray | None) -> str:
    """Return the end of the sentence that says what a class is most often taken for."""
    if confusion is None or name not in classes or confusion.shape[0] != len(classes):
        return ""
    row = confusion[classes.index(name)].copy()
    row[classes.index(name)] = 0
    if not row.sum():
        return ""
    return f"; it is most often taken for `{classes[int(row.argmax())]}` ({row.max():,} of {row.sum():,} errors)"


def _few_training_images(scores: Scores, info: dict[str, Any]) -> Finding | None:
    counts = counts_of(info, "train")
    if not counts or median(counts) >= 50 or scores["accuracy"]["value"] >= 0.95:
        return None
    random = info.get("network", {}).get("weights", "random") == "random"
    pretrained = ", pretrained weights (`--pretrained`)" if random else ""
    return Finding(
        "few-training-images",
        "warning" if median(counts) < 20 else "note",
        f"There are few images to learn from: {sum(counts):,} in training, {median(counts):,.0f} for a typical class.",
        f"Accuracy {with_interval(scores['accuracy'])}.",
        "More labelled images are the surest help; short of them, stronger augmentation (`--augment 1.5`)"
        f"{pretrained}.",
    )


def _miscalibrated(scores: Scores, overconfidence: float | None) -> Finding | None:
    error = scores["calibration_error"]
    if error["low"] <= 0.05:
        return None
    sentence = f"The stated probabilities are off by {100 * error['value']:.0f} points on average"
    advice = "Read its probabilities as a ranking, not as chances."
    if overconfidence is not None and overconfidence > 0:
        sentence += ": the network is surer than it may be"
        advice += " `--label-smoothing 0.1` or `--mixup 0.2` make the next run more modest."
    elif overconfidence is not None:
        sentence += ": the network is right more often than it says"
        advice += " Less `--label-smoothing` or `--mixup`, or more `--epochs`, make the next run bolder."
    evidence = f"Expected calibration error {with_interval(error)}."
    return Finding("miscalibrated", "warning", f"{sentence}.", evidence, advice)


def _number_of_classes(scores: Scores) -> int:
    return sum(name.startswith("recall/") for name in scores)
