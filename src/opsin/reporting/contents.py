"""What a report says, gathered from a run folder as plain values for the template. Every part may be missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.metrics.classification import confusion_matrix
from opsin.reporting.formats import number_of, percent
from opsin.runfolder import RunFolder
from opsin.tasks.predictions import Classified

SEVERITIES = ("serious", "warning", "note", "good")
LISTED_CLASSES = 500
LISTED_FILES = 200
LISTED_PAIRS = 8

# Title and what it means, in the order in which they are shown.
SCORES = {
    "accuracy": ("Accuracy", "part of all images that are given the right class"),
    "balanced_accuracy": (
        "Balanced accuracy",
        "mean of the recalls of all classes, so that a class with few images counts as much as one with many",
    ),
    "macro_f1": (
        "Macro F1",
        "mean over the classes of F1, which is high only where few images of a class are missed and few others are "
        "put into it",
    ),
    "log_loss": (
        "Log loss",
        "how far the probabilities are from the truth; 0 is perfect, confident mistakes cost most",
    ),
    "calibration_error": (
        "Calibration error",
        "mean distance between the probability the model gives to its answer and how often it is right; 0 is perfect",
    ),
}


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


def class_names(folder: RunFolder) -> list[str]:
    """Return the class names, as early as any file of the run knows them."""
    if (folder.path / "preprocessing.json").exists():
        return list(folder.classes)
    return list(folder.info.get("data", {}).get("classes", []))


def score_rows(folder: RunFolder, classes: int) -> list[dict[str, Any]]:
    """Return a row per score of the whole split: its meaning, its entry on test and on validation."""
    card = folder.scorecard
    test, validation = card.get("test", {}), card.get("validation", {})
    present = [name for name in (test or validation) if "/" not in name]
    ordered = [name for name in SCORES if name in present] + [name for name in present if name not in SCORES]
    rows = []
    for name in ordered:
        title, meaning = SCORES.get(name, (name.replace("_", " ").capitalize(), ""))
        if name == "log_loss" and classes > 1:
            meaning += f"; guessing evenly among {classes} classes gives {math.log(classes):.2f}"
        part = name != "log_loss"
        rows.append(
            {
                "title": title,
                "meaning": meaning,
                "part": part,
                "test": test.get(name),
                "validation": validation.get(name),
            }
        )
    return rows


def class_rows(folder: RunFolder, classes: list[str], matrix: NDArray[np.int64] | None) -> list[dict[str, Any]]:
    """Return a row per class: images in each split, and recall, precision and F1 on test."""
    card = folder.scorecard.get("test", {})
    counts = folder.info.get("data", {}).get("counts", {})
    rows = []
    for index, name in enumerate(classes):
        row: dict[str, Any] = {"name": name, "index": index}
        for split in ("train", "validation", "test"):
            row[split] = counts[split][index] if split in counts else None
        if row["test"] is None and matrix is not None:
            row["test"] = int(matrix[index].sum())
        for score in ("recall", "precision", "f1"):
            row[score] = card.get(f"{score}/{name}")
        rows.append(row)
    return rows


def confused_pairs(matrix: NDArray[np.int64], classes: list[str]) -> list[dict[str, Any]]:
    """Return the most frequent mistakes: true class, predicted class, how many images, and their part of the class."""
    mistakes = matrix.copy()
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:LISTED_PAIRS]
    pairs = []
    for truth, guess in zip(*np.unravel_index(order, matrix.shape), strict=True):
        number = int(mistakes[truth, guess])
        if number:
            part = number / matrix[truth].sum()
            pairs.append({"truth": classes[truth], "guess": classes[guess], "number": number, "part": part})
    return pairs


def data_facts(folder: RunFolder, classes: list[str], *, anonymous: bool) -> dict[str, Any]:
    """Return what is known of the data set and how it was shared out."""
    data = folder.info.get("data", {})
    splits = [(name, sum(counts)) for name, counts in data.get("counts", {}).items()]
    total = sum(number for _, number in splits)
    train = data.get("counts", {}).get("train", [])
    left_out = data.get("left_out", {})
    return {
        "known": bool(data),
        "name": "" if anonymous else data.get("name", ""),
        "images": data.get("images"),
        "classes": len(classes),
        "channels": {1: "grey", 3: "color"}.get(data.get("channels"), ""),
        "sizes": data.get("sizes", ""),
        "groups": data.get("groups", 0),
        "duplicates": data.get("duplicates", 0),
        "split": data.get("split", ""),
        "splits": [{"name": name, "images": number, "part": number / total} for name, number in splits if total],
        "imbalance": max(train) / min(train) if train and min(train) > 0 else None,
        "notes": [] if anonymous else data.get("notes", []),
        "left_out": len(left_out),
        "left_out_files": {} if anonymous else dict(list(left_out.items())[:LISTED_FILES]),
        "fingerprint": data.get("fingerprint", ""),
    }


def weakest_classes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that a page has room for, in their order: all, or those with the lowest recall."""
    if len(rows) <= LISTED_CLASSES:
        return rows
    recall = [_value(row["recall"], 2.0) for row in rows]
    return [rows[index] for index in sorted(np.argsort(recall, kind="stable")[:LISTED_CLASSES])]


def _value(entry: dict[str, Any] | None, otherwise: float) -> float:
    return otherwise if entry is None or entry["value"] is None else entry["value"]


def calibration_facts(predicted: Predicted | None, accuracy: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return how sure the model is on average, how often it is right, and what follows."""
    if predicted is None or not len(predicted.labels):
        return None
    right = predicted.result.labels == predicted.labels
    confidence, part = float(predicted.result.confidence.mean()), float(right.mean())
    sure = predicted.result.confidence > 0.99
    low, high = (accuracy["low"], accuracy["high"]) if accuracy else (part, part)
    gap = f"It is {percent(confidence)} sure of its answers on average, and {percent(part)} of them are right"
    if low <= confidence <= high:
        reading = f"{gap}: on the whole the probabilities can be believed. The figure shows where they cannot."
    elif confidence > high:
        reading = f"{gap}: it is too sure of itself. Read its probabilities as a ranking, not as chances."
    else:
        reading = f"{gap}: it is more often right than it says. Read its probabilities as a ranking, not as chances."
    return {
        "confidence": confidence,
        "accuracy": part,
        "sure": int(sure.sum()),
        "sure_wrong": int((sure & ~right).sum()),
        "reading": reading,
    }


def most_common_part(predicted: Predicted | None) -> float | None:
    """Return the accuracy of always naming the most common class of the test images, which any model should beat."""
    if predicted is None or not len(predicted.labels):
        return None
    return float(predicted.matrix.sum(axis=1).max() / len(predicted.labels))


def throughput_facts(folder: RunFolder) -> dict[str, Any] | None:
    """Return images per second of loader, model and the whole loop, with what they mean."""
    speed = folder.info.get("throughput") or {}
    bars = [
        {"name": name, "meaning": meaning, "speed": speed[key]}
        for key, name, meaning in (
            ("loader", "Loader alone", "reads, resizes and augments images, with nobody training"),
            ("model", "Model alone", "one training step after the other on images that are already there"),
            ("training", "Whole training loop", "what this run reached, everything included"),
        )
        if speed.get(key)
    ]
    if not bars:
        return None
    fastest = max(bar["speed"] for bar in bars)
    for bar in bars:
        bar["part"] = bar["speed"] / fastest
    return {"bars": bars, **_speed_reading(speed)}


def _speed_reading(speed: dict[str, float]) -> dict[str, Any]:
    loader, model, training = (speed.get(key) or 0.0 for key in ("loader", "model", "training"))
    if not (loader and model):
        return {"starved": None, "reading": ""}
    if loader < model:
        return {
            "starved": True,
            "reading": f"The model is starved: it could learn from {model / loader:.1f} times as many images a second "
            "as the loader delivers. Let the decoded images stay in memory (data.memory_gb), or train on smaller ones "
            "(data.image_size).",
        }
    kept = f" The whole loop runs at {100 * training / model:.0f} % of the model's own speed." if training else ""
    reading = f"The model is not starved: the loader could deliver {loader / model:.1f} times what it consumes.{kept}"
    return {"starved": False, "reading": reading}


def training_facts(folder: RunFolder) -> dict[str, Any]:
    """Return how far training came, which epoch was kept and how long it took."""
    info, history = folder.info, folder.history
    return {
        "state": info.get("state", ""),
        "epochs": len(history),
        "planned": folder.recipe.training.epochs,
        "best": info.get("best"),
        "seconds": info.get("seconds"),
        "epoch_seconds": float(np.median([row["seconds"] for row in folder.timings])) if folder.timings else None,
    }


def looks_facts(folder: RunFolder, *, anonymous: bool) -> dict[str, Any]:
    """Return how often the locked test split was opened, and what that means."""
    looks = [look for look in folder.looks if look.get("split") == "test"]
    if len(looks) > 1:
        times = number_of(len(looks), "time")
        reading = (
            f"The locked test images were opened {times}. Whoever changes a model after looking, and looks again, "
            "gets scores that are too good: trust the first look most."
        )
    elif looks:
        reading = "The locked test images were opened once, after training had ended and nothing was left to choose."
    else:
        reading = "The locked test images have not been opened yet."
    listed = [{"time": look["time"], "why": "" if anonymous else look.get("why", "")} for look in looks[-LISTED_FILES:]]
    return {"number": len(looks), "reading": reading, "listed": listed}


def findings(folder: RunFolder) -> list[dict[str, str]]:
    """Return the findings of the verdict, the gravest first."""
    return sorted(folder.verdict, key=lambda finding: SEVERITIES.index(finding["severity"]))
