"""Helpers for the headline of a report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def written(score: dict[str, Any], form: Callable[[Any], str]) -> dict[str, str]:
    """Return a score and the ends of its interval as text."""
    return {name: form(score[name]) for name in ("value", "low", "high")}


def interval_places(score: dict[str, Any]) -> dict[str, Any]:
    """Return a score and the ends of its interval as places on a scale from 0 to 1."""
    return {name: score[name] for name in ("low", "value", "high")}
