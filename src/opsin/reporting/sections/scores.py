"""Scores of a whole split with their intervals."""

from __future__ import annotations

import math
from typing import Any

from opsin.metrics.names import describe_score
from opsin.reporting.run_report.page import Page
from opsin.runs.folder import RunFolder
from opsin.tasks.registry import task_spec


def facts(page: Page) -> dict[str, Any] | None:
    """Return a row per score; None if nothing is scored yet."""
    rows = score_rows(page.run, len(page.classes))
    for row in rows:
        for split in ("test", "validation"):
            if row[split]:
                row[split] = row[split] | {"method": page.words(row[split].get("method", ""))}
    return {"scores": rows} if rows else None


def score_rows(folder: RunFolder, classes: int) -> list[dict[str, Any]]:
    """Return a row per score of the whole split: its meaning, its entry on test and on validation."""
    card = folder.scorecard
    test, validation = card.get("test", {}), card.get("validation", {})
    present = [name for name in (test or validation) if "/" not in name]
    known = task_spec(folder.task).metrics
    ordered = [name for name in known if name in present] + [name for name in present if name not in known]
    rows = []
    for name in ordered:
        score = describe_score(name)
        meaning = score.meaning
        if name == "log_loss" and classes > 1:
            meaning += f"; uniform guessing among {classes} classes gives {math.log(classes):.2f}"
        rows.append(
            {
                "title": score.title,
                "meaning": meaning,
                "part": score.part,
                "test": test.get(name),
                "validation": validation.get(name),
            }
        )
    return rows
