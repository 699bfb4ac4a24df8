"""Segmentation from the folder to masks of new images, with a network so small that it trains in a second."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import opsin
from opsin.cli import app
from opsin.data.decoding import read_values
from opsin.errors import DataError, OpsinError, RecipeError
from opsin.inference.sliding_window import Tiling
from opsin.tasks.segmentation.write_masks import write_masks

SETTINGS = {"network": "unet", "epochs": 20, "image_size": 32, "batch_size": 8, "quiet": True, "near_duplicates": False}
WIDTHS = {"widths": [8, 16]}


def make(root, number=30, classes=2, size=(32, 40)):
    generator = np.random.default_rng(0)
    for index in range(number):
        mask = np.zeros(size, np.uint8)
        row, column = generator.integers(2, 16, 2)
        mask[row : row + 12, column : column + 12] = 1 + index % (classes - 1)
        image = (60 + 60 * mask[..., None] + generator.normal(0, 10, (*size, 3))).clip(0, 255).astype(np.uint8)
        for kind, pixels in (("images", image), ("masks", mask)):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / kind / f"{index:02}.png")
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("segmenting")
    data = make(root / "blobs")
    return opsin.train(data, out=root / "run", options=WIDTHS, **SETTINGS), data


def test_a_run_is_scored_and_reported(trained):
    run, _ = trained
    assert run.recipe.task == "segmentation" and run.recipe.training.loss == "cross-entropy+dice"
    card = run.scorecard["test"]
    assert card["dice"]["value"] > 0.8 and card["dice"]["low"] <= card["dice"]["value"] <= card["dice"]["high"]
    assert {"iou/background", "iou/foreground", "dice/foreground", "mean_iou", "checkerboard"} <= set(card)
    page = run.report.read_text(encoding="utf-8")
    for text in ("Segmentation scores", "Predicted masks", "Scores on test by threshold", "Dice on test"):
        assert text in page
    assert page.count('<li><img src="data:image/') == len(run.folder.thumbnails("test")[0])
    assert (run.path / "predictions-test.npz").exists()
    anonymous = opsin.report(run, anonymous=True).read_text(encoding="utf-8")
    assert "00.png" not in anonymous and "blobs" not in anonymous
    opsin.report(run)


def test_masks_are_tried_on_what_other_laboratories_do(trained):
    run, data = trained
    found = run.folder.robustness
    assert found["score"] == "dice" and found["images"] == found["of"]
    assert found["clean"]["value"] == pytest.approx(run.scorecard["validation"]["dice"]["value"], abs=1e-6)
    (turned,) = (row for row in found["corruptions"] if row["name"] == "rotation")
    assert turned["severities"][-1]["value"] > found["clean"]["value"] - 0.1  # masks that stay would cost more
    laboratories = found["laboratories"]
    assert laboratories["worst"] <= laboratories["low"] <= laboratories["expected"] <= laboratories["high"] <= 1
    page = run.report.read_text(encoding="utf-8")
    assert f"Expect the Dice to be about <b>{laboratories['expected']:.3f}</b>" in page
    with pytest.raises(OpsinError, match="robustness"):
        opsin.inspect(run, only=["attributions"], quiet=True)


def test_the_same_recipe_gives_the_same_run(trained, tmp_path):
    run, data = trained
    again = opsin.train(data, out=tmp_path / "again", **SETTINGS, options=WIDTHS)
    assert again.history == run.history


def test_a_run_is_evaluated_on_its_own_and_on_other_data(trained, tmp_path):
    run, _ = trained
    assert opsin.evaluate(run, quiet=True)["dice"]["value"] == run.scorecard["test"]["dice"]["value"]
    other = opsin.evaluate(run, make(tmp_path / "other", 12), quiet=True)
    assert other["dice"]["value"] > 0.7 and other["dice"]["n"] == 12
    with pytest.raises(DataError, match="was trained on background, foreground"):
        opsin.evaluate(run, make(tmp_path / "three", 12, classes=3), quiet=True)


def test_runs_are_compared_on_a_page_with_pictures(trained, tmp_path):
    run, data = trained
    worse = opsin.train(data, out=tmp_path / "worse", learning_rate=1e-6, options=WIDTHS, **{**SETTINGS, "epochs": 1})
    page = opsin.report(opsin.compare([run, worse]), tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Dice" in page and "background;foreground" in page


def test_evaluate_shows_the_scores_of_classes_by_their_names(trained):
    shown = CliRunner().invoke(app, ["evaluate", str(trained[0].path), "--split", "validation"]).output
    assert ["class", "Dice", "IoU", "Boundary", "F"] in [line.split() for line in shown.splitlines()]


def test_new_images_get_masks(trained, tmp_path):
    run, data = trained
    found = run.predict([data / "images" / "03.png"])[0]
    assert found.mask.shape == (32, 32) and sum(found.areas.values()) == pytest.approx(1)
    paths = [data / "images" / f"{number:02}.png" for number in (3, 4)]
    answers = opsin.predict(run, paths, masks=tmp_path / "masks", out=tmp_path / "areas.csv")
    assert answers.masks == 2 and (answers[0].mask == found.mask).all() and (tmp_path / "areas.csv").exists()
    mask, truth = read_values(tmp_path / "masks" / "03.png"), read_values(data / "masks" / "03.png")
    assert mask.shape == truth.shape and (mask == truth).mean() > 0.9
    with Image.open(tmp_path / "masks" / "03-overlay.jpg") as picture:
        assert picture.size == (40, 32)
    with (tmp_path / "masks" / "areas.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["pixels(foreground)"]) for row in rows][0] == int((mask == 1).sum())
    tiling = Tiling(128, 16, 16)
    write_masks(run.folder, run.predictor, paths, tmp_path / "tiles", tiling)
    tiled = read_values(tmp_path / "tiles" / "03.png")
    assert tiled.shape == truth.shape and (tiled == truth).mean() > 0.8
    assert not list((tmp_path / "tiles").glob("*.tif"))
    with pytest.raises(DataError, match="Two of the images are called 03"):
        write_masks(run.folder, run.predictor, [paths[0], tmp_path / "03.png"], tmp_path / "x")


def test_predict_writes_masks_by_tiles_with_probabilities(trained, tmp_path):
    run, data = trained
    path = data / "images" / "03.png"
    write_masks(run.folder, run.predictor, [path], tmp_path / "one", Tiling(), probabilities=True)
    opsin.predict(run, path, masks=tmp_path / "same", tiles=True, probabilities=True)
    for name in ("03.png", "03-probabilities.tif"):
        assert (tmp_path / "same" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    with pytest.raises(DataError, match="not arrays"):
        opsin.predict(run, np.zeros((32, 32, 3), np.uint8), masks=tmp_path / "same")


@pytest.mark.parametrize("tiling", [None, Tiling(128, 16, 16)])
def test_the_most_probable_class_is_the_mask(trained, tmp_path, tiling):
    run, data = trained
    write_masks(run.folder, run.predictor, [data / "images" / "03.png"], tmp_path, tiling, probabilities=True)
    with Image.open(tmp_path / "03-probabilities.tif") as stack:
        assert stack.n_frames == 2
        pages = []
        for number in range(2):
            stack.seek(number)
            pages.append(np.asarray(stack).astype(int))
    mask = read_values(tmp_path / "03.png")
    assert np.abs(pages[0] + pages[1] - 255).max() <= 1
    assert (mask == np.argmax(pages, axis=0))[pages[0] != pages[1]].all()
    found = run.predict([data / "images" / "03.png"])[0]
    small = run.predictor.map_classes(data / "images" / "03.png").numpy()
    np.testing.assert_array_equal(small.argmax(0), found.mask)
    np.testing.assert_allclose(small.max(0), found.confidence, atol=0.5 / 255 + 1e-6)


def test_predict_writes_masks(trained, tmp_path):
    run, data = trained
    arguments = ["predict", str(run.path), str(data / "images"), "--masks", str(tmp_path / "masks")]
    result = CliRunner().invoke(app, [*arguments, "--probabilities", "--out", str(tmp_path / "areas.csv")])
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "masks").glob("*.png"))) == len(list((tmp_path / "masks").glob("*.tif"))) == 30
    with (tmp_path / "areas.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert float(row["area(background)"]) + float(row["area(foreground)"]) == pytest.approx(1)
    wrong = CliRunner().invoke(app, ["predict", str(run.path), str(data / "images"), "--tiles"])
    assert wrong.exit_code == 2 and "--tiles goes with --masks" in wrong.output


def test_a_submission_with_one_answer_for_each_image_is_refused(trained, tmp_path):
    run, data = trained
    given = ["predict", str(run.path), str(data / "images"), "--format", "kaggle", "--out", str(tmp_path / "out.csv")]
    said = CliRunner().invoke(app, given)
    assert said.exit_code == 2 and "draws masks" in said.output and not (tmp_path / "out.csv").exists()


def test_a_mask_comes_back_to_the_place_of_its_image(trained):
    preprocessing = trained[0].predictor.preprocessing
    mask = np.random.default_rng(0).integers(0, 2, (48, 60)).astype(np.uint8).repeat(2, 0).repeat(2, 1)
    for resize in ("squash", "pad", "crop"):
        fitted = replace(preprocessing, height=96, width=96, resize=resize)
        there = np.array(fitted.for_masks()._fitted(Image.fromarray(mask)))
        back = fitted.fit_back(torch.from_numpy(there == 1).float(), mask.shape)
        known = ~back.isnan().numpy()
        assert known.mean() > (0.7 if resize == "crop" else 0.99)
        assert known.all() == (resize != "crop")
        assert ((back.numpy() > 0.5) == mask)[known].mean() > 0.85


def test_masks_that_change_are_noticed(trained, tmp_path):
    data = make(tmp_path / "data", 12)
    run = opsin.train(data, out=tmp_path / "run", open_test=False, inspect=False, **{**SETTINGS, "epochs": 1})
    mask = read_values(data / "masks" / "03.png")
    mask[:4] = 1
    Image.fromarray(mask).save(data / "masks" / "03.png")
    with pytest.raises(opsin.errors.RunError, match="have changed since"):
        opsin.evaluate(run, quiet=True)


def test_settings_that_do_not_fit(trained, tmp_path):
    _, data = trained
    with pytest.raises(RecipeError, match="mse is not for segmentation"):
        opsin.train(data, out=tmp_path / "a", loss="mse", **{**SETTINGS, "epochs": 1})
    with pytest.raises(RecipeError, match="not masks; leave them out"):
        opsin.train(data, out=tmp_path / "b", mixup=0.2, **{**SETTINGS, "epochs": 1})
