"""Intervals as JSON."""

from __future__ import annotations

from typing import Any

from opsin.statistics.bootstrap import Interval


def to_json(scores: dict[str, Interval]) -> dict[str, dict[str, Any]]:
    """Return the scorecard of a split in the form of ``scorecard.json``; undefined values are None."""
    return {name: interval.to_dict() for name, interval in scores.items()}
