"""Per-label scores, thresholds, and the effect of co-occurring labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.reporting.run_report.page import Page
from opsin.statistics.bootstrap import wilson

LISTED = 200
FEWEST = 5  # images on each side needed to report a companion


def facts(page: Page) -> dict[str, Any] | None:
    """Return a row per label; None if no label is known yet."""
    if not page.classes:
        return None
    card, predicted = page.run.scorecard.get("test", {}), page.predicted
    counts = page.run.info.get("data", {}).get("counts", {})
    thresholds = page.run.calibration.get("thresholds", [])
    chosen = page.run.calibration.get("chosen", [])
    rows = []
    for place, name in enumerate(page.classes):
        row: dict[str, Any] = {"name": name, "index": place}
        for split in ("train", "validation", "test"):
            row[split] = counts[split][place] if place < len(counts.get(split, [])) else None
        for score in ("average_precision", "auc", "f1", "recall", "precision"):
            row[score] = card.get(f"{score}/{name}")
        row["threshold"] = thresholds[place] if place < len(thresholds) else None
        row["chosen"] = bool(chosen[place]) if place < len(chosen) else False
        rows.append(row)
    order = np.argsort([_value(row["average_precision"]) for row in rows], kind="stable")[:LISTED]
    shown = [rows[place] for place in sorted(order.tolist())]
    together = (
        [] if predicted is None else companions(predicted.targets.values, predicted.predictions.labels, page.classes)
    )
    return {
        "labels": shown,
        "hidden": len(rows) - len(shown),
        "thresholds": page.run.calibration.get("decision", ""),
        "companions": together,
    }


def _value(entry: dict[str, Any] | None) -> float:
    return 2.0 if entry is None or entry["value"] is None else entry["value"]


def companions(truth: NDArray[np.bool_], given: NDArray[np.bool_], classes: list[str]) -> list[dict[str, Any]]:
    """Measure the effect of each label's most co-occurring label on its scores.

    The companion of a label is the other label whose presence raises its frequency most. A label that is found much
    more often with its companion than without it, or falsely assigned where only the companion is present, depends on
    the companion.

    Args:
        truth: bool ``(N, L)``.
        given: bool ``(N, L)``, predicted.
        classes: Names of the L labels.

    Returns:
        A row for each label that has a companion and enough images with and without it: ``name``, ``other``, ``part``
        (fraction of its images that also have the companion), ``with`` and ``without`` (recall, as intervals),
        ``alarms_with`` and ``alarms_without`` (false positive rates), and
        ``leans`` (whether the intervals of recall, or of false alarms, lie apart).
    """
    rows = []
    for place, name in enumerate(classes):
        own = truth[:, place]
        lifts = [_lift(own, truth[:, other]) if other != place else 0.0 for other in range(len(classes))]
        best = int(np.argmax(lifts))
        if lifts[best] <= 1:
            continue
        other = truth[:, best]
        cells = [own & other, own & ~other, ~own & other, ~own & ~other]
        if min(int(cell.sum()) for cell in cells) < FEWEST:
            continue
        found = [wilson(int(given[cell, place].sum()), int(cell.sum())) for cell in cells]
        rows.append(
            {
                "name": name,
                "other": classes[best],
                "part": float(other[own].mean()),
                "with": found[0].to_dict(),
                "without": found[1].to_dict(),
                "alarms_with": found[2].to_dict(),
                "alarms_without": found[3].to_dict(),
                "leans": found[0].low > found[1].high or found[2].low > found[3].high,
            }
        )
    return rows


def _lift(own: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the ratio of the frequencies of a label with and without the other one."""
    return float(own[other].mean() / own.mean()) if other.any() and own.any() else 0.0
