"""A finding of the audit: a sentence, the images concerned, and advice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

SERIOUS, WARNING, NOTE = "serious", "warning", "note"
SEVERITIES = (SERIOUS, WARNING, NOTE)

# Kind -> title, in the order in which findings of one severity are shown.
KINDS = {
    "unusable": "Cannot be trained on",
    "unreadable": "Cannot be read",
    "leak": "In more than one part of the split",
    "near-leak": "Almost the same in more than one part of the split",
    "shared-groups": "Groups in more than one part of the split",
    "two-labels": "One picture, two labels",
    "label-error": "Likely wrong labels",
    "outlier": "Do not seem to belong",
    "blank": "Nearly black or white",
    "blurred": "Blurred",
    "size": "Unusual size or shape",
    "color": "Grey among color, or color among grey",
    "duplicates": "Exact duplicates",
    "near-duplicates": "Near-duplicates",
    "few": "Too few images",
    "imbalance": "Uneven classes",
}


@dataclass(frozen=True)
class ImageFinding:
    """One problem found in a data set, and what to do about it.

    Attributes:
        kind: A key of `KINDS`.
        severity: "serious" (scores will be wrong, or training stops), "warning" (fix this) or "note" (for information).
        sentence: The finding with its numbers; contains no names of files or groups.
        advice: What to do.
        images: Names of the images concerned, the most conspicuous first.
        groups: For findings about duplicates, the images of each picture, including those kept before.
        details: Image -> what was found in it, if there is more to say.
        suggestions: Image -> the class that it probably has.
    """

    kind: str
    severity: str
    sentence: str
    advice: str
    images: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    details: dict[str, str] = field(default_factory=dict)
    suggestions: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of ``audit.json``; empty fields are left out."""
        return {key: value for key, value in asdict(self).items() if value not in ((), {})}


def headline(severities: Iterable[str]) -> str:
    """Return the number of findings of each severity: ``1 warning, 2 notes``, or ``nothing``."""
    found = Counter(severities)
    words = {
        SERIOUS: ("serious finding", "serious findings"),
        WARNING: ("warning", "warnings"),
        NOTE: ("note", "notes"),
    }
    counts = [f"{found[severity]} {words[severity][found[severity] > 1]}" for severity in SEVERITIES if found[severity]]
    return ", ".join(counts) or "nothing"


def sort_findings(findings: list[ImageFinding]) -> list[ImageFinding]:
    """Sort findings by severity, then in the order of `KINDS`."""
    kinds = list(KINDS)
    return sorted(findings, key=lambda finding: (SEVERITIES.index(finding.severity), kinds.index(finding.kind)))
