"""Images that cannot be read, classes with too few images, and classes of very different sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from opsin.audit.context import AuditContext
from opsin.audit.finding import NOTE, SERIOUS, WARNING, ImageFinding
from opsin.data.images import TRAIN
from opsin.data.read import check_classes
from opsin.data.readers.common import listed
from opsin.errors import DataError
from opsin.metrics.names import describe_score
from opsin.tasks.registry import task_spec

FEW = 50  # images of a class: with 15 % of them tested, its recall is known to no better than plus or minus a third
UNEVEN, VERY_UNEVEN = 3, 10  # the largest class has so many times the images of the smallest


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
            "Mend or replace the files, or exclude them; until then training stops, unless it is told "
            "--skip-unreadable.",
            tuple(material.unreadable),
            details=dict(material.unreadable),
        )
    ]


def find_unusable(material: AuditContext) -> list[ImageFinding]:
    """Say why the data cannot be trained on, if so."""
    try:
        check_classes(replace(material.dataset, name="The data set"))  # no sentence of a finding holds a name
    except DataError as error:
        return [ImageFinding("unusable", SERIOUS, str(error), "")]
    return []


def find_few(material: AuditContext) -> list[ImageFinding]:
    """Find classes with so few images that little can be learned or said of them."""
    classes, counts = material.dataset.classes, material.dataset.counts()
    few = [index for index in np.argsort(counts, kind="stable").tolist() if counts[index] < FEW]
    if not few:
        return []
    named = listed([f"{classes[index]} {counts[index]:,}" for index in few], 6)
    task = task_spec(material.dataset.task)
    one, many = task.outputs
    has, have = ("has", "have") if task.exclusive else ("is in", "are in")
    which = f"One {one} {has}" if len(few) == 1 else f"{len(few):,} {many} {have}"
    return [
        ImageFinding(
            "few",
            WARNING,
            f"{which} fewer than {FEW} images: {named}.",
            "Collect more: what is learned of so few will vary from run to run, and the intervals of their scores will "
            "be wide.",
        )
    ]


def find_imbalance(material: AuditContext) -> list[ImageFinding]:
    """Find out whether the classes have very different numbers of images to train on."""
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
            f"The largest {one}, {dataset.classes[largest]}, has {counts[largest] / counts[smallest]:.1f} times the "
            f"images of the smallest, {dataset.classes[smallest]} ({counts[largest]:,} and {counts[smallest]:,}).",
            f"Read the scores of each {one} rather than the {main} alone; --balance weights or --balance sampling let "
            f"rare {many} count more in training.",
        )
    ]
