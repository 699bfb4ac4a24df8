"""Images that cannot be read, classes with too few images, and classes of very different sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from opsin.audit.context import AuditContext
from opsin.audit.finding import NOTE, SERIOUS, WARNING, ImageFinding
from opsin.data.images import TRAIN
from opsin.data.read import check_classes
from opsin.data.readers.common import join_some
from opsin.errors import DataError
from opsin.metrics.names import describe_score
from opsin.tasks.registry import task_spec

FEW = 50  # images of a class: with 15 % of them in the test split, its recall is known to about plus or minus a third
UNEVEN, VERY_UNEVEN = 3, 10  # images of the largest class, divided by those of the smallest


def find_unreadable(material: AuditContext) -> list[ImageFinding]:
    """Report the images that could not be read."""
    number = len(material.unreadable)
    if not number:
        return []
    return [
        ImageFinding(
            "unreadable",
            SERIOUS,
            f"{number:,} {'image' if number == 1 else 'images'} cannot be read.",
            "Repair, replace or exclude these files. Training stops at them unless --skip-unreadable is given.",
            tuple(material.unreadable),
            details=dict(material.unreadable),
        )
    ]


def find_unusable(material: AuditContext) -> list[ImageFinding]:
    """Report why the data cannot be trained on."""
    try:
        check_classes(replace(material.dataset, name="The data set"))  # findings contain no names
    except DataError as error:
        return [ImageFinding("unusable", SERIOUS, str(error), "")]
    return []


def find_few(material: AuditContext) -> list[ImageFinding]:
    """Find classes with too few images to be learned or scored reliably."""
    classes, counts = material.dataset.classes, material.dataset.counts()
    few = [index for index in np.argsort(counts, kind="stable").tolist() if counts[index] < FEW]
    if not few:
        return []
    named = join_some([f"{classes[index]} {counts[index]:,}" for index in few], 6)
    task = task_spec(material.dataset.task)
    one, many = task.outputs
    has, have = ("has", "have") if task.exclusive else ("is in", "are in")
    which = f"One {one} {has}" if len(few) == 1 else f"{len(few):,} {many} {have}"
    return [
        ImageFinding(
            "few",
            WARNING,
            f"{which} fewer than {FEW} images: {named}.",
            "Collect more of them: with this few, results vary from run to run and confidence intervals are wide.",
        )
    ]


def find_imbalance(material: AuditContext) -> list[ImageFinding]:
    """Report classes with very different numbers of training images."""
    dataset = material.dataset
    trained = dataset.targets if dataset.split is None else dataset.targets.take(dataset.split == TRAIN)
    counts = trained.counts(dataset.classes)
    if not len(counts):
        return []
    one, many = task_spec(dataset.task).outputs
    main = describe_score(task_spec(dataset.task).main_metric).words
    smallest, largest = int(counts.argmin()), int(counts.argmax())
    if not counts[smallest] or counts[largest] < UNEVEN * counts[smallest]:
        return []
    return [
        ImageFinding(
            "imbalance",
            WARNING if counts[largest] >= VERY_UNEVEN * counts[smallest] else NOTE,
            f"The largest {one}, {dataset.classes[largest]}, has {counts[largest] / counts[smallest]:.1f} times as "
            f"many images as the smallest, {dataset.classes[smallest]} ({counts[largest]:,} and {counts[smallest]:,}).",
            f"Look at the scores of each {one}, not only at the {main}. --balance weights or --balance sampling gives "
            f"rare {many} more weight in training.",
        )
    ]
