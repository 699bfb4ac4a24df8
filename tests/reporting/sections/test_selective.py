from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from opsin.data.targets import ClassTargets
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.report import render_report
from opsin.runs.folder import RunFolder
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.section_selective_prediction import facts


def with_validation(run: RunFolder, images: int) -> RunFolder:
    predicted = run.predicted("test")
    names, labels, result = predicted.names, predicted.targets.values, predicted.predictions
    run.write_predictions(
        "validation",
        PredictedSplit(
            list(names[:images]),
            ClassTargets(np.asarray(labels[:images])),
            Classifications(result.probabilities[:images]),
        ),
    )
    return run


def test_the_curve_on_test_and_limits_from_validation(make_run: Callable[..., RunFolder]) -> None:
    run = with_validation(make_run(images=1000, strength=5.0), 600)
    found = facts(Page.read(run))
    assert found is not None
    predicted = run.predicted("test")
    labels, result = predicted.targets.values, predicted.predictions
    right = result.labels == labels
    assert found["all"] == pytest.approx(right.mean())
    surest = np.argsort(-result.confidence, kind="stable")[: round(0.9 * len(right))]
    assert found["part"] == pytest.approx(0.9, abs=2e-3)
    assert found["of_part"] == pytest.approx(right[surest].mean(), abs=2e-3)
    for row in found["choices"]:
        kept = result.confidence >= np.float32(row["confidence"])
        assert row["coverage"] == pytest.approx(kept.mean())
        assert row["accuracy"]["value"] == pytest.approx(right[kept].mean())
    html = render_report(run)
    assert "All other images are left to a person" in html
    assert f"--target-accuracy {found['choices'][0]['target']}" in html


def test_without_validation_there_is_a_curve_but_no_limit(make_run: Callable[..., RunFolder]) -> None:
    run = make_run()
    (run.path / "predictions-validation.csv").unlink()
    found = facts(Page.read(run))
    assert found is not None
    assert found["choices"] == []
    assert "--target-accuracy" not in render_report(run)


def test_limits_that_few_images_cannot_promise_are_marked(make_run: Callable[..., RunFolder]) -> None:
    run = make_run(images=400)
    probabilities = np.full((40, 10), 0.05, np.float32)
    probabilities[:30, 0], probabilities[30:, 0] = 0.55, 0.5
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = np.repeat([0, 1], [30, 10])  # the ten less sure ones are wrong
    run.write_predictions(
        "validation",
        PredictedSplit(
            [str(row) for row in range(40)], ClassTargets(np.asarray(labels)), Classifications(probabilities)
        ),
    )
    found = facts(Page.read(run))
    assert found is not None and found["choices"]
    assert not found["choices"][-1]["shown"]
    assert "not assured" in render_report(run)


def test_a_handful_of_images_has_no_curve(make_run: Callable[..., RunFolder]) -> None:
    assert facts(Page.read(make_run(images=9))) is None
    assert facts(Page.read(make_run(until="training", name="other"))) is None
