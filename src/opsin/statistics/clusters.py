"""Images that come in groups (patient, slide, video) and so count for less than as many single ones."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

ENOUGH_GROUPS = 30


def group_method(groups: int, method: str = "cluster bootstrap") -> str:
    """Name the method of an interval that rests on so many groups."""
    return f"{method}, {groups} group{'s' * (groups != 1)}{': indicative' * (groups < ENOUGH_GROUPS)}"


def groups_behind(method: str) -> int | None:
    """Return the number of groups that `group_method` wrote into a method, or None for a method without groups."""
    found = re.search(r"(\d+) groups?\b", method)
    return int(found[1]) if found else None


def membership_of(groups: NDArray | None) -> sparse.csr_array | None:
    """Return the sparse ``(G, N)`` matrix of which image is in which group; None where each image is on its own."""
    if groups is None:
        return None
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) == len(groups):
        return None
    rows = np.arange(len(groups))
    return sparse.csr_array((np.ones(len(groups)), (group_of, rows)), shape=(len(names), len(groups)))
