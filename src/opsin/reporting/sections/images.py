"""Image audit before training, and decisions about images."""

from __future__ import annotations

import shlex
from typing import Any

from opsin.audit.finding import KINDS
from opsin.reporting.run_report.page import Page
from opsin.storage.atomic import damage_explained

NAMED = 12  # images named per finding


def facts(page: Page) -> dict[str, Any] | None:
    """Return the findings with their first images; None if there was no audit."""
    audit = page.run.audit
    if not audit:
        return None
    source = page.run.recipe.data.source
    with damage_explained(page.run.path / "audit.json"):
        return {
            "findings": [_finding_facts(page, finding) for finding in audit["findings"]],
            "decisions": audit["decisions"],
            "command": "opsin check DATA" if page.anonymous or not source else f"opsin check {shlex.quote(source)}",
        }


def _finding_facts(page: Page, finding: dict[str, Any]) -> dict[str, Any]:
    images, details = finding.get("images", []), finding.get("details", {})
    named = [] if page.anonymous else [(name, details.get(name, "")) for name in images[:NAMED]]
    return {
        "title": KINDS.get(finding["kind"], finding["kind"]),
        "severity": finding["severity"],
        "sentence": page.words(finding["sentence"]),
        "advice": finding["advice"],
        "named": named,
        "more": len(images) - len(named),
        "number": len(images),
    }
