"""Domain shift: scores under corruptions and in simulated laboratories."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from opsin.inspection.domain_shift import estimate_accuracy, laboratory_scores
from opsin.metrics.names import COUNTED, describe_score
from opsin.reporting.figures.domain_shift import plot_laboratories
from opsin.reporting.figures.style import figure_to_svg
from opsin.reporting.run_report.page import Page

OWN = ("train", "validation", "test")
SUFFERING, SUFFERS = 5, 0.1  # number of classes shown, and the loss of recall from which a class is shown


def facts(page: Page) -> dict[str, Any] | None:
    """Return the results of the inspection ``robustness``; None if it was not run."""
    found = page.run.robustness
    if not found:
        return None
    laboratories, clean = found["laboratories"], found["clean"]
    titles = {row["name"]: row["title"] for row in found["corruptions"]}
    suffering = [row for row in found["classes"] if row["clean"] - row["corrupted"] >= SUFFERS]
    described = describe_score(found["score"])
    return {
        "score_name": described.words,
        "score_title": described.title,
        "counted": found["score"] in COUNTED,
        "worse": "higher" if described.lower_is_better else "lower",
        "images": found["images"],
        "of": found["of"],
        "home": clean["value"],
        "expected": laboratories["expected"],
        "low": laboratories["low"],
        "high": laboratories["high"],
        "worst_laboratory": laboratories["worst"],
        "laboratories": laboratories["number"],
        "differences": [titles[name] for name in laboratories["severities"][0]],
        "strongest": laboratories["strongest"],
        "figure": _figure(found),
        "suited": "right" in laboratories,
        "measured_elsewhere": _measured(page, found),
        "severities": found["severities"],
        "corruptions": [
            row | {"severities": [_cell(entry, clean) for entry in row["severities"]]} for row in found["corruptions"]
        ],
        "mean": found["mean"],
        "worst": found["worst"],
        "suffering": suffering[:SUFFERING],
        "unseen": sum(not row["seen"] for row in found["corruptions"]),
    }


def _cell(entry: dict[str, Any], clean: dict[str, Any]) -> dict[str, Any]:
    """Add the loss, 0 to 1, for the color of the cell."""
    return entry | {"loss": min(max(0.0, entry["cost"]) / max(clean["value"], 1e-9), 1.0)}


def _measured(page: Page, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return scores measured on other data with the estimate of the simulation for their classes."""
    rows: list[dict[str, Any]] = []
    name_of_score = found["score"]
    for name, scores in page.run.scorecard.items():
        if name not in OWN and scores.get(name_of_score):
            counts = [scores.get(f"recall/{label}", {}).get("n", 0) for label in page.classes]
            title = f"other images {len(rows) + 1}" if page.anonymous else name
            estimated = estimate_accuracy(found["laboratories"], counts, score=name_of_score)
            rows.append({"name": title, "measured": scores[name_of_score], **estimated})
    return rows


def _figure(found: dict[str, Any]) -> Markup:
    laboratories, score = found["laboratories"], found["score"]
    scores = laboratory_scores(laboratories, laboratories.get("images", ()))
    central = laboratories["low"], laboratories["high"]
    figure = plot_laboratories(scores, central, found["clean"]["value"], score)
    words = describe_score(score).words
    return figure_to_svg(figure, "laboratories", f"{words} in each simulated laboratory and on unaltered images")
