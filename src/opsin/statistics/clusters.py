"""Clustered images: groups (patient, slide, video) as the units of intervals and tests."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

ENOUGH_GROUPS = 30


def group_method(groups: int, method: str = "cluster bootstrap") -> str:
    """Return the name of an interval method with its number of groups."""
    return f"{method}, {groups} group{'s' * (groups != 1)}{': indicative' * (groups < ENOUGH_GROUPS)}"


def groups_behind(method: str) -> int | None:
    """Return the number of groups in a name from `group_method`, or None for other methods."""
    found = re.search(r"(\d+) groups?\b", method)
    return int(found[1]) if found else None


def membership_of(groups: NDArray[Any] | None) -> sparse.csr_array | None:
    """Return the sparse ``(G, N)`` membership matrix of groups and images; None if no group has two images."""
    if groups is None:
        return None
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) == len(groups):
        return None
    rows = np.arange(len(groups))
    return sparse.csr_array((np.ones(len(groups)), (group_of, rows)), shape=(len(names), len(groups)))
