"""From a recipe to data that can be trained on: read, decode, check, resolve, split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from opsin.data.dataset import Dataset
from opsin.data.fingerprint import compute_fingerprint, find_symmetry
from opsin.data.images import SPLITS, TEST, TRAIN, VALIDATION
from opsin.data.near_duplicates.find import SMALLEST, NearDuplicates, find_near_duplicates
from opsin.data.pixels import Pixels, load_pixels, memory_budget
from opsin.data.preprocessing import Preprocessing, channel_statistics
from opsin.data.read import check_classes, read_dataset
from opsin.data.splitting.from_recipe import apply_split_settings
from opsin.data.splitting.split import Split, split_samples
from opsin.data.splitting.subset import subsample_training
from opsin.data.targets import EncodedTargets, Targets
from opsin.errors import DataError, unreadable_message
from opsin.networks.backbones import input_statistics
from opsin.recipe.recipe import Recipe
from opsin.tasks.registry import task_spec
from opsin.training.defaults import resolve_input, resolve_task, resolve_training
from opsin.training.initial_weights import Source, find_source


@dataclass(frozen=True)
class Prepared:
    """Data ready for training.

    Attributes:
        recipe: Resolved.
        dataset: Its samples; those that could not be read are left out.
        pixels: All images, decoded.
        targets: The encoded targets of all images.
        digests: uint64 ``(N,)``, equal for images with equal pixels.
        near_duplicates: Pairs of images that show the same picture; None where they were not looked for.
        split: Where each sample goes.
        preprocessing: How an image becomes input.
        sizes: The sizes of the images as they came, for people.
        fingerprint: Changes when an image, a label or a name changes.
    """

    recipe: Recipe
    dataset: Dataset
    pixels: Pixels
    targets: EncodedTargets
    digests: NDArray[np.uint64]
    near_duplicates: NearDuplicates | None
    split: Split
    preprocessing: Preprocessing
    sizes: str
    fingerprint: str

    def describe(self) -> dict[str, Any]:
        """Return what ``run.json`` says of the data."""
        classes = self.dataset.classes
        counts = {name: self.dataset.targets.take(self.split.names == name).counts(classes).tolist() for name in SPLITS}
        groups = 0 if self.dataset.groups is None else len(np.unique(self.dataset.groups))
        return {
            "name": self.dataset.name,
            "images": len(self.dataset),
            "classes": list(classes),
            "channels": self.preprocessing.channels,
            "sizes": self.sizes,
            "counts": counts,
            "splits": {name: len(self.split.indices(name)) for name in SPLITS},
            "groups": groups,
            "duplicates": self.split.duplicates,
            "near_duplicates": 0 if self.near_duplicates is None else self.near_duplicates.count,
            "split": self.split.method,
            "notes": [*self.dataset.notes, *self.split.notes],
            "left_out": self.dataset.left_out,
            "fingerprint": self.fingerprint,
        }

    @property
    def scored_targets(self) -> Targets:
        """The targets of all images, as predictions are scored against them."""
        return self.dataset.targets.at_input_size(self.targets)

    def split_targets(self, split: str) -> Targets:
        """Return the targets of the images of a split, as predictions are scored against them."""
        return self.scored_targets.take(self.split.indices(split))

    def rows(self) -> list[list[str]]:
        """Return the rows of ``split.csv``: image, class, split, group, digest of the pixels."""
        dataset, names = self.dataset, self.split.names
        groups = self.split.groups if dataset.groups is None else dataset.groups
        return [
            [
                dataset.images.name(index),
                dataset.text(index),
                str(names[index]),
                str(groups[index]),
                f"{self.digests[index]:016x}",
            ]
            for index in range(len(dataset))
        ]


def read_source(recipe: Recipe, data_root: str | Path | None = None, *, check: bool = True) -> Dataset:
    """Read the data that a recipe names; no image is decoded.

    Args:
        recipe: Names the source, and the columns of label and group.
        data_root: A folder that holds named data sets.
        check: Whether to require enough images of each class to train on.

    Raises:
        DataError: The data cannot be read.
        RecipeError: There is no such task.
    """
    if recipe.task is not None:
        task_spec(recipe.task)  # a mistyped task is named before anything is read
    if not recipe.data.source:
        raise DataError(
            "No data given: name a folder, a CSV, npz or IDX file, or a known data set (`opsin datasets`); a run that "
            "was trained on a Dataset object needs that object again."
        )
    data = recipe.data
    return read_dataset(
        data.source,
        label=data.label,
        group=data.group,
        data_root=data_root,
        decisions=data.decisions,
        check=check,
        task=recipe.task,
        masks=data.masks,
    )


def refuse_idle_decisions(recipe: Recipe, dataset: Dataset) -> None:
    """Raise where a recipe names a file of decisions that nobody applied to the data.

    Raises:
        DataError: It does.
    """
    if recipe.data.decisions and dataset.decisions is None:
        raise DataError(
            "data.decisions goes with data that are read from a path; give opsin.read_dataset(..., decisions=...) the "
            "file, and go on with what it returns."
        )


def stamp(dataset: Dataset) -> str:
    """Return sixteen hexadecimal digits that change when a name, a label, the split or a file of the data changes."""
    total = hashlib.sha256()
    for part in (dataset.classes, dataset.split, dataset.groups):
        total.update(repr(None if part is None else list(part)).encode())
    total.update(dataset.targets.content())
    for index in range(len(dataset)):
        try:
            signature = dataset.images.signature(index)
        except OSError:
            signature = (-1, -1)
        total.update(f"{dataset.images.name(index)} {signature}".encode())
        total.update(dataset.targets.signature(index).encode())
    return total.hexdigest()[:16]


def prepare(
    recipe: Recipe,
    dataset: Dataset,
    *,
    known: Preprocessing | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Decode and compare every image of a data set once, split it, and fill in what the recipe leaves open.

    Args:
        recipe: What the user asked for.
        dataset: The data as they were read.
        known: How images become input in a run that began before.
        progress: Called with (steps done, all steps), from zero again when images are decoded and then compared.

    Raises:
        DataError: The data cannot be used. Images that cannot be read are named, unless the recipe leaves them out. Or
            the run whose weights are to be begun from has learned from images that are to be held out now.
        RecipeError: Settings contradict each other.
        NetworkError: There is no such network.
    """
    dataset = apply_split_settings(dataset, recipe.split)
    check_classes(dataset)
    refuse_idle_decisions(recipe, dataset)
    look = compute_fingerprint(dataset)
    recipe = resolve_input(resolve_task(recipe, dataset), dataset, look)
    preprocessing = _preprocessing(recipe)
    budget = memory_budget(recipe.data.memory_gb)
    pixels = load_pixels(dataset.images, preprocessing, budget=budget, progress=progress)
    if pixels.unreadable:
        dataset = _leave_out(dataset, pixels, recipe.data.skip_unreadable)
        pixels = load_pixels(dataset.images, preprocessing, budget=budget, progress=progress)
    near_duplicates = None
    if recipe.split.near_duplicates:
        mirrored = find_symmetry(dataset, look) != "none"
        near_duplicates = find_near_duplicates(pixels.images.numpy(), mirrored=mirrored, progress=progress)
        dataset = _note_tiny(dataset, preprocessing)
    targets = dataset.targets.encode(preprocessing, progress)
    return _share_out(recipe, dataset, (pixels, targets), pixels.digests(), near_duplicates, look.sizes, known)


def prepare_other_split(prepared: Prepared, asked: Recipe) -> Prepared:
    """Share images that are decoded already out in another way.

    Args:
        prepared: The images.
        asked: What the user asked for; it differs in split and seed, and nowhere else, nor in whether near-duplicates
            are kept together.

    Raises:
        DataError: The images cannot be split so.
        RecipeError: Settings contradict each other.
    """
    recipe = replace(prepared.recipe, seed=asked.seed, split=asked.split, training=asked.training)
    recipe = resolve_task(recipe, prepared.dataset)
    known = (prepared.pixels, prepared.targets), prepared.digests, prepared.near_duplicates
    return _share_out(recipe, prepared.dataset, *known, prepared.sizes)


def prepare_from(prepared: Prepared, asked: Recipe) -> Prepared | None:
    """Prepare data for another recipe from images that are decoded already, where it sees the same images.

    Args:
        prepared: Images of the same data set.
        asked: What the user asked for; it may differ in network, augmentation, training and seed.

    Returns:
        None where the images would have to be read or compared in another way.
    """
    recipe = resolve_input(
        resolve_task(asked, prepared.dataset), prepared.dataset, compute_fingerprint(prepared.dataset)
    )
    if (recipe.data, recipe.split, recipe.task) != (prepared.recipe.data, prepared.recipe.split, prepared.recipe.task):
        return None
    known = (prepared.pixels, prepared.targets), prepared.digests, prepared.near_duplicates
    return _share_out(recipe, prepared.dataset, *known, prepared.sizes)


def _note_tiny(dataset: Dataset, preprocessing: Preprocessing) -> Dataset:
    """Say where images are too small for near-duplicates to be told from images that are merely alike."""
    if min(preprocessing.height, preprocessing.width) >= SMALLEST:
        return dataset
    note = f"Images under {SMALLEST} pixels are too small for near-duplicate detection; only exact copies were sought."
    return replace(dataset, notes=(*dataset.notes, note))


def _share_out(
    recipe: Recipe,
    dataset: Dataset,
    decoded: tuple[Pixels, EncodedTargets],
    digests: NDArray[np.uint64],
    near_duplicates: NearDuplicates | None,
    sizes: str,
    known: Preprocessing | None = None,
) -> Prepared:
    """Split decoded images and their targets and fill in what the recipe still leaves open."""
    pixels, targets = decoded
    alike = None if near_duplicates is None else near_duplicates.groups(len(dataset))
    split = split_samples(dataset, digests, recipe.split, alike)
    split = subsample_training(split, dataset, recipe.split.train_fraction, recipe.seed)
    training = split.indices(TRAIN)
    names = [dataset.images.name(index) for index in range(len(dataset))]
    if known is None and recipe.network.weights:
        _refuse_seen_images(find_source(recipe.network.weights), recipe, dataset, names, digests, split)
    preprocessing = known or _fit_preprocessing(recipe, pixels, training)
    recipe = resolve_training(recipe, len(training))
    read = dataset.targets.digests(targets)
    fingerprint = _fingerprint(names, dataset, digests if read is None else digests ^ read, split)
    return Prepared(
        recipe, dataset, pixels, targets, digests, near_duplicates, split, preprocessing, sizes, fingerprint
    )


def _preprocessing(recipe: Recipe) -> Preprocessing:
    height, width = recipe.data.image_size or (0, 0)
    channels = recipe.data.channels or 3
    mean, std = (0.5,) * channels, (0.5,) * channels
    if recipe.network.pretrained:
        mean, std = input_statistics(recipe.network.name or "")
        mean, std = (mean, std) if len(mean) == channels else ((float(np.mean(mean)),), (float(np.mean(std)),))
    return Preprocessing(height, width, channels, recipe.data.resize, recipe.data.bits, mean, std)


def _fit_preprocessing(recipe: Recipe, pixels: Pixels, training: NDArray[np.int64]) -> Preprocessing:
    """Return how an image becomes input: by the statistics that the weights know, else by those of the training images.

    What ImageNet weights or those of a run have learned holds for input that is standardized as theirs was.
    """
    preprocessing = _preprocessing(recipe)
    if recipe.network.pretrained:
        return preprocessing
    learned = find_source(recipe.network.weights).preprocessing if recipe.network.weights else None
    if learned is not None and learned.channels == preprocessing.channels:
        return replace(preprocessing, mean=learned.mean, std=learned.std)
    mean, std = channel_statistics(pixels.images, torch.from_numpy(training))
    return replace(preprocessing, mean=mean, std=std)


def _refuse_seen_images(
    source: Source,
    recipe: Recipe,
    dataset: Dataset,
    names: Sequence[str],
    digests: NDArray[np.uint64],
    split: Split,
) -> None:
    """Raise where a run that weights are taken from has learned from images of validation or test, or chosen by test's.

    Images are the same where their pixels are or, at another size, where they have the same name in the same data.

    Raises:
        DataError: It has.
    """
    if source.folder is None:
        return
    same = source.folder.info.get("data", {}).get("name") == dataset.name
    same = same and source.folder.recipe.data.source == recipe.data.source
    rows = source.folder.split_rows()
    for seen, held_out in (({TRAIN}, VALIDATION), ({TRAIN, VALIDATION}, TEST)):
        ours = split.indices(held_out)
        named = {row["image"] for row in rows if same and row["split"] in seen}
        alike = np.isin(digests[ours], source.folder.digests(*seen))
        number = int((alike | np.array([names[row] in named for row in ours], bool)).sum())
        if number:
            raise DataError(
                f"{source.folder.path} has learned from {number:,} of the {len(ours):,} images that are held out for "
                f"{held_out}, which would make the score too good; share the images out as it did, with --split-file "
                f"{source.folder.path}, or start from other weights."
            )


def _leave_out(dataset: Dataset, pixels: Pixels, skip: bool) -> Dataset:
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


def _fingerprint(names: Sequence[str], dataset: Dataset, digests: NDArray[np.uint64], split: Split) -> str:
    total = hashlib.sha256()
    for part in (names, dataset.classes, split.names.tolist()):
        total.update("\n".join(part).encode())
    total.update(dataset.targets.content())
    total.update(digests.astype("<u8").tobytes())
    return total.hexdigest()[:16]
