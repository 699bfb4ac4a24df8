from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from opsin.data.targets import ClassTargets
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.report import render_report
from opsin.runs.folder import RunFolder
from opsin.statistics.serialize import to_json
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.scorecard import score
from opsin.tasks.classification.section_groups import facts


def in_groups(run: RunFolder) -> RunFolder:
    """Give a run groups of six images of one class each; those of patient 3-1 look like another class."""
    predicted = run.predicted("test")
    names, labels, result = predicted.names, predicted.targets.values, predicted.predictions
    number = np.arange(len(labels)) // 60
    groups = np.array([f"patient {label}-{part}" for label, part in zip(labels, number, strict=True)])
    result.probabilities[groups == "patient 3-1"] = np.eye(10, dtype=np.float32)[8]
    run.write_predictions("test", PredictedSplit(list(names), ClassTargets(np.asarray(labels)), result))
    rows = zip(names, labels, groups, strict=True)
    run.write_split([[name, run.classes[label], "test", group, "0"] for name, label, group in rows])
    run.update(data=run.info["data"] | {"groups": len(np.unique(groups))})
    scores = score(result, labels, run.classes, groups)
    run.write("scorecard.json", run.scorecard | {"test": to_json(scores)})
    return run


def test_groups_are_scored_once_each(make_run: Callable[..., RunFolder]) -> None:
    run = in_groups(make_run(images=240))
    found = facts(Page.read(run))
    assert found is not None
    assert (found["groups"], found["images"]) == (40, 240)
    wrong = [row for row in found["wrong"] if row["name"] == "patient 3-1"]
    assert wrong == [{"name": "patient 3-1", "truth": "3", "guess": "8", "confidence": 1.0, "images": 6}]
    assert found["by_group"]["value"] == pytest.approx(1 - len(found["wrong"]) / 40)
    html = render_report(run)
    assert "Scores by group" in html and "patient 3-1" in html and "Accuracy by group" in html
    assert "patient 3-1" not in render_report(run, anonymous=True)


def test_runs_without_groups_have_no_such_section(finished: RunFolder) -> None:
    assert facts(Page.read(finished)) is None
    assert "Scores by group" not in render_report(finished)
