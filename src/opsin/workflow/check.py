"""Checking data before anything is trained on them: `opsin.check`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from opsin.audit.context import AuditContext
from opsin.audit.features import extract_features
from opsin.audit.finders import audit, describe_audit, read_shapes
from opsin.audit.finding import ImageFinding, sort_findings
from opsin.audit.label_errors import find_label_errors
from opsin.audit.outliers import find_outliers
from opsin.audit.result import Check
from opsin.data.dataset import Dataset
from opsin.data.decisions import default_path
from opsin.data.fingerprint import SMALL, Fingerprint, compute_fingerprint, find_symmetry
from opsin.data.near_duplicates.find import find_near_duplicates
from opsin.data.pixels import Pixels, load_pixels, memory_budget
from opsin.data.preprocessing import Preprocessing
from opsin.data.splitting.from_recipe import apply_split_settings
from opsin.errors import DataError
from opsin.recipe.recipe import Recipe, from_settings
from opsin.runtime.progress import working
from opsin.training.prepare import Prepared, read_source, refuse_idle_decisions

SIDES = (64, 128)  # pixels: the smallest and largest side that images above 64 pixels are compared at

Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


def check(
    data: str | Path | Dataset,
    *,
    labels: bool = False,
    recipe: Recipe | None = None,
    data_root: str | Path | None = None,
    quiet: bool = True,
    **settings: Any,
) -> Check:
    r"""Look through a data set for images that are broken, doubled, out of place or wrongly labelled.

    Nothing is changed. What a person decides about the findings goes into a file of decisions
    (`opsin.data.decisions`), which this function, `opsin.train` and all others apply.

    Args:
        data: A folder, a CSV, npz or IDX file, the name of a known data set, or a `Dataset`.
        labels: Also look for likely wrong labels, which takes a little longer.
        recipe: Its parts ``data`` and ``split`` say how the data are read and grouped; left out, the defaults.
        data_root: A folder that holds named data sets.
        quiet: Show no progress.
        **settings: Settings of the recipe by their short names, ``label="diagnosis", group_by=r"patient_(\d+)"``.

    Raises:
        RecipeError: A setting is unknown or out of range.
        DataError: The data cannot be read at all.
    """
    console = Console(quiet=quiet, stderr=True)
    progress = partial(working, console)
    asked = from_settings(settings, recipe)
    place = None
    if isinstance(data, Dataset):
        dataset = data
    else:
        asked = asked.merge({"data": {"source": str(data)}})
        dataset = read_source(asked, data_root, check=False)
        source = Path(data).expanduser()
        place = default_path(source) if source.exists() else None
        place = Path(asked.data.decisions) if asked.data.decisions else place
    refuse_idle_decisions(asked, dataset)
    dataset = apply_split_settings(dataset, asked.split)
    look = compute_fingerprint(dataset)
    material = _gather(dataset, asked, look, progress)
    findings = [*audit(material), *_look_inside(material, labels, progress)]
    return Check(material.dataset, tuple(sort_findings(findings)), place, look.sizes, material.pixels, material.shapes)


def _gather(dataset: Dataset, recipe: Recipe, look: Fingerprint, progress: Progress) -> AuditContext:
    """Decode the images and compare each with the others."""
    preprocessing = _preprocessing(look, recipe.data.bits)
    budget = memory_budget(recipe.data.memory_gb)
    with progress("reading images") as told:
        pixels: Pixels = load_pixels(dataset.images, preprocessing, budget=budget, progress=told)
    unreadable = {dataset.images.name(index): reason for index, reason in pixels.unreadable.items()}
    if len(unreadable) == len(dataset):
        name, reason = next(iter(unreadable.items()))
        raise DataError(f"{dataset.name}: none of its {len(dataset):,} images can be read; {name}, for one, {reason}.")
    if unreadable:
        dataset = dataset.subset(np.setdiff1d(np.arange(len(dataset)), list(pixels.unreadable)))
        with progress("reading images again without those that cannot be read") as told:
            pixels = load_pixels(dataset.images, preprocessing, budget=budget, progress=told)
    array, shapes, near = pixels.images.numpy(), read_shapes(dataset.images), None
    if recipe.split.near_duplicates:
        mirrored = find_symmetry(dataset, look) != "none"
        with progress("comparing images") as told:
            near = find_near_duplicates(array, mirrored=mirrored, progress=told)
    return AuditContext(dataset, array, pixels.digests(), shapes, near, unreadable)


def _preprocessing(look: Fingerprint, bits: int) -> Preprocessing:
    """Return how images are brought to one size: small ones as they are, others to a square of at most 128 pixels."""
    if max(look.height, look.width) <= SMALL:
        height, width = max(look.height, 4), max(look.width, 4)
    else:
        height = width = int(np.clip(round(min(look.height, look.width) / 32) * 32, *SIDES))
    return Preprocessing(height, width, 1 if look.grey else 3, bits=bits)


def _look_inside(material: AuditContext, labels: bool, progress: Progress) -> list[ImageFinding]:
    """Find what shows only in the features of a network."""
    with progress("looking for what does not belong") as told:
        features = extract_features(material.pixels, told)
    findings = find_outliers(material, features)
    if labels:
        findings += find_label_errors(material, features)
    return findings


def audit_prepared(prepared: Prepared) -> dict[str, Any]:
    """Return what ``audit.json`` of a run holds: what its decoded images show without any network."""
    dataset = prepared.dataset
    material = AuditContext(
        dataset,
        prepared.pixels.images.numpy(),
        prepared.digests,
        read_shapes(dataset.images),
        prepared.near_duplicates,
        dataset.left_out,
    )
    return describe_audit(dataset, audit(material))
