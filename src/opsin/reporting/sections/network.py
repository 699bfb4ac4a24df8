"""The network, layer by layer."""

from __future__ import annotations

from typing import Any

from opsin.reporting.run_report.page import Page, network_facts


def facts(page: Page) -> dict[str, Any] | None:
    """Return what is known of the network; None where nothing is yet."""
    return network_facts(page.run, anonymous=page.anonymous)
