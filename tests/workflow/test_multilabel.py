"""Several labels per image from a data set to everything that a run is asked for."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score
from typer.testing import CliRunner

import opsin
from opsin.cli import app
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import LabelTargets
from opsin.errors import OpsinError
from opsin.tasks.multilabel.explain import explain_labels
from opsin.tasks.multilabel.predictions import LabelSet
from opsin.tasks.multilabel.section_labels import companions
from opsin.tasks.multilabel.thresholds import choose_label_thresholds
from opsin.workflow.predict import threshold_for

QUICK = {"network": "mlp", "epochs": 15, "batch_size": 16, "augment": 0.0, "device": "cpu", "quiet": True}
NAMES = ("bar", "dot", "frame")


def shapes(number=240, seed=0):
    """Noise with a bar, a dot and a frame, each there or not; three images each of some slides."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 200, (number, 12, 12), dtype=np.uint8)
    labels = generator.random((number, 3)) < (0.5, 0.4, 0.25)
    for image, (bar, dot, frame) in zip(images, labels, strict=True):
        if bar:
            image[generator.integers(3, 5), 2:10] = 220
        if dot:
            at = generator.integers(6, 8, 2)
            image[at[0] : at[0] + 3, at[1] : at[1] + 3] = 250
        if frame:
            image[[0, -1]], image[:, [0, -1]] = 200, 200
    groups = np.array([f"slide {index // 3}" for index in range(number)])
    return Dataset("shapes", NAMES, ArrayImages(images), LabelTargets(labels), groups=groups)


@pytest.fixture(scope="module")
def data():
    return shapes()


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return opsin.train(data, out=tmp_path_factory.mktemp("runs") / "shapes", balance="weights", **QUICK)


def test_a_network_learns_which_shapes_are_there(run):
    card = run.scorecard["test"]
    assert card["map"]["value"] > 0.9 and card["mean_auc"]["value"] > 0.9 and card["macro_f1"]["value"] > 0.8
    assert (run.recipe.task, run.recipe.training.loss) == ("multilabel", "binary-cross-entropy")
    predicted = run.folder.predicted("test")
    truth, predictions = predicted.targets.values, predicted.predictions
    expected = average_precision_score(truth, predictions.probabilities)
    assert card["map"]["value"] == pytest.approx(expected, abs=1e-6)
    assert run.folder.info["data"]["counts"]["test"] == truth.sum(0).tolist()
    assert run.folder.info["data"]["splits"]["test"] == len(truth)


def test_heat_maps_explain_wrong_labels_and_right_ones(run):
    stored = run.folder.arrays("attributions.npz", "rows", "targets", "maps")
    predicted = run.folder.predicted("test")
    truth, predictions = predicted.targets.values, predicted.predictions
    wanted = explain_labels(truth, predictions, stored["rows"])
    np.testing.assert_array_equal(stored["targets"], wanted)
    assert stored["maps"][wanted >= 0].any(axis=(1, 2, 3)).all() and not stored["maps"][wanted < 0].any()
    html = run.report.read_text(encoding="utf-8")
    for row, at in zip(stored["rows"], wanted[:, 0], strict=True):
        why = "Evidence for " if predictions.labels[row, at] else "Evidence against "
        how = (
            ""
            if predictions.labels[row, at] == truth[row, at]
            else " (false positive, "
            if why == "Evidence for "
            else " (missed, "
        )
        assert f"<p>{why}<b>{NAMES[at]}</b>{how}" in html


def test_what_to_expect_elsewhere_is_how_often_all_labels_are_right(run):
    found = run.folder.robustness
    assert found["score"] == "exact_match"
    assert found["clean"]["value"] == pytest.approx(run.scorecard["validation"]["exact_match"]["value"])
    expected = f"{100 * found['laboratories']['expected']:.0f}\xa0%"
    assert f"Expect the exact match to be about <b>{expected}</b>" in run.report.read_text(encoding="utf-8")


def test_thresholds_are_chosen_on_validation_and_used_from_then_on(run, data):
    calibration = run.folder.calibration
    predicted = run.folder.predicted("validation")
    truth, predictions = predicted.targets.values, predicted.predictions
    thresholds, chosen = choose_label_thresholds(truth, predictions.probabilities)
    assert calibration["thresholds"] == pytest.approx(thresholds.tolist()) and calibration["chosen"] == chosen.tolist()
    for split in ("validation", "test"):
        made = run.folder.predicted(split).predictions
        np.testing.assert_array_equal(made.labels, made.probabilities >= thresholds)
    other = shapes(12, seed=5)
    found = run.predict(other.images.array)
    assert all(isinstance(each, LabelSet) for each in found)
    for each in found:
        reached = [name for name, limit in zip(NAMES, thresholds, strict=True) if each.probabilities[name] >= limit]
        assert list(each.labels) == reached
    given = np.array([[name in each.labels for name in NAMES] for each in found])
    assert (given == other.targets.values).mean() > 0.8


def test_the_report_goes_label_by_label(run):
    html = run.report.read_text(encoding="utf-8")
    for anchor in ("labels", "gallery", "scores", "verdict"):
        assert f'<section id="{anchor}">' in html
    for anchor in ("confusion", "calibration", "thresholds", "classes", "estimates"):
        assert f'<section id="{anchor}">' not in html
    assert "mAP on test images" in html and "Each threshold is the one of the highest F1" in html
    assert "3 labels" in html and 'data-right="true"' in html


def test_predictions_are_written_pooled_and_submitted(run, tmp_path):
    for row, image in enumerate(shapes(8, seed=5).images.array[..., 0]):
        Image.fromarray(image).save(tmp_path / f"{row // 4}_{row}.png")
    out = tmp_path / "out.csv"
    command = ["predict", str(run.path), str(tmp_path), "--out", str(out)]
    assert CliRunner().invoke(app, command).exit_code == 0
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (
        list(rows[0]) == ["image", "predicted", "unlike", "warning", "p(bar)", "p(dot)", "p(frame)"] and len(rows) == 8
    )
    assert CliRunner().invoke(app, [*command, "--pool-by", r"(\d)_\d+\.png"]).exit_code == 0
    with out.open(encoding="utf-8") as file:
        pooled = list(csv.DictReader(file))
    mean = np.mean([float(row["p(dot)"]) for row in rows[:4]])
    assert float(pooled[0]["p(dot)"]) == pytest.approx(mean, rel=1e-5)
    shown = CliRunner().invoke(app, [*command[:3], "--json"])
    assert set(json.loads(shown.output)[0]) == {"image", "labels", "unlike", "warning", "probabilities"}
    columns = ["--format", "kaggle", "--columns", "id=image,bar=bar,dot=dot,frame=frame"]
    assert CliRunner().invoke(app, [*command, *columns]).exit_code == 0
    assert out.read_text(encoding="utf-8").startswith("image,bar,dot,frame\n")


def test_runs_are_compared_and_scored_anew(run, data, tmp_path):
    slow = QUICK | {"epochs": 1, "learning_rate": 1e-6}
    worse = opsin.train(data, out=tmp_path / "worse", mixup=0.2, **slow)
    comparison = opsin.compare([run, worse])
    assert comparison.score == "map" and "shapes is better than worse: mAP" in comparison.sentence
    page = opsin.report(comparison, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "get exactly their labels by some recipes only" in page
    assert any(each.startswith("mAP") for each in comparison.methods)
    both = opsin.ensemble([run, worse], data=data, out=tmp_path / "both", inspect=False, quiet=True)
    mean = np.mean([each.folder.predicted("test").predictions.probabilities for each in (run, worse)], axis=0)
    np.testing.assert_allclose(both.folder.predicted("test").predictions.probabilities, mean, atol=1e-4)
    other = shapes(60, seed=9)
    again = opsin.evaluate(run, other, quiet=True)
    assert again["map"]["value"] > 0.8
    rows = ["path,bar,dot,frame"]
    for row, (image, truth) in enumerate(zip(other.images.array[..., 0], other.targets.values, strict=True)):
        Image.fromarray(image).save(tmp_path / f"{row}.png")
        rows.append(",".join([f"{row}.png", *map(str, truth.astype(int))]))
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    shown = CliRunner().invoke(app, ["evaluate", str(run.path), str(tmp_path / "table.csv")]).output
    assert ["label", "ROC", "AUC", "F1", "Recall", "Precision"] in [line.split() for line in shown.splitlines()]


def test_cross_validation_pools_all_labels(data, tmp_path):
    made = opsin.cross_validate(data, out=tmp_path / "folds", folds=2, **(QUICK | {"epochs": 4, "balance": "sampling"}))
    parts = [each.folder.predicted("test") for each in made.runs]
    truth = np.concatenate([part.targets.values for part in parts])
    chances = np.concatenate([part.predictions.probabilities for part in parts])
    assert made.scorecard["map"]["value"] == pytest.approx(average_precision_score(truth, chances), abs=1e-6)
    html = made.report.read_text(encoding="utf-8")
    assert "Per-label scores" in html and "Confusion matrix" not in html
    assert f'<p class="number">{made.scorecard["map"]["value"]:.3f}</p>' in html


def test_what_is_for_one_class_per_image_is_refused(run, tmp_path):
    with pytest.raises(OpsinError, match="that name one class for each image"):
        run.set_operating_point(sensitivity=0.9)
    with pytest.raises(OpsinError, match="that name one class for each image"):
        run.add_reader_study(tmp_path / "readers.csv")
    with pytest.raises(OpsinError, match="not multilabel"):
        threshold_for(run.folder, 0.9)


def test_a_label_that_is_told_by_its_company_is_named():
    truth = np.array([[1, 1]] * 40 + [[1, 0]] * 12 + [[0, 1]] * 20 + [[0, 0]] * 40, bool)
    given = truth.copy()
    given[:, 0] = truth[:, 1]  # the first label is given where the second one is
    row = companions(truth, given, ["ring", "arrow"])[0]
    assert (row["name"], row["other"], row["leans"]) == ("ring", "arrow", True)
    assert (row["with"]["value"], row["without"]["value"], row["alarms_with"]["value"]) == (1, 0, 1)
    assert row["part"] == pytest.approx(40 / 52)
    assert not companions(truth, truth, ["ring", "arrow"])[0]["leans"]
    assert companions(truth[:40], given[:40], ["ring", "arrow"]) == []
