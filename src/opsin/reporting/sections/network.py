"""Network and its layers."""

from __future__ import annotations

from typing import Any

from opsin.reporting.run_report.page import Page, network_facts


def facts(page: Page) -> dict[str, Any] | None:
    """Return the facts of the network; None if there are none yet."""
    return network_facts(page.run, anonymous=page.anonymous)
