"""Regression from a data set to everything that a run is asked for."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score

import opsin
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ValueTargets
from opsin.errors import OpsinError, RecipeError
from opsin.inspection.attribution_methods import attribute
from opsin.tasks.regression.predictions import Value

QUICK = {"network": "mlp", "epochs": 12, "batch_size": 16, "augment": 0.0, "device": "cpu", "quiet": True}


def blobs(number=220, seed=0):
    """Squares on noise, with their sides as values, five images of each of some patients."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 60, (number, 16, 16), dtype=np.uint8)
    sides = generator.integers(2, 15, number)
    for image, side in zip(images, sides, strict=True):
        at = (16 - side) // 2
        image[at : at + side, at : at + side] = generator.integers(150, 256)
    groups = np.array([f"patient {index // 5}" for index in range(number)])
    return Dataset("blobs", ("side",), ArrayImages(images), ValueTargets(sides + 0.5), groups=groups)


@pytest.fixture(scope="module")
def data():
    return blobs()


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return opsin.train(data, out=tmp_path_factory.mktemp("runs") / "blobs", **QUICK)


def test_a_network_learns_the_size_of_blobs(run):
    card = run.scorecard["test"]
    assert card["r2"]["value"] > 0.9 and card["mae"]["value"] < 1 and card["mae"]["low"] < card["mae"]["value"]
    assert (run.recipe.task, run.recipe.training.loss) == ("regression", "huber")
    assert run.folder.info["best"]["scores"]["mae"] == min(row["validation"]["mae"] for row in run.history)
    predicted = run.folder.predicted("test")
    names, values, predictions = predicted.names, predicted.targets.values, predicted.predictions
    assert card["mae"]["value"] == pytest.approx(mean_absolute_error(values, predictions.values), abs=1e-6)
    assert card["r2"]["value"] == pytest.approx(r2_score(values, predictions.values), abs=1e-6)
    assert run.folder.fitted_state["mean"] == pytest.approx(8.5, abs=1) and len(names) == card["mae"]["n"]


def test_the_report_shows_predictions_and_nothing_of_classes(run):
    html = run.report.read_text(encoding="utf-8")
    for anchor in ("estimates", "gallery", "scores", "verdict"):
        assert f'<section id="{anchor}">' in html
    for anchor in ("confusion", "calibration", "thresholds", "classes"):
        assert f'<section id="{anchor}">' not in html
    assert "the mean absolute error of the predicted side is" in html and "always predicting the training mean" in html
    assert "Mean absolute error" in run._repr_html_()
    rows, _ = run.folder.thumbnails("test")
    predicted = run.folder.predicted("test")
    values, predictions = predicted.targets.values, predicted.predictions
    errors = np.abs(predictions.values - values)[rows]
    assert np.all(np.diff(errors) <= 0) and errors[0] == np.abs(predictions.values - values).max()


def test_new_images_get_numbers(run, tmp_path):
    other = blobs(6, seed=5)
    found = run.predict(other.images.array)
    assert all(isinstance(each, Value) for each in found)
    assert np.abs(np.array([each.value for each in found]) - other.targets.values).mean() < 2


def test_predictions_are_written_and_pooled(run, tmp_path, monkeypatch):
    from PIL import Image
    from typer.testing import CliRunner

    from opsin.cli import app

    other = blobs(10, seed=5)
    for row, image in enumerate(other.images.array[..., 0]):
        Image.fromarray(image).save(tmp_path / f"{row // 5}_{row}.png")
    command = ["predict", str(run.path), str(tmp_path), "--out", str(tmp_path / "out.csv")]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0 and "side from" in shown.output
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10 and list(rows[0]) == ["image", "predicted", "unlike", "warning"]
    CliRunner().invoke(app, [*command, "--pool-by", r"(\d)_\d+\.png"])
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        pooled = list(csv.DictReader(file))
    means = [np.mean([float(row["predicted"]) for row in rows[at : at + 5]]) for at in (0, 5)]
    assert [float(row["predicted"]) for row in pooled] == pytest.approx(means, rel=1e-5)
    submit = [*command, "--format", "kaggle", "--columns"]
    refused = CliRunner().invoke(app, [*submit, "side=side"])
    assert refused.exit_code == 2 and "predicts a number" in refused.output
    assert "side: prediction" in CliRunner().invoke(app, [*submit, "label=side"]).output
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        assert [float(row["side"]) for row in csv.DictReader(file)] == pytest.approx(
            [float(row["predicted"]) for row in rows]
        )
    for wrong in (["--target-accuracy", "0.9"], ["--abstain-below", "0.5"]):
        assert isinstance(CliRunner().invoke(app, [*command, *wrong]).exception, OpsinError | SystemExit)


def test_heat_maps_explain_the_number(run, data):
    stored = run.folder.arrays("attributions.npz", "rows", "targets", "maps")
    assert set(map(tuple, stored["targets"])) == {(0, -1)} and stored["maps"][:, 0].any(axis=(1, 2, 3)).all()
    predictions = run.folder.predicted("test").predictions
    html = run.report.read_text(encoding="utf-8")
    assert (
        f"Evidence for <b>{predictions.values[stored['rows'][0]]:.4g}</b>" in html and ">raises</b> the value" in html
    )
    predictor = run.predictor
    inputs = predictor.preprocessing.standardize(torch.from_numpy(data.images.array[:6]))
    maps = attribute(predictor.network, inputs, torch.zeros(6, dtype=torch.int64), ["integrated_gradients"], steps=200)
    with torch.no_grad():
        known = predictor.network(inputs) - predictor.network(torch.zeros_like(inputs))
    np.testing.assert_allclose(maps["integrated_gradients"].sum(axis=(1, 2)), known[:, 0], rtol=0.03, atol=0.03)


def test_runs_are_compared_scored_anew_and_continued(run, data, tmp_path):
    worse = opsin.train(data, out=tmp_path / "worse", **(QUICK | {"epochs": 1}))
    comparison = opsin.compare([run, worse])
    assert comparison.score == "mae" and "blobs is better than worse" in comparison.sentence
    page = opsin.report(comparison, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Most accurate recipes" in page and "are predicted better by some recipes than by others" in page
    both = opsin.ensemble([run, worse], data=data, out=tmp_path / "both", inspect=False, quiet=True)
    mean = np.mean([each.folder.predicted("test").predictions.values for each in (run, worse)], axis=0)
    np.testing.assert_allclose(both.folder.predicted("test").predictions.values, mean, atol=1e-3)
    scores = opsin.evaluate(run, data, split="validation", quiet=True)
    assert scores["mae"]["value"] == pytest.approx(run.folder.info["best"]["scores"]["mae"], rel=1e-5)
    again = opsin.evaluate(run, blobs(40, seed=9), quiet=True)
    assert again["r2"]["value"] > 0.8
    found = run.folder.robustness
    assert found["score"] == "mae" and found["clean"]["value"] == pytest.approx(scores["mae"]["value"], rel=1e-5)
    assert found["laboratories"]["worst"] == max(found["laboratories"]["scores"])
    html = run.report.read_text(encoding="utf-8")
    assert f"Expect the MAE to be about <b>{found['laboratories']['expected']:.3f}</b>" in html
    assert "the MAE is usually higher" in html and '<th scope="row">blobs</th>' in html
    with pytest.raises(OpsinError, match="does not apply to regression"):
        opsin.inspect(run, data, only=["map"], quiet=True)


def test_a_learning_curve_follows_the_variance_explained(data, tmp_path):
    few = QUICK | {"epochs": 4}
    curve = opsin.learning_curve(data, out=tmp_path / "curve", sizes=(0.3, 0.6, 1), repeats=1, **few)
    assert curve.info["score"] == "r2" and "R²" in curve.sentence
    values = [run["score"]["value"] for run in curve.info["runs"]]
    assert values[-1] == pytest.approx(
        opsin.load_run(curve.path / "part-1-seed-0").scorecard["validation"]["r2"]["value"]
    )


def test_data_are_checked(data):
    found = opsin.check(data)
    assert found.usable and found.dataset.describe() == "side from 2.5 to 14.5"


def test_a_task_that_the_data_are_not_for_is_refused(run, data, few_digits):
    with pytest.raises(RecipeError, match="asks for classification, but blobs was read for regression"):
        opsin.train(data, task="classification", **QUICK)
    with pytest.raises(OpsinError, match="is for classification, but .* was trained for regression"):
        opsin.evaluate(run, few_digits, quiet=True)
    with pytest.raises(RecipeError, match="training.loss = mse is not for classification"):
        opsin.train(few_digits, loss="mse", **QUICK)
