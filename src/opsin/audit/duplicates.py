"""Pictures that are there more than once: in one class, under two labels, in two parts of a given split."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from opsin.audit.context import AuditContext, alike, linked
from opsin.audit.finding import NOTE, SERIOUS, WARNING, ImageFinding
from opsin.data.images import SPLITS, TEST, UNUSED, VALIDATION
from opsin.data.near_duplicates.find import NearDuplicates
from opsin.data.targets import Targets

MATTERS = 0.01  # leaked images from this part of a held-out split on are serious; fewer hardly move a score
MANY = 0.1  # repeated images above this part of all are a warning: the data are much smaller than they look


def find_duplicates(material: AuditContext) -> list[ImageFinding]:
    """Find images with equal pixels under one label."""
    groups = alike(material.digests)
    repeats = sum(len(group) - 1 for group in groups)

    def sentence(pictures: int, images: int) -> str:
        return (
            f"{_number(images, 'image')} {'show' if images > 1 else 'shows'} only "
            f"{_number(pictures, 'picture')}: their pixels are equal."
        )

    return material.about_groups(
        "duplicates",
        WARNING if repeats > MANY * len(material.dataset) else NOTE,
        sentence,
        "Opsin keeps them on one side of every split; exclude all but one of each to make each picture count once.",
        groups,
    )


def find_near_copies(material: AuditContext) -> list[ImageFinding]:
    """Find images that show almost the same."""
    near = _near(material)
    details: dict[int, str] = {}
    for (first, second), kind, likeness in zip(near.pairs.tolist(), near.kinds, near.likeness, strict=True):
        details.setdefault(second, f"{kind}, {100 * likeness:.0f} % alike, beside {material.names[first]}")
    kinds = Counter(near.kinds.tolist())

    def sentence(pictures: int, images: int) -> str:
        pairs = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
        return (
            f"{_number(images, 'image')} in {_number(pictures, 'group')} show almost the same picture (pairs: {pairs})."
        )

    return material.about_groups(
        "near-duplicates",
        WARNING if len(details) > MANY * len(material.dataset) else NOTE,
        sentence,
        "Opsin keeps them on one side of every split; exclude those that add nothing.",
        linked(len(material.dataset), near.pairs),
        details,
    )


def find_two_labels(material: AuditContext) -> list[ImageFinding]:
    """Find pictures that are there under two labels or more, with equal pixels or almost."""
    targets = material.dataset.targets
    pairs = _near(material).pairs
    exact = [group for group in alike(material.digests) if not _same(targets.take(group))]
    contradicting = pairs[~targets.take(pairs[:, 0]).same(targets.take(pairs[:, 1]))]
    taken = {int(row) for group in exact for row in group}
    near = [group for group in linked(len(targets), contradicting) if not taken.issuperset(group.tolist())]
    details = {int(row): f"labelled {material.label(row)}" for group in (*exact, *near) for row in group}

    def sentence(pictures: int, images: int) -> str:
        almost = f", {len(near):,} of them almost the same rather than equal" if near else ""
        return (
            f"{_number(pictures, 'picture')} {'is' if pictures == 1 else 'are'} there under different labels"
            f"{almost}: {_number(images, 'image')} in all."
        )

    return material.about_groups(
        "two-labels",
        WARNING,
        sentence,
        "At most one of the labels can be right: relabel or exclude the others, or keep them if both are.",
        [*exact, *near],
        details,
    )


def find_leaks(material: AuditContext) -> list[ImageFinding]:
    """Find pictures and groups that a split given with the data has in more than one of its parts."""
    split = material.dataset.split
    if split is None:
        return []
    details = {row: f"in {part}" for row, part in enumerate(split.tolist())}
    used = split != UNUSED
    together = [group[used[group]] for group in alike(material.digests)]
    exact = [group for group in together if len(np.unique(split[group])) > 1]
    pairs = _near(material).pairs
    near = linked(len(split), pairs[(split[pairs[:, 0]] != split[pairs[:, 1]]) & used[pairs].all(axis=1)])
    equal = material.about_groups(
        "leak",
        _severity(split, exact),
        lambda pictures, images: (
            f"{_number(pictures, 'picture')} {'is' if pictures == 1 else 'are'} in more than one part of the given "
            f"split, with equal pixels ({_parts(split, exact)})."
        ),
        "A score on them shows what was learned by heart. Opsin does not train on images that are also in a held-out "
        "part; exclude one side to mend the data for everybody.",
        exact,
        details,
    )
    almost = material.about_groups(
        "near-leak",
        _severity(split, near),
        lambda pictures, images: (
            f"{_number(images, 'image')} in {_number(pictures, 'group')} show almost the same picture in more than one "
            f"part of the given split ({_parts(split, near)})."
        ),
        "The scores of the held-out part will be better than for new images; exclude one side, or let Opsin make the "
        "split.",
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
    return material.about_images(
        "shared-groups",
        SERIOUS,
        lambda images: (
            f"{len(shared):,} of {len(parts):,} groups {'has' if len(shared) == 1 else 'have'} images in more than one "
            f"part of the given split ({_number(images, 'image')})."
        ),
        "Images of one group resemble each other, so the scores will be better than for new groups; leave the split "
        "out to let Opsin make one that keeps groups together.",
        rows,
        {row: f"in {split[row]}, group {groups[row]}" for row in rows},
    )


def _severity(split: NDArray[np.str_], groups: list[NDArray[np.int64]]) -> str:
    """Return how bad it is that groups are in several parts, by how much of a held-out part they make up."""
    leaked = split[np.concatenate([np.zeros(0, np.int64), *groups])]
    shares = [(leaked == part).sum() / max((split == part).sum(), 1) for part in (VALIDATION, TEST)]
    return SERIOUS if max(shares) >= MATTERS else WARNING


def _parts(split: NDArray[np.str_], groups: list[NDArray[np.int64]]) -> str:
    """Return how many groups are shared by which parts: ``3 in train and test``."""
    shared = Counter(" and ".join(part for part in SPLITS if part in set(split[group].tolist())) for group in groups)
    return ", ".join(f"{count:,} in {parts}" for parts, count in shared.items())


def _near(material: AuditContext) -> NearDuplicates:
    """Return the pairs that show almost the same, without those whose pixels are equal."""
    near = material.near
    if near is None:
        return NearDuplicates(np.zeros((0, 2), np.int64), np.zeros(0, "<U1"), np.zeros(0))
    differ = near.kinds != "exact"
    return NearDuplicates(near.pairs[differ], near.kinds[differ], near.likeness[differ])


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _same(targets: Targets) -> bool:
    """Return whether all targets are equal."""
    return bool(targets.same(targets.take(np.zeros(len(targets), np.int64))).all())
