from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from opsin.data.targets import ClassTargets
from opsin.evaluation.calibration import calibrate, tempered
from opsin.metrics.classification import calibration_error
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.report import render_report
from opsin.runs.folder import RunFolder
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.section_calibration import facts


def sharpened(run: RunFolder, factor: float) -> float:
    """Let the network of a run state other probabilities, calibrate it, and return its calibration error before."""
    predicted = run.predicted("test")
    names, labels, result = predicted.names, predicted.targets.values, predicted.predictions
    stated = tempered(result.probabilities, factor)
    calibration = calibrate(labels, stated)
    run.write("calibration.json", calibration.to_dict())
    run.write_predictions(
        "test",
        PredictedSplit(
            list(names), ClassTargets(np.asarray(labels)), Classifications(tempered(stated, calibration.temperature))
        ),
    )
    return calibration_error(labels, stated)


@pytest.mark.parametrize(("factor", "words"), [(0.2, "overconfident"), (4.0, "underconfident")])
def test_what_calibration_changed_is_shown(make_run: Callable[..., RunFolder], factor: float, words: str) -> None:
    run = make_run()
    before = sharpened(run, factor)
    found = facts(Page.read(run))
    assert found is not None
    assert found["error_before"]["value"] == pytest.approx(before, abs=2e-3)
    assert found["error_before"]["low"] < before < found["error_before"]["high"]
    assert words in found["temperature"]
    assert f"Temperature scaling by {run.temperature:.2f}" in found["temperature"]
    assert "before calibration" in found["figure"]
    assert "Squares: before calibration" in render_report(run)


def test_a_temperature_of_1_is_explained_and_shows_nothing_before(make_run: Callable[..., RunFolder]) -> None:
    run = make_run()
    predicted = run.predicted("test")
    labels, result = predicted.targets.values, predicted.predictions
    decision = calibrate(labels[:4], result.probabilities[:4])
    run.write("calibration.json", decision.to_dict())
    found = facts(Page.read(run))
    assert found is not None
    assert found["error_before"] is None
    assert found["temperature"] == decision.decision
    assert "before calibration" not in render_report(run)


def test_a_run_made_before_calibration_says_nothing_of_it(finished: RunFolder) -> None:
    found = facts(Page.read(finished))
    assert found is not None
    assert (found["temperature"], found["error_before"]) == ("", None)


def test_groups_widen_the_interval_before_calibration(make_run: Callable[..., RunFolder]) -> None:
    run = make_run(images=300)
    sharpened(run, 0.2)
    alone = facts(Page.read(run))
    labels = run.predicted("test").targets.values
    run.write_split([[f"image {row}", "0", "test", f"patient {row // 30}", "0"] for row in range(len(labels))])
    run.update(data=run.info["data"] | {"groups": 10})
    card = run.scorecard
    card["test"]["accuracy"]["method"] = "cluster bootstrap, 10 groups: indicative"
    run.write("scorecard.json", card)
    np.testing.assert_array_equal(run.groups("test")[[0, 31]], ["patient 0", "patient 1"])
    grouped = facts(Page.read(run))
    assert alone is not None and grouped is not None
    assert "10 groups" in grouped["error_before"]["method"]
    assert grouped["error_before"]["value"] == alone["error_before"]["value"]
