"""What the accuracy under corruptions says: whether little is enough to make the network fail."""

from __future__ import annotations

import math
from typing import Any

from opsin.evaluation.finding import Finding, number

MILD = 2  # severity of 5
COSTS, COSTS_MUCH = 0.05, 0.15
CLEAR = 3.0  # standard errors, as some thirteen corruptions are tried


def robustness_findings(robustness: dict[str, Any]) -> list[Finding]:
    """Say which mild corruption costs most, where one costs more than chance explains.

    Args:
        robustness: ``robustness.json``; empty where the run was not examined.
    """
    costs = [(*found, row) for row in robustness.get("corruptions", []) if (found := _cost(row))]
    if not costs:
        return []
    costs.sort(key=lambda cost: -cost[0])
    cost, entry, row = costs[0]
    clean = robustness["clean"]["value"]
    others = ", ".join(f"{other['title']} to {number(its['value'])}" for _, its, other in costs[1:4])
    others = f"Likewise {others}. " if others else ""
    flag = row["flag"]
    return [
        Finding(
            "fragile",
            "warning" if cost >= COSTS_MUCH else "note",
            f"It is fragile: {row['title']} of severity {entry['severity']} of 5 ({entry['amount']}) brings its "
            f"accuracy from {number(clean)} to {number(entry['value'])}.",
            f"{others}Measured on {entry['n']:,} validation images.",
            f"Show it such images in training: `{flag}`."
            if flag
            else "No augmentation of ours shows it such images in training: add some from other instruments, or bring "
            "new images to the quality of these.",
        )
    ]


def _cost(row: dict[str, Any]) -> tuple[float, dict[str, Any]] | None:
    """Return what a corruption costs where it is mild, and the entry that says so; None where that is little."""
    mild = [entry for entry in row["severities"] if entry["severity"] <= MILD]
    found = []
    for entry in mild:
        net = entry["lost"] - entry["gained"]
        clear = net > CLEAR * math.sqrt(entry["lost"] + entry["gained"])  # McNemar (1947), as a normal deviate
        if clear and net >= COSTS * entry["n"]:
            found.append((net / entry["n"], entry))
    return found[0] if found else None
