"""Finding from the scores under corruptions: a network that fails under mild ones."""

from __future__ import annotations

from typing import Any

from opsin.evaluation.verdict.finding import Finding, number
from opsin.metrics.names import describe_score

MILD = 2  # severity of 5
COSTS, COSTS_MUCH = 0.05, 0.15  # of scores from 0 to 1
ADDS, ADDS_MUCH = 0.2, 0.5  # of errors, relative to their value without the corruption
CLEAR = 3.0  # standard errors; high because some thirteen corruptions are tried


def robustness_findings(robustness: dict[str, Any]) -> list[Finding]:
    """Return a finding on the mild corruption that costs most, if it costs significantly.

    Args:
        robustness: ``robustness.json``; empty where the run was not inspected.
    """
    if not robustness:
        return []
    score, clean = describe_score(robustness["score"]), robustness["clean"]["value"]
    unit, costs, much = (1.0, COSTS, COSTS_MUCH) if score.part else (max(clean, 1e-9), ADDS, ADDS_MUCH)
    found = []
    for row in robustness["corruptions"]:
        mild = [entry for entry in row["severities"] if entry["severity"] <= MILD]
        clear = [entry for entry in mild if entry["cost"] > CLEAR * entry["error"] and entry["cost"] >= costs * unit]
        found += [(clear[0]["cost"] / unit, clear[0], row)] if clear else []
    if not found:
        return []
    found.sort(key=lambda each: -each[0])
    cost, entry, row = found[0]
    others = ", ".join(f"{other['title']} to {number(its['value'])}" for _, its, other in found[1:4])
    others = f"Also {others}. " if others else ""
    flag = row["flag"]
    return [
        Finding(
            "fragile",
            "warning" if cost >= much else "note",
            f"The network is fragile: {row['title']} of severity {entry['severity']} of 5 ({entry['amount']}) "
            f"changes its {score.words} from {number(clean)} to {number(entry['value'])}.",
            f"{others}Measured on {entry['n']:,} validation images.",
            f"Augment with this corruption: `{flag}`."
            if flag
            else "Opsin has no augmentation for this corruption: add training images from other instruments, or bring "
            "new images to the same quality.",
        )
    ]
