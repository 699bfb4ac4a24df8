"""The scores of the whole split, each with its interval."""

from __future__ import annotations

import math
from typing import Any

from opsin.reporting.page import Page
from opsin.runfolder import RunFolder

# Title and what it means, in the order in which they are shown.
SCORES = {
    "accuracy": ("Accuracy", "part of all images that are given the right class"),
    "group_accuracy": (
        "Accuracy by group",
        "part of the groups (patients, slides) that the mean of their images' probabilities gives the right class",
    ),
    "balanced_accuracy": (
        "Balanced accuracy",
        "mean of the recalls of all classes, so that a class with few images counts as much as one with many",
    ),
    "macro_f1": (
        "Macro F1",
        "mean over the classes of F1, which is high only where few images of a class are missed and few others are "
        "put into it",
    ),
    "roc_auc": (
        "ROC AUC",
        "how often an image of a class gets a higher probability of it than an image of another class; 0.5 is chance",
    ),
    "average_precision": (
        "Average precision",
        "mean precision over all thresholds; chance is the part of the images that is of the class",
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


def facts(page: Page) -> dict[str, Any] | None:
    """Return a row per score; None where nothing is scored yet."""
    rows = score_rows(page.run, len(page.classes))
    for row in rows:
        for split in ("test", "validation"):
            if row[split]:
                row[split] = row[split] | {"method": page.words(row[split].get("method", ""))}
    return {"scores": rows} if rows else None


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
