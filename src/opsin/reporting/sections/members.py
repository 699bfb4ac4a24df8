"""Members of an ensemble, compared with the ensemble."""

from __future__ import annotations

from typing import Any

from opsin.metrics.names import describe_score
from opsin.reporting.run_report.page import Page


def facts(page: Page) -> dict[str, Any] | None:
    """Return the main score of each member and of the ensemble; None if the run is not an ensemble."""
    made = page.run.info.get("ensemble")
    if made is None:
        return None
    main = page.task.main_metric
    rows = [
        {
            "name": f"member {number}" if page.anonymous else member["name"],
            "network": member["network"],
            "scores": member["scores"],
        }
        for number, member in enumerate(made["members"], 1)
    ]
    own = {split: scores[main] for split, scores in page.run.scorecard.items() if main in scores}
    splits = [split for split in ("validation", "test") if split in own]
    return {
        "soup": made["kind"] == "soup",
        "score": describe_score(main).words,
        "splits": splits,
        "rows": rows,
        "own": own,
        "number": len(rows),
    }
