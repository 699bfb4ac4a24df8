"""Verdict: findings from scores and curves of the run."""

from __future__ import annotations

from typing import Any

from opsin.reporting.run_report.page import Page
from opsin.runs.folder import RunFolder

SEVERITIES = ("serious", "warning", "note", "good")


def facts(page: Page) -> dict[str, Any] | None:
    """Return the findings; None if there are none yet."""
    listed = [{key: page.words(value) for key, value in finding.items()} for finding in findings(page.run)]
    return {"findings": listed} if listed else None


def findings(folder: RunFolder) -> list[dict[str, str]]:
    """Return the findings of the verdict, most severe first."""
    return sorted(folder.verdict, key=lambda finding: SEVERITIES.index(finding["severity"]))
