"""Run folders as training leaves them, made of random numbers that look like the real thing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from opsin.data.targets import ClassTargets
from opsin.recipe.recipe import Recipe
from opsin.runs.folder import RunFolder
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications


@dataclass
class Plan:
    """What the run folder should look like."""

    classes: list[str] = field(default_factory=lambda: [str(number) for number in range(10)])
    images: int = 270
    epochs: int = 20
    strength: float = 6.0
    source: str = "digits"
    names: list[str] | None = None
    thumbnails: np.ndarray | None = None
    groups: list[str] | None = None
    machine: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    group_column: str = "group"
    looks: int = 1
    accuracy_on_train: bool = True


def wilson(hits: float, number: int) -> tuple[float, float]:
    z, part = 1.959964, hits / number
    middle, spread = part + z * z / (2 * number), z * math.sqrt(part * (1 - part) / number + z * z / (4 * number**2))
    return (middle - spread) / (1 + z * z / number), (middle + spread) / (1 + z * z / number)


def proportion(hits: float, number: int) -> dict[str, Any]:
    low, high = wilson(hits, number)
    return {"value": hits / number, "low": low, "high": high, "method": "Wilson", "n": number}


def scores(labels: np.ndarray, result: Classifications, classes: list[str]) -> dict[str, Any]:
    guesses = result.labels
    card: dict[str, Any] = {"accuracy": proportion(float((guesses == labels).sum()), len(labels))}
    value = card["accuracy"]["value"]
    resampled = {"low": value - 0.02, "high": min(1.0, value + 0.015), "method": "BCa bootstrap", "n": len(labels)}
    card["balanced_accuracy"] = {"value": value - 0.002} | resampled
    card["macro_f1"] = {"value": value - 0.003} | resampled
    card["log_loss"] = {"value": 0.0931, "low": 0.0712, "high": 0.1214, "method": "BCa bootstrap", "n": len(labels)}
    card["calibration_error"] = {
        "value": 0.0123,
        "low": 0.008,
        "high": 0.024,
        "method": "BCa bootstrap",
        "n": len(labels),
    }
    card["roc_auc"] = {"value": 0.991, "low": 0.984, "high": 0.996, "method": "DeLong", "n": len(labels)}
    card["average_precision"] = {"value": 0.962, "low": 0.941, "high": 0.978, "method": "jackknife", "n": len(labels)}
    for index, name in enumerate(classes):
        true, said = labels == index, guesses == index
        hits = float((true & said).sum())
        card[f"recall/{name}"] = proportion(hits, max(int(true.sum()), 1))
        card[f"precision/{name}"] = proportion(hits, max(int(said.sum()), 1))
        f1 = 2 * hits / max(true.sum() + said.sum(), 1)
        card[f"f1/{name}"] = {
            "value": f1,
            "low": f1 - 0.03,
            "high": min(1, f1 + 0.02),
            "method": "BCa bootstrap",
            "n": 9,
        }
        area = float(roc_auc_score(true, result.probabilities[:, index])) if true.any() and not true.all() else None
        card[f"auc/{name}"] = {"value": area, "low": 0.9, "high": 1.0, "method": "DeLong", "n": len(labels)}
        card[f"average_precision/{name}"] = card["average_precision"]
    return card


def predictions(plan: Plan, random: np.random.Generator) -> tuple[np.ndarray, Classifications]:
    number = len(plan.classes)
    labels = np.arange(plan.images) % number
    logits = random.normal(0, 1.1, (plan.images, number))
    logits[np.arange(plan.images), labels] += plan.strength
    likely = (labels + 1 + 2 * random.integers(0, 2, plan.images)) % number
    logits[np.arange(plan.images), likely] += random.exponential(2.2, plan.images)
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    return labels.astype(np.int64), Classifications(
        (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    )


def history(plan: Plan, random: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for epoch in range(1, plan.epochs + 1):
        fall = math.exp(-epoch / 4)
        noise = random.normal(0, 0.004, 4)
        train = {"loss": 0.06 + 1.7 * fall + noise[0], "accuracy": 0.965 - 0.6 * fall + noise[1]}
        if not plan.accuracy_on_train:
            del train["accuracy"]
        validation = {"loss": 0.09 + 1.4 * fall + 2 * noise[2], "accuracy": 0.985 - 0.5 * fall + noise[3]}
        validation |= {"balanced_accuracy": validation["accuracy"] - 0.003, "macro_f1": validation["accuracy"] - 0.004}
        rate = 0.01 * math.sin(math.pi * epoch / (plan.epochs + 1))
        rows.append({"epoch": epoch, "learning_rate": rate, "train": train, "validation": validation})
    return rows


VERDICT = [
    {
        "kind": "healthy",
        "severity": "good",
        "sentence": "The model has learned what the training images can teach it, and no more than that.",
        "evidence": "Accuracy 0.978 on training images and 0.981 on validation images in the kept epoch.",
        "advice": "",
    },
    {
        "kind": "weak-class",
        "severity": "warning",
        "sentence": "Class 8 is found least often.",
        "evidence": "Recall 0.889 (0.719–0.961); 2 of its 27 test images are taken for 1.",
        "advice": "Look at its pictures in the gallery for wrong labels, then add images of 8.",
    },
    {
        "kind": "few-images",
        "severity": "note",
        "sentence": "Each class has only about 27 test images, so the scores of single classes are uncertain.",
        "evidence": "The intervals of the recalls are 0.13 wide on average.",
        "advice": "Compare classes by their intervals, not by their values.",
    },
]


def build(path: Path, plan: Plan | None = None, *, until: str = "finished") -> RunFolder:
    """Make a run folder.

    Args:
        path: Where.
        plan: What it should hold.
        until: created, training (some epochs), or finished.
    """
    plan = plan or Plan()
    random = np.random.default_rng(7)
    recipe = Recipe.from_dict(
        {
            "data": {"source": plan.source, "group": plan.group_column, "image_size": [8, 8], "channels": 1},
            "network": {"name": "small_resnet"},
            "training": {"epochs": plan.epochs, "batch_size": 32, "learning_rate": 0.01},
        }
    )
    run = RunFolder.create(path, recipe)
    run.update(created="2026-11-22T04:45:11+00:00")
    if until == "created":
        return run
    number = len(plan.classes)
    run.write("preprocessing.json", {"classes": plan.classes})
    per_class = {"train": 1257, "validation": 270, "test": plan.images}
    counts = {
        split: [total // number + (i < total % number) for i in range(number)] for split, total in per_class.items()
    }
    layers = [
        {"name": "stem.0", "type": "Conv2d", "output": [32, 8, 8], "parameters": 288, "trainable": True},
        {"name": "stem.1", "type": "BatchNorm2d", "output": [32, 8, 8], "parameters": 64, "trainable": True},
        {"name": "stem.2", "type": "ReLU", "output": [32, 8, 8], "parameters": 0, "trainable": False},
        {"name": "head", "type": "Linear", "output": [number], "parameters": 1290, "trainable": True},
    ]
    run.update(
        state="interrupted" if until == "training" else "finished",
        machine={
            "python": "3.11.7",
            "torch": "2.15.0",
            "system": "Linux",
            "processor": "x86_64",
            "cores": 2,
            "device": "cpu",
        }
        | plan.machine,
        data={
            "name": plan.source,
            "images": sum(per_class.values()),
            "classes": plan.classes,
            "channels": 1,
            "sizes": "8×8",
            "counts": counts,
            "groups": 0,
            "duplicates": 17,
            "near_duplicates": 5,
            "split": "by image, stratified",
            "notes": [],
            "left_out": {},
            "fingerprint": "a3f19c02",
        }
        | plan.data,
        network={
            "name": "small_resnet",
            "weights": "random",
            "parameters": 174_970,
            "macs": 12_345_678,
            "input": [1, 8, 8],
            "layers": layers,
        },
        throughput={"loader": 25_000.0, "model": 5_200.0, "training": 5_100.0},
    )
    rows = history(plan, random)
    rows = rows[: 7 if until == "training" else None]
    run.write("history.jsonl", rows)
    run.write("timings.jsonl", [{"epoch": row["epoch"], "seconds": 2.6, "images_per_second": 5100.0} for row in rows])
    best = max(rows, key=lambda row: row["validation"]["accuracy"])
    run.update(best={"epoch": best["epoch"], "scores": best["validation"]})
    if until == "training":
        return run
    run.update(seconds=52.1)
    labels, result = predictions(plan, random)
    names = plan.names or [f"image {number}" for number in range(plan.images)]
    if plan.groups:
        lines = ["image,class,split,group"]
        lines += [f'"{name}",{plan.classes[0]},test,"{plan.groups[0]}"' for name in names]
        (path / "split.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for _ in range(plan.looks):
        run.add_look("test", "the run had ended")
    run.write_predictions("test", PredictedSplit(list(names), ClassTargets(np.asarray(labels)), result))
    order = np.argsort(result.probabilities[np.arange(plan.images), labels], kind="stable")
    pictures = plan.thumbnails
    kept = np.concatenate([order[:24], order[:: max(1, len(order) // 23)][:24]]) if len(order) > 48 else order
    kept = np.array(list(dict.fromkeys(kept.tolist())))
    kept = kept[np.argsort(result.probabilities[kept, labels[kept]], kind="stable")]
    if pictures is None:
        digits = load_digits()
        found = [digits.images[np.flatnonzero(digits.target == labels[row] % 10)[row % 170]] for row in kept]
        pictures = (np.array(found)[..., None] * 15.9).astype(np.uint8)
    run.write_thumbnails("test", kept[: len(pictures)], pictures[: len(kept)])
    seen, chosen = predictions(plan, random)
    run.write_predictions(
        "validation",
        PredictedSplit(
            [f"validation image {number}" for number in range(plan.images)], ClassTargets(np.asarray(seen)), chosen
        ),
    )
    validation = scores(seen, chosen, plan.classes)
    run.write("scorecard.json", {"test": scores(labels, result, plan.classes), "validation": validation})
    run.write("verdict.json", VERDICT)
    return run


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFolder]:
    """``make_run(until=…, **fields of Plan)`` builds a run folder of its own for a test."""

    def make(until: str = "finished", name: str = "run", **plan: Any) -> RunFolder:
        return build(tmp_path / name, Plan(**plan), until=until)

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run on digits; tests that change it build their own."""
    return build(tmp_path_factory.mktemp("runs") / "digits-3f9a1c")
