"""Decision thresholds of a class: curves, operating points and the slider."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from opsin.evaluation.operating_points import EVEN, SCORES, Aims, OperatingPoint, choose_thresholds, measure, read_aims
from opsin.evaluation.reader_study import Reader, read_readers
from opsin.metrics.thresholds import Calls, all_calls, calls_at, roc_auc
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.figures.thresholds import EDGES, plot_histogram, plot_precision_recall, plot_rates, plot_roc
from opsin.reporting.formats import interval, percent, score, threshold
from opsin.reporting.run_report.page import Page
from opsin.runs.folder import RunFolder
from opsin.tasks.classification.confusion import confusion_of

MOST_CLASSES = 100  # selectable on the page
# Steps of the slider, finer towards the ends, where confident networks put most images.
_TAIL = (1, 2, 3, 5, 7)
_LOW = [digit * power for power in (1e-4, 1e-3) for digit in _TAIL]
STEPS = np.round(np.concatenate([[0.0], _LOW, np.arange(1, 100) / 100, 1 - np.array(_LOW[::-1]), [1.0]]), 4)


@dataclass(frozen=True)
class _Task:
    """One class against the rest, on validation and on test.

    Attributes:
        label: The class.
        name: Its name.
        rest: Name of all other classes.
        positive: bool ``(N,)``; which test images are of the class.
        scores: float32 ``(N,)``; their probabilities of it.
        validation: The same two of validation, empty where there are no predictions.
        points: Rule -> threshold chosen on validation and measured on test.
    """

    label: int
    name: str
    rest: str
    positive: NDArray[np.bool_]
    scores: NDArray[np.float32]
    validation: tuple[NDArray[np.bool_], NDArray[np.float32]]
    points: dict[str, OperatingPoint]


def facts(page: Page) -> dict[str, Any] | None:
    """Return curves, operating points and data of the slider; None without test images of two classes."""
    labels = _labels(page)
    if page.predicted is None or not labels:
        return None
    run, aims = page.run, read_aims(page.run)
    groups = run.groups("test")
    tasks = [_task(label, page, groups, aims) for label in labels]
    first = min(tasks, key=lambda task: roc_auc(task.positive, task.scores))
    readers = _readers(page, groups)
    areas = _areas(run, page.classes)
    rules = _rules(aims, chosen=any(len(task.points) > 1 for task in tasks))
    return {
        "binary": len(page.classes) == 2,
        "decided": bool(run.info.get("positive")),
        "grouped": groups is not None,
        "classes": len(page.classes),
        "first": first,
        "other": shlex.quote(first.rest),
        "run_path": "RUN" if page.anonymous else shlex.quote(str(run.path)),
        "tasks": tasks,
        "rules": rules,
        "rows": [_row(number, task, rule, rules[rule]) for number, task in enumerate(tasks) for rule in task.points],
        "aims": aims,
        "area": {kind: _area_text(areas, first.name, kind) for kind in ("auc", "average_precision")},
        "areas": areas,
        "readers": [_reader_row(reader, number, page, tasks) for number, reader in _numbered(readers)],
        "embedded": json.dumps(
            {
                "steps": STEPS.tolist(),
                "edges": [int(np.searchsorted(STEPS, edge - 1e-9)) for edge in EDGES],
                "grouped": groups is not None,
                "classes": [_embedded(task, areas, readers) for task in tasks],
            },
            separators=(",", ":"),
        ),
        **_figures(first, readers, binary=len(page.classes) == 2),
    }


def _labels(page: Page) -> list[int]:
    """Return the classes to detect: the positive one of two, else those with test images, in order."""
    if page.predicted is None or len(page.classes) < 2:
        return []
    support = confusion_of(page.predicted).sum(axis=1)
    if len(page.classes) == 2:
        return [page.classes.index(str(page.run.positive))] if support.all() else []
    known = [label for label in np.flatnonzero(support).tolist() if support[label] < support.sum()]
    if len(known) <= MOST_CLASSES:
        return known
    labels, probabilities = page.predicted.targets.values, page.predicted.predictions.probabilities
    return sorted(sorted(known, key=lambda label: roc_auc(labels == label, probabilities[:, label]))[:MOST_CLASSES])


def _task(label: int, page: Page, groups: NDArray[np.str_] | None, aims: Aims) -> _Task:
    assert page.predicted is not None
    positive, scores = page.predicted.targets.values == label, page.predicted.predictions.probabilities[:, label]
    seen: tuple[NDArray[np.bool_], NDArray[np.float32]] = (np.zeros(0, bool), np.zeros(0, np.float32))
    if page.validation is not None:
        seen = (page.validation.targets.values == label, page.validation.predictions.probabilities[:, label])
    thresholds = {"even": EVEN, **choose_thresholds(*seen, aims)}
    points = measure(list(thresholds.values()), positive, scores, groups)
    rest = page.classes[1 - label] if len(page.classes) == 2 else "any other class"
    return _Task(label, page.classes[label], rest, positive, scores, seen, dict(zip(thresholds, points, strict=True)))


def _rules(aims: Aims, *, chosen: bool) -> dict[str, tuple[str, str]]:
    """Return the title and the meaning of each rule."""
    rules = {"even": ("Default", "probability 0.5")}
    if chosen:
        ratio = f"a miss costs {aims.cost_of_miss:g}, a false alarm {aims.cost_of_false_alarm:g}"
        rules |= {
            "youden": ("Youden", "largest sum of sensitivity and specificity (Youden index)"),
            "sensitive": (
                f"Sensitivity at least {percent(aims.sensitivity, 0)}",
                "threshold with the highest specificity at this sensitivity",
            ),
            "cheapest": ("Least cost", ratio),
        }
    return rules


def _row(number: int, task: _Task, rule: str, words: tuple[str, str]) -> dict[str, Any]:
    point = task.points[rule]
    return {
        "number": number,
        "class": task.name,
        "title": words[0],
        "meaning": words[1],
        "threshold": threshold(point.threshold),
        "scores": [point.scores[name].to_dict() for name in SCORES],
        "missed": int(task.positive.sum()) - point.true_positives,
        "alarms": point.false_positives,
    }


def _areas(run: RunFolder, classes: list[str]) -> dict[str, dict[str, Any]]:
    """Return the areas under both curves of each class in the scorecard."""
    card = run.scorecard.get("test", {})
    kinds = ("auc", "average_precision")
    return {
        name: {kind: card.get(f"{kind}/{name}") for kind in kinds}
        for name in classes
        if any(card.get(f"{kind}/{name}") for kind in kinds)
    }


def _area_text(areas: dict[str, dict[str, Any]], name: str, kind: str) -> str:
    entry = areas.get(name, {}).get(kind)
    if not entry or entry["value"] is None:
        return ""
    return f"{score(entry['value'])} ({interval(entry['low'], entry['high'])})"


def _embedded(task: _Task, areas: dict[str, dict[str, Any]], readers: list[Reader]) -> dict[str, Any]:
    """Return data of a class for the slider: counts at each step and at the operating points between the steps."""
    chosen = sorted({point.threshold for point in task.points.values()} - set(STEPS.tolist()))
    steps = np.sort(np.concatenate([STEPS, chosen]))
    test, validation = calls_at(task.positive, task.scores, steps), calls_at(*task.validation, steps)
    return {
        "name": task.name,
        "rest": task.rest,
        "between": chosen,
        "points": {rule: point.threshold for rule, point in task.points.items()},
        **{f"test_{key}": value for key, value in _counts(test).items()},
        **{f"validation_{key}": value for key, value in _counts(validation).items()},
        "auc": _area_text(areas, task.name, "auc"),
        "average_precision": _area_text(areas, task.name, "average_precision"),
        "readers": _places(task, readers),
    }


def _counts(calls: Calls) -> dict[str, Any]:
    return {
        "positives": calls.positives,
        "negatives": calls.negatives,
        "hits": calls.true_positives.tolist(),
        "alarms": calls.false_positives.tolist(),
    }


def _figures(task: _Task, readers: list[Reader], *, binary: bool) -> dict[str, Markup]:
    """Draw the initial figures of a class."""
    names = (task.name, task.rest) if binary else ("the class", "all others")
    calls, start = all_calls(task.positive, task.scores), calls_at(task.positive, task.scores, [EVEN])
    sensitivity, alarms = float(start.sensitivity[0]), float(1 - start.specificity[0])
    people = _places(task, readers)
    parts = calls_at(task.positive, task.scores, EDGES[:-1])
    positives, negatives = (-np.diff(counts, append=0) for counts in (parts.true_positives, parts.false_positives))
    return {
        "roc": figure_to_svg(
            plot_roc(calls, (alarms, sensitivity), np.array(people) if people else None),
            "roc",
            f"ROC curve of {task.name}: sensitivity against false positive rate",
        ),
        "precision_recall": figure_to_svg(
            plot_precision_recall(calls, (sensitivity, float(start.precision[0]))),
            "precision-recall",
            f"precision of {task.name} against sensitivity",
        ),
        "rates": figure_to_svg(
            plot_rates(calls_at(task.positive, task.scores, STEPS), EVEN),
            "rates",
            f"sensitivity and specificity of {task.name} against the threshold",
        ),
        "histogram": figure_to_svg(
            plot_histogram(positives, negatives, EVEN, names),
            "probabilities",
            f"number of images by their probability of {task.name}, for images of it and all others",
        ),
    }


def _readers(page: Page, groups: NDArray[np.str_] | None) -> list[Reader]:
    path, predicted = page.run.path / "readers.csv", page.predicted
    if predicted is None or not path.exists():
        return []
    return read_readers(path, predicted.names, predicted.targets.values, page.classes, page.run.positive, groups)


def _places(task: _Task, readers: list[Reader]) -> list[tuple[float, float]]:
    """Return the positions of the readers of a class in its ROC curve."""
    return [
        (round(1 - reader.specificity.value, 4), round(reader.sensitivity.value, 4))
        for reader in readers
        if reader.label == task.label and _drawable(reader)
    ]


def _drawable(reader: Reader) -> bool:
    return math.isfinite(reader.sensitivity.value) and math.isfinite(reader.specificity.value)


def _numbered(readers: list[Reader]) -> list[tuple[int, Reader]]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(reader.name for reader in readers), 1)}
    return [(numbers[reader.name], reader) for reader in readers]


def _reader_row(reader: Reader, number: int, page: Page, tasks: list[_Task]) -> dict[str, Any]:
    """Return the scores of a reader, and the sensitivity of the network at the same false positive rate."""
    model = None
    for task in tasks:
        if task.label == reader.label and _drawable(reader):
            calls = all_calls(task.positive, task.scores)
            model = float(calls.sensitivity[calls.specificity >= reader.specificity.value - 1e-12].max())
    return {
        "name": f"Reader {number}" if page.anonymous else reader.name,
        "label": reader.label,
        "class": page.classes[reader.label],
        "sensitivity": reader.sensitivity.to_dict(),
        "specificity": reader.specificity.to_dict(),
        "model": model,
    }
