"""From a recipe to data that can be trained on: read, decode, check, resolve, split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from opsin.data.dataset import SPLITS, TRAIN, DataSet
from opsin.data.pixels import Pixels, load_pixels, memory_budget
from opsin.data.preprocessing import Preprocessing, channel_statistics
from opsin.data.reading import check_classes, read_dataset
from opsin.data.split import Split, split_samples
from opsin.errors import DataError
from opsin.networks.table import input_statistics
from opsin.planning import look_at, resolve_input, resolve_training
from opsin.recipe import Recipe

SHOWN = 5  # unreadable images that an error names


@dataclass(frozen=True)
class Prepared:
    """Data ready for training.

    Attributes:
        recipe: Resolved.
        dataset: Its samples; those that could not be read are left out.
        pixels: All images, decoded.
        labels: int64 ``(N,)``.
        split: Where each sample goes.
        preprocessing: How an image becomes input.
        sizes: The sizes of the images as they came, for people.
        fingerprint: Changes when an image, a label or a name changes.
    """

    recipe: Recipe
    dataset: DataSet
    pixels: Pixels
    labels: Tensor
    split: Split
    preprocessing: Preprocessing
    sizes: str
    fingerprint: str

    def describe(self) -> dict[str, Any]:
        """Return what ``run.json`` says of the data."""
        classes = self.dataset.classes
        counts = {
            name: np.bincount(self.dataset.labels[self.split.names == name], minlength=len(classes)).tolist()
            for name in SPLITS
        }
        groups = 0 if self.dataset.groups is None else len(np.unique(self.dataset.groups))
        return {
            "name": self.dataset.name,
            "images": len(self.dataset),
            "classes": list(classes),
            "channels": self.preprocessing.channels,
            "sizes": self.sizes,
            "counts": counts,
            "groups": groups,
            "duplicates": self.split.duplicates,
            "split": self.split.method,
            "notes": [*self.dataset.notes, *self.split.notes],
            "left_out": self.dataset.left_out,
            "fingerprint": self.fingerprint,
        }

    def rows(self) -> list[list[str]]:
        """Return the rows of ``split.csv``: image, class, split, group."""
        dataset = self.dataset
        groups = self.split.groups if dataset.groups is None else dataset.groups
        return [
            [dataset.images.name(index), dataset.classes[label], str(self.split.names[index]), str(groups[index])]
            for index, label in enumerate(dataset.labels)
        ]


def prepare(
    recipe: Recipe,
    dataset: DataSet | None = None,
    *,
    data_root: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Read the data that a recipe names, decode every image once, and fill in what the recipe leaves open.

    Args:
        recipe: What the user asked for.
        dataset: The data, where they do not come from ``recipe.data.source``.
        data_root: A folder that holds named data sets.
        progress: Called with (images decoded, all images).

    Raises:
        DataError: The data cannot be read or used. Images that cannot be read are named, unless the recipe leaves
            them out.
    """
    if dataset is None:
        if not recipe.data.source:
            raise DataError(
                "No data given: name a folder, a CSV, npz or IDX file, or a known data set (`opsin data list`)."
            )
        dataset = read_dataset(
            recipe.data.source, label=recipe.data.label, group=recipe.data.group, data_root=data_root
        )
    look = look_at(dataset)
    recipe = resolve_input(recipe, dataset, look)
    preprocessing = _preprocessing(recipe)
    budget = memory_budget(recipe.data.memory_gb)
    pixels = load_pixels(dataset.images, preprocessing, budget=budget, progress=progress)
    if pixels.unreadable:
        dataset = _leave_out(dataset, pixels, recipe.data.skip_unreadable)
        pixels = load_pixels(dataset.images, preprocessing, budget=budget, progress=progress)
    digests = pixels.digests()
    split = split_samples(dataset, digests, recipe.split)
    training = split.indices(TRAIN)
    if not recipe.network.pretrained:
        mean, std = channel_statistics(pixels.images, torch.from_numpy(training))
        preprocessing = replace(preprocessing, mean=mean, std=std)
    recipe = resolve_training(recipe, len(training))
    names = [dataset.images.name(index) for index in range(len(dataset))]
    fingerprint = _fingerprint(names, dataset, digests, split)
    labels = torch.from_numpy(dataset.labels.astype(np.int64))
    return Prepared(recipe, dataset, pixels, labels, split, preprocessing, look.sizes, fingerprint)


def _preprocessing(recipe: Recipe) -> Preprocessing:
    height, width = recipe.data.image_size or (0, 0)
    channels = recipe.data.channels or 3
    mean, std = (0.5,) * channels, (0.5,) * channels
    if recipe.network.pretrained:
        mean, std = input_statistics(recipe.network.name or "")
        mean, std = (mean, std) if len(mean) == channels else ((float(np.mean(mean)),), (float(np.mean(std)),))
    return Preprocessing(height, width, channels, recipe.data.resize, recipe.data.bits, mean, std)


def _leave_out(dataset: DataSet, pixels: Pixels, skip: bool) -> DataSet:
    """Leave out images that cannot be read, or stop and name them."""
    left_out = {dataset.images.name(index): reason for index, reason in pixels.unreadable.items()}
    if not skip:
        raise DataError(unreadable_message(dataset.name, left_out))
    kept = np.setdiff1d(np.arange(len(dataset)), list(pixels.unreadable))
    if not len(kept):
        raise DataError(f"{dataset.name}: none of its {len(dataset):,} images can be read.")
    dataset = replace(dataset.subset(kept), left_out=dataset.left_out | left_out)
    check_classes(dataset)
    return dataset


def unreadable_message(where: str, reasons: dict[str, str]) -> str:
    """Return the sentence that names images that cannot be read, each with its reason, and says what to do."""
    named = "; ".join(f"{name} {reason}" for name, reason in list(reasons.items())[:SHOWN])
    more = f"; and {len(reasons) - SHOWN:,} more" if len(reasons) > SHOWN else ""
    count = "1 image cannot" if len(reasons) == 1 else f"{len(reasons):,} images cannot"
    return f"{where}: {count} be read: {named}{more}. Mend or remove them, or leave them out with --skip-unreadable."


def _fingerprint(names: Sequence[str], dataset: DataSet, digests: np.ndarray, split: Split) -> str:
    total = hashlib.sha256()
    for part in (names, dataset.classes, split.names.tolist()):
        total.update("\n".join(part).encode())
    total.update(dataset.labels.astype("<i8").tobytes())
    total.update(digests.astype("<u8").tobytes())
    return total.hexdigest()[:16]
