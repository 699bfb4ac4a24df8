"""Order of the findings, headline, and findings on unreadable images and loading speed."""

from __future__ import annotations

from typing import Any

from opsin.evaluation.verdict.finding import SEVERITIES, Finding

# Findings that a run may have and still be called healthy.
HARMLESS = frozenset(
    {
        "leaky-split",
        "weak-class",
        "still-improving",
        "slow-start",
        "few-groups",
        "unreadable-images",
        "starved",
        "fragile",
        "looks-at-border",
    }
)


# Kinds in the order in which equally severe findings are listed, each with its text for the headline.
HEADLINES = {
    "did-not-learn": "it has not learned the task",
    "no-better-than-mean": "it is no better than predicting the mean",
    "leaky-split": "test and training share groups",
    "overfitting": "overfitting",
    "underfitting": "underfitting",
    "validation-test-gap": "test and validation differ",
    "imbalance": "rare classes have low recall",
    "weak-class": "a class has low recall",
    "weak-label": "a label is predicted poorly",
    "biased": "its predictions are biased",
    "shrunk": "regression to the mean at the ends of the range",
    "miscalibrated": "its probabilities are miscalibrated",
    "checkerboard": "checkerboard artifacts in its masks",
    "fragile": "fragile under mild corruptions",
    "looks-at-border": "it relies on the image border",
    "few-test-images": "too few test images for a narrow interval",
    "few-positives": "few test images of some labels",
    "few-training-images": "few training images",
    "few-groups": "few groups, so intervals are indicative",
    "still-improving": "still improving: train longer",
    "slow-start": "slow start",
    "unreadable-images": "unreadable images were excluded",
    "starved": "image loading is slow",
    "healthy": "healthy",
}


def in_order(findings: list[Finding]) -> list[Finding]:
    """Return findings, most severe first, equally severe ones in the order of `HEADLINES`."""
    order = {kind: place for place, kind in enumerate(HEADLINES)}
    last = len(order)  # kinds that a room of its own adds
    return sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), order.get(found.kind, last)))


def headline(findings: list[Finding], scorecard: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Summarize the verdict in one line: ``healthy; more `ig` images would help most``.

    Args:
        findings: From `diagnose`.
        scorecard: ``scorecard.json``.

    Returns:
        Up to two of the most severe findings in brief, or ``healthy`` and the class to work on next.
    """
    scores = scorecard.get("test") or scorecard.get("validation") or {}
    worst = worst_class(scores)
    if not findings:
        return "no findings yet"
    if any(finding.kind == "healthy" for finding in findings):
        return "healthy" + (f"; more `{worst}` images would help most" if worst else "")
    kinds = list(dict.fromkeys(finding.kind for finding in findings))[:2]
    words = [
        f"low recall of `{worst}`"
        if kind in ("weak-class", "imbalance") and worst
        else HEADLINES.get(kind, kind.replace("-", " "))
        for kind in kinds
    ]
    return "; ".join(dict.fromkeys(words))


def circumstances(info: dict[str, Any]) -> list[Finding]:
    """Return findings on unreadable images and on slow image loading."""
    found = []
    data, speed = info.get("data", {}), info.get("throughput", {})
    left_out = dict(data.get("left_out") or {})
    if left_out:
        named = "; ".join(f"{name} {reason}" for name, reason in list(left_out.items())[:3])
        more = f"; and {len(left_out) - 3:,} more" if len(left_out) > 3 else ""
        many = len(left_out) > 0.01 * (data.get("images", 0) + len(left_out))
        found.append(
            Finding(
                "unreadable-images",
                "warning" if many else "note",
                f"{len(left_out):,} image{'s' * (len(left_out) != 1)} could not be read and had to be excluded.",
                f"{named}{more}.",
                "Restore these files from their source. If the missing images are mostly of one class, the scores "
                "are biased.",
            )
        )
    loader, model = speed.get("loader"), speed.get("model")
    if loader and model and loader < 1.5 * model:
        found.append(
            Finding(
                "starved",
                "note",
                f"Image loading is slow: it delivers {loader:,.0f} images/s, and the network can process {model:,.0f}.",
                "Loading should be at least 1.5 times as fast as the network.",
                "Keep more decoded images in memory (`--memory-gb`), or train on smaller images (`--image-size`).",
            )
        )
    return found


def worst_class(scores: dict[str, dict[str, Any]]) -> str | None:
    """Return the class with the lowest recall if it is 2 points below the accuracy and outside the interval."""
    recalls = {name.removeprefix("recall/"): entry for name, entry in scores.items() if name.startswith("recall/")}
    recalls = {name: entry for name, entry in recalls.items() if entry["value"] is not None}
    if not recalls or "accuracy" not in scores:
        return None
    worst = min(recalls, key=lambda name: recalls[name]["value"])
    overall = scores["accuracy"]["value"]
    clear = recalls[worst]["high"] < overall and overall - recalls[worst]["value"] >= 0.02
    return worst if clear else None
