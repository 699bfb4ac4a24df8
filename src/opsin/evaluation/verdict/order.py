"""Order of the findings, headline, and the circumstances that every task checks."""

from __future__ import annotations

from typing import Any

from opsin.evaluation.verdict.finding import SEVERITIES, Finding

# What a run may have and still be called healthy.
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


# Kinds in the order in which they are told where they are equally severe, each with its words for the headline.
HEADLINES = {
    "did-not-learn": "it has not learned to tell the classes apart",
    "no-better-than-mean": "it is no better than always naming the mean",
    "leaky-split": "test images from groups it knows",
    "overfitting": "overfitting",
    "underfitting": "underfitting",
    "validation-test-gap": "test differs from validation",
    "imbalance": "rare classes suffer",
    "weak-class": "a class is often missed",
    "weak-label": "a label is told badly",
    "biased": "its predictions are off to one side",
    "shrunk": "the ends of the range are drawn to the middle",
    "miscalibrated": "its probabilities are off",
    "checkerboard": "checkerboards in its masks",
    "fragile": "a mild change of the images makes it fail",
    "looks-at-border": "it looks at the margin of the images",
    "few-test-images": "too few test images to be sure",
    "few-positives": "few images of some labels",
    "few-training-images": "few training images",
    "few-groups": "few groups, so indicative",
    "still-improving": "still improving, so train longer",
    "slow-start": "a slow start",
    "unreadable-images": "images were left out",
    "starved": "reading images holds it up",
    "healthy": "healthy",
}


def in_order(findings: list[Finding]) -> list[Finding]:
    """Return findings the most severe first, and equally severe ones in the order of `HEADLINES`."""
    order = {kind: place for place, kind in enumerate(HEADLINES)}
    last = len(order)  # kinds that a room of its own adds
    return sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), order.get(found.kind, last)))


def headline(findings: list[Finding], scorecard: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Put the verdict into one line: ``healthy; more `ig` images would help most``.

    Args:
        findings: From `diagnose`.
        scorecard: ``scorecard.json``.

    Returns:
        Up to two of the most severe findings in a few words each, or ``healthy`` and the class to work on next.
    """
    scores = scorecard.get("test") or scorecard.get("validation") or {}
    worst = worst_class(scores)
    if not findings:
        return "nothing to say yet"
    if any(finding.kind == "healthy" for finding in findings):
        return "healthy" + (f"; more `{worst}` images would help most" if worst else "")
    kinds = list(dict.fromkeys(finding.kind for finding in findings))[:2]
    words = [
        f"`{worst}` is often missed"
        if kind in ("weak-class", "imbalance") and worst
        else HEADLINES.get(kind, kind.replace("-", " "))
        for kind in kinds
    ]
    return "; ".join(dict.fromkeys(words))


def circumstances(info: dict[str, Any]) -> list[Finding]:
    """Say what was left out and what held training up."""
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
                f"{len(left_out):,} image{'s' * (len(left_out) != 1)} could not be read and had no part in this run.",
                f"{named}{more}.",
                "Restore these files from their source; what is missing may be of one kind, and then skews the scores.",
            )
        )
    loader, model = speed.get("loader"), speed.get("model")
    if loader and model and loader < 1.5 * model:
        found.append(
            Finding(
                "starved",
                "note",
                f"Reading can hardly keep up with the network: images come at {loader:,.0f} a second, and it could "
                f"take {model:,.0f}.",
                "Reading should be at least one and a half times as fast as the network.",
                "Let more of the decoded images stay in memory (`--memory-gb`), or train on smaller ones "
                "(`--image-size`).",
            )
        )
    return found


def worst_class(scores: dict[str, dict[str, Any]]) -> str | None:
    """Return the class of lowest recall, if that lies below the accuracy by 2 points and by more than its interval."""
    recalls = {name.removeprefix("recall/"): entry for name, entry in scores.items() if name.startswith("recall/")}
    recalls = {name: entry for name, entry in recalls.items() if entry["value"] is not None}
    if not recalls or "accuracy" not in scores:
        return None
    worst = min(recalls, key=lambda name: recalls[name]["value"])
    overall = scores["accuracy"]["value"]
    clear = recalls[worst]["high"] < overall and overall - recalls[worst]["value"] >= 0.02
    return worst if clear else None
