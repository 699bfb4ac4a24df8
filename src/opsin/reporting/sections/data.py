"""Dataset of the run, its splits, and the uses of the test set."""

from __future__ import annotations

from typing import Any

from opsin.evaluation.verdict.finding import images_of
from opsin.reporting.formats import number_of
from opsin.reporting.run_report.page import Page
from opsin.runs.folder import RunFolder

LISTED_FILES = 200


def facts(page: Page) -> dict[str, Any] | None:
    """Return the facts of the dataset; None if there are none yet."""
    data = page.run.info.get("data", {})
    if not data:
        return None
    splits = [(name, images_of(page.run.info, name)) for name in data.get("counts", {})]
    total = sum(number for _, number in splits)
    train = data.get("counts", {}).get("train", [])
    left_out = data.get("left_out", {})
    return {
        "name": "" if page.anonymous else data.get("name", ""),
        "images": data.get("images"),
        "classes": len(page.classes) if page.task.outputs[1] else page.classes[0] if page.classes else "",
        "outputs": (page.task.outputs[1] or "value").capitalize(),
        "channels": {1: "gray", 3: "color"}.get(data.get("channels"), ""),
        "sizes": data.get("sizes", ""),
        "groups": data.get("groups", 0),
        "duplicates": data.get("duplicates", 0),
        "near_duplicates": data.get("near_duplicates"),
        "split": page.words(data.get("split", "")),
        "splits": [{"name": name, "images": number, "part": number / total} for name, number in splits if total],
        "imbalance": page.task.exclusive and max(train) / min(train) if train and min(train) > 0 else None,
        "notes": [] if page.anonymous else data.get("notes", []),
        "left_out": len(left_out),
        "left_out_files": {} if page.anonymous else dict(list(left_out.items())[:LISTED_FILES]),
        "leak": page.words(page.run.read("leak.json")["reading"]) if (page.run.path / "leak.json").exists() else "",
        "looks": _looks(page.run, anonymous=page.anonymous),
    }


def _looks(folder: RunFolder, *, anonymous: bool) -> dict[str, Any]:
    """Return the number of uses of the test split and their meaning."""
    looks = [look for look in folder.looks if look.get("split") == "test"]
    if len(looks) > 1:
        times = number_of(len(looks), "time")
        reading = (
            f"Test images were scored {times}. Changing a model after a look at its test scores makes later test "
            "scores too optimistic: the first use is the most reliable."
        )
    elif looks:
        reading = "Test images were scored once, after training, with no choices left to make."
    else:
        reading = "Test images have not been scored yet."
    listed = [{"time": look["time"], "why": "" if anonymous else look.get("why", "")} for look in looks[-LISTED_FILES:]]
    return {"number": len(looks), "reading": reading, "listed": listed}
