"""The data set: samples (an image and its target), class names, and what is known of their groups and split."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.data.decisions import EXCLUDE, RELABEL, Decisions
from opsin.data.images import SPLITS, UNUSED, Images, SomeImages, Symmetry
from opsin.data.targets import Targets
from opsin.errors import DataError, nearest


@dataclass(frozen=True)
class Dataset:
    """Labelled images.

    Attributes:
        name: A short name for run folders and reports.
        classes: Names of what the network puts out: of classes, of labels, or of the one value.
        images: N images.
        targets: The true answer of each image; its form decides the task (`opsin.data.targets`).
        split: ``(N,)`` of "train", "validation", "test" or "unused" where the data come with a split, else None.
        groups: ``(N,)`` of names that stay on one side of every split (patient, slide, video); None: each on its own.
        symmetry: Which mirror images are still the same thing; None: not known.
        notes: Sentences for the report on what was found or decided while reading.
        left_out: Names of images left out because they cannot be read, each with the reason.
        decisions: What a person decided about single images, applied already; None where nothing was.

    Raises:
        DataError: There are no images, not one label, split word and group for each, or labels, split words or class
            names that are not as above.
    """

    name: str
    classes: tuple[str, ...]
    images: Images
    targets: Targets
    split: NDArray[np.str_] | None = None
    groups: NDArray[np.str_] | None = None
    symmetry: Symmetry | None = None
    notes: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    decisions: Decisions | None = None

    def __post_init__(self) -> None:
        number = len(self.images)
        if not number:
            raise DataError(f"{self.name} holds no images; check the path and the labels.")
        for what, values in (
            ("targets", self.targets),
            ("split", self.split),
            ("groups", self.groups),
        ):
            if values is not None and len(values) != number:
                raise DataError(
                    f"{self.name}: {number:,} images but {len(values):,} {what}; there must be one for each."
                )
        self._check_labels()
        if self.split is not None:
            self._check_split(self.split)

    def _check_labels(self) -> None:
        """Make sure that each output has a name of its own and the targets are as the task has them."""
        twice = [name for name, count in Counter(self.classes).items() if count > 1]
        if twice:
            raise DataError(f"{self.name}: the class {twice[0]!r} is named twice; each class needs a name of its own.")
        object.__setattr__(self, "targets", self.targets.checked(self.name, self.classes))

    def _check_split(self, split: NDArray[np.str_]) -> None:
        """Make sure that every image is for training, validation or test, or for none of them."""
        unknown = sorted(set(map(str, np.asarray(split).tolist())) - {*SPLITS, UNUSED})
        if unknown:
            raise DataError(
                f"{self.name}: the split must say train, validation or test for each image, "
                f"not {unknown[0]!r}{nearest(unknown[0], SPLITS)}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, indices: NDArray[np.int64]) -> Dataset:
        """Return the data set of the samples at ``indices`` (int64 ``(M,)``), in that order."""

        def pick(values: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if values is None else values[indices]

        return replace(
            self,
            images=SomeImages(self.images, indices),
            targets=self.targets.take(indices),
            split=pick(self.split),
            groups=pick(self.groups),
        )

    @property
    def task(self) -> str:
        """The task that learns such targets, as in ``recipe.task``."""
        return self.targets.task

    @property
    def strata(self) -> NDArray[np.int64]:
        """The kind of each sample, int64 ``(N,)``; every part of a split holds as much of each kind."""
        return self.targets.strata(self.classes)

    def counts(self) -> NDArray[np.int64]:
        """Return the number of samples that show each class, int64 ``(classes,)``; ``(0,)`` where there are none."""
        return self.targets.counts(self.classes)

    def kinds(self) -> list[tuple[str, NDArray[np.int64]]]:
        """Return what people sort the samples by (classes, labels, ranges), each with its samples, int64."""
        return self.targets.kinds(self.classes)

    def describe(self) -> str:
        """Say in a few words what is learned: ``3 classes``, ``age from 0 to 90``."""
        return self.targets.describe(self.classes)

    def text(self, index: int) -> str:
        """Write what is true of one sample: its class, its labels, its value."""
        return self.targets.text(index, self.classes)


def apply_decisions(dataset: Dataset, decisions: Decisions) -> Dataset:
    """Return the data set without its excluded images and with the new labels of the relabelled ones.

    Raises:
        DataError: A row names an image or a class that the data set does not have, or no image is left.
    """
    number = len(dataset)
    places = {dataset.images.name(index): index for index in range(number)}
    targets, kept, rows = dataset.targets, np.ones(number, bool), []
    for row in decisions.rows:
        name = row.image if row.image in places else row.image.replace("\\", "/")  # as Windows writes it
        if name not in places:
            raise DataError(
                f"{decisions.path}, line {row.line}: {dataset.name} has no image {row.image}{_near(row.image, places)}"
                "; correct the name or remove the row."
            )
        if row.decision == RELABEL:
            try:
                targets = targets.relabel(places[name], row.label, dataset.classes)
            except DataError as error:
                raise DataError(f"{decisions.path}, line {row.line}: {dataset.name} {error}.") from None
        kept[places[name]] = row.decision != EXCLUDE
        rows.append(replace(row, image=name))
    if not kept.any():
        raise DataError(f"{decisions.path} excludes all {number:,} images of {dataset.name}; remove some of its rows.")
    decided = replace(decisions, rows=tuple(rows))
    notes = (*dataset.notes, *([decided.describe()] if rows else []))
    changed = replace(dataset, targets=targets, notes=notes, decisions=decided)
    return changed if kept.all() else changed.subset(np.flatnonzero(kept))


def _near(name: str, names: dict[str, int]) -> str:
    """Return a hint at images of the same file name, or almost the same, elsewhere."""
    alike = [known for known in names if os.path.basename(known) == os.path.basename(name)]
    return nearest(name, alike) or nearest(name, list(names)[:10_000])
