"""Duplicates and near-duplicates: in one class, under two labels, or in two parts of a given split."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from opsin.audit.context import AuditContext, group_equal, group_linked
from opsin.audit.finding import NOTE, SERIOUS, WARNING, ImageFinding
from opsin.data.images import SPLITS, TEST, UNUSED, VALIDATION
from opsin.data.near_duplicates.find import NearDuplicates
from opsin.data.targets import Targets

MATTERS = 0.01  # leaked images are serious from this fraction of a held-out split; fewer hardly change a score
MANY = 0.1  # fraction of repeated images above which a warning is due: the data are much smaller than they seem


def find_duplicates(material: AuditContext) -> list[ImageFinding]:
    """Find images with identical pixels."""
    groups = group_equal(material.digests)
    repeats = sum(len(group) - 1 for group in groups)

    def sentence(pictures: int, images: int) -> str:
        return (
            f"{_number(images, 'image')} {'show' if images > 1 else 'shows'} only "
            f"{_number(pictures, 'picture')}, with identical pixels."
        )

    return material.group_finding(
        "duplicates",
        WARNING if repeats > MANY * len(material.dataset) else NOTE,
        sentence,
        "Opsin keeps copies on one side of every split. Exclude all but one of each to count each picture once.",
        groups,
    )


def find_near_copies(material: AuditContext) -> list[ImageFinding]:
    """Find near-duplicates."""
    near = _near(material)
    details: dict[int, str] = {}
    for (first, second), kind, similarity in zip(near.pairs.tolist(), near.kinds, near.similarity, strict=True):
        details.setdefault(second, f"{kind}, {100 * similarity:.0f} % similar to {material.names[first]}")
    kinds = Counter(near.kinds.tolist())

    def sentence(pictures: int, images: int) -> str:
        pairs = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
        return (
            f"{_number(images, 'image')} in {_number(pictures, 'group')} show almost the same picture (pairs: {pairs})."
        )

    return material.group_finding(
        "near-duplicates",
        WARNING if len(details) > MANY * len(material.dataset) else NOTE,
        sentence,
        "Opsin keeps them on one side of every split. Exclude those that add nothing.",
        group_linked(len(material.dataset), near.pairs),
        details,
    )


def find_two_labels(material: AuditContext) -> list[ImageFinding]:
    """Find pictures that occur under two or more labels, as exact copies or near-duplicates."""
    targets = material.dataset.targets
    pairs = _near(material).pairs
    exact = [group for group in group_equal(material.digests) if not _same(targets.take(group))]
    contradicting = pairs[~targets.take(pairs[:, 0]).same(targets.take(pairs[:, 1]))]
    taken = {int(row) for group in exact for row in group}
    near = [group for group in group_linked(len(targets), contradicting) if not taken.issuperset(group.tolist())]
    details = {int(row): f"labeled {material.label(row)}" for group in (*exact, *near) for row in group}

    def sentence(pictures: int, images: int) -> str:
        almost = f"; {len(near):,} of the pictures only as near-duplicates" if near else ""
        return (
            f"{_number(pictures, 'picture')} {'occurs' if pictures == 1 else 'occur'} under different labels "
            f"({_number(images, 'image')}{almost})."
        )

    return material.group_finding(
        "two-labels",
        WARNING,
        sentence,
        "Relabel or exclude the images whose label is wrong, or keep all of them if each label is right.",
        [*exact, *near],
        details,
    )


def find_leaks(material: AuditContext) -> list[ImageFinding]:
    """Find pictures and groups that are in more than one part of a split given with the data."""
    split = material.dataset.split
    if split is None:
        return []
    details = {row: f"in {part}" for row, part in enumerate(split.tolist())}
    used = split != UNUSED
    together = [group[used[group]] for group in group_equal(material.digests)]
    exact = [group for group in together if len(np.unique(split[group])) > 1]
    pairs = _near(material).pairs
    near = group_linked(len(split), pairs[(split[pairs[:, 0]] != split[pairs[:, 1]]) & used[pairs].all(axis=1)])
    equal = material.group_finding(
        "leak",
        _severity(split, exact),
        lambda pictures, images: (
            f"{_number(pictures, 'picture')} {'is' if pictures == 1 else 'are'} in more than one part of the given "
            f"split, with identical pixels ({_parts(split, exact)})."
        ),
        "Scores on them measure memorization. Opsin does not train on images that are also in a held-out part; exclude "
        "one of the copies to correct the data for other tools too.",
        exact,
        details,
    )
    almost = material.group_finding(
        "near-leak",
        _severity(split, near),
        lambda pictures, images: (
            f"{_number(images, 'image')} in {_number(pictures, 'group')} show almost the same picture in more than one "
            f"part of the given split ({_parts(split, near)})."
        ),
        "The scores of the held-out part will be better than for new images. Exclude one of the copies, or let Opsin "
        "make the split (--no-given-split).",
        near,
        details,
    )
    return [*equal, *almost, *_shared_groups(material, split)]


def _shared_groups(material: AuditContext, split: NDArray[np.str_]) -> list[ImageFinding]:
    groups = material.dataset.groups
    if groups is None:
        return []
    parts: dict[str, set[str]] = {}
    for group, part in zip(groups.tolist(), split.tolist(), strict=True):
        if part != UNUSED:
            parts.setdefault(group, set()).add(part)
    shared = {group for group, found in parts.items() if len(found) > 1}
    rows = [row for row, group in enumerate(groups.tolist()) if group in shared and split[row] != UNUSED]
    return material.image_finding(
        "shared-groups",
        SERIOUS,
        lambda images: (
            f"{len(shared):,} of {len(parts):,} groups {'has' if len(shared) == 1 else 'have'} images in more than one "
            f"part of the given split ({_number(images, 'image')})."
        ),
        "Images of one group resemble each other, so scores will be better than for new groups. Let Opsin make a split "
        "that keeps groups together (--no-given-split).",
        rows,
        {row: f"in {split[row]}, group {groups[row]}" for row in rows},
    )


def _severity(split: NDArray[np.str_], groups: list[NDArray[np.int64]]) -> str:
    """Return the severity of a leak, by the fraction of a held-out part that it affects."""
    leaked = split[np.concatenate([np.zeros(0, np.int64), *groups])]
    shares = [(leaked == part).sum() / max((split == part).sum(), 1) for part in (VALIDATION, TEST)]
    return SERIOUS if max(shares) >= MATTERS else WARNING


def _parts(split: NDArray[np.str_], groups: list[NDArray[np.int64]]) -> str:
    """Return the number of groups for each combination of parts: ``3 in train and test``."""
    shared = Counter(" and ".join(part for part in SPLITS if part in set(split[group].tolist())) for group in groups)
    return ", ".join(f"{count:,} in {parts}" for parts, count in shared.items())


def _near(material: AuditContext) -> NearDuplicates:
    """Return the near-duplicate pairs without exact duplicates."""
    near = material.near
    if near is None:
        return NearDuplicates(np.zeros((0, 2), np.int64), np.zeros(0, "<U1"), np.zeros(0))
    differ = near.kinds != "exact"
    return NearDuplicates(near.pairs[differ], near.kinds[differ], near.similarity[differ])


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _same(targets: Targets) -> bool:
    """Return whether all targets are equal."""
    return bool(targets.same(targets.take(np.zeros(len(targets), np.int64))).all())
