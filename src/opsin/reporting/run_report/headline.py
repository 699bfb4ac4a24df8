"""Helpers for the headline of a report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def written(score: dict[str, Any], form: Callable[[Any], str]) -> dict[str, str]:
    return {name: form(score[name]) for name in ("value", "low", "high")}


def interval_places(score: dict[str, Any]) -> dict[str, Any]:
    return {name: score[name] for name in ("low", "value", "high")}
