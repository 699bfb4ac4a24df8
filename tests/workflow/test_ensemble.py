from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import opsin
from opsin.cli import app
from opsin.data.batches import gather
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets, ValueTargets
from opsin.errors import RunError
from opsin.networks.registry import create_network
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.report import write_report
from opsin.reporting.sections import reproduce
from opsin.storage.safetensors import read_tensors
from opsin.training.initial_weights import find_source

QUICK = {"epochs": 2, "batch_size": 32, "device": "cpu", "precision": "32-true", "inspect": False, "quiet": True}


@pytest.fixture(scope="module", autouse=True)
def _quickly():
    """Most reports here are read by nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opsin.workflow.train.report", lambda run, anonymous=False: run.report)
        patch.setattr("opsin.training.session.MEASURE_SECONDS", 0.01)
        yield


@pytest.fixture(scope="module")
def some(digits):
    return replace(
        digits, images=ArrayImages(digits.images.array[:400]), targets=ClassTargets(digits.targets.values[:400])
    )


@pytest.fixture(scope="module")
def place(some, tmp_path_factory):
    """Runs of two networks; and two more that were tuned from the first."""
    place = tmp_path_factory.mktemp("runs")
    small = {"network": "small_resnet", "options": {"widths": [4, 8], "blocks": [1, 1]}}
    first = opsin.train(some, out=place / "resnet", **small, **QUICK)
    opsin.train(some, out=place / "cnn", network="course_cnn", **QUICK)
    for seed in (1, 2):
        opsin.train(some, out=place / f"tuned-{seed}", weights=str(first.path), seed=seed, **QUICK)
    return place


def raw(run, images):
    """Probabilities without temperature, by a member's own preprocessing and network."""
    predictor = run.predictor
    with torch.no_grad():
        return predictor.network(predictor.preprocessing.standardize(images).to(predictor.device)).softmax(dim=1).cpu()


@pytest.fixture(scope="module")
def mean(some, place):
    return opsin.ensemble([place / "resnet", place / "cnn"], out=place / "mean", data=some, inspect=False, quiet=True)


def test_an_ensemble_predicts_the_mean_of_what_its_members_predict(some, place, mean, tmp_path):
    images = torch.from_numpy(np.ascontiguousarray(some.images.array[:20].reshape(20, 8, 8, 1)))
    other = opsin.load_run(place / "cnn")
    file = place / "cnn" / "preprocessing.json"
    members = [opsin.load_run(place / "resnet"), other]
    expected = sum(raw(member, images) for member in members) / 2
    torch.testing.assert_close(raw(mean, images), expected, rtol=1e-4, atol=1e-6)
    temperature = mean.folder.temperature
    calibrated = expected ** (1 / temperature) / (expected ** (1 / temperature)).sum(dim=1, keepdim=True)
    predicted = mean.predict(images.numpy())
    found = np.array([list(one.probabilities.values()) for one in predicted])
    np.testing.assert_allclose(found, calibrated.numpy(), rtol=1e-3, atol=1e-5)
    assert predicted[0].unlike is not None and file.exists()


def test_members_whose_input_is_standardized_in_another_way_see_what_they_saw(some, place, tmp_path):
    other = opsin.train(some, out=tmp_path / "other", network="course_cnn", **QUICK)
    values = other.folder.read("preprocessing.json")
    other.folder.write("preprocessing.json", values | {"mean": [0.7], "std": [0.9]})
    both = opsin.ensemble([place / "resnet", other.path], out=tmp_path / "both", data=some, inspect=False, quiet=True)
    images = torch.from_numpy(np.ascontiguousarray(some.images.array[:20].reshape(20, 8, 8, 1)))
    expected = (raw(opsin.load_run(place / "resnet"), images) + raw(opsin.load_run(other.path), images)) / 2
    torch.testing.assert_close(raw(both, images), expected, rtol=1e-4, atol=1e-6)


def test_an_ensemble_is_a_run_like_any_other(some, place, mean, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(mean.path, moved)
    run = opsin.load_run(moved)
    assert set(run.scorecard) == {"validation", "test"}
    seen = [f"end of training, of the member {name}" for name in ("resnet", "cnn")]
    assert [look["why"] for look in run.folder.looks] == [*seen, "opsin ensemble"]
    again = opsin.evaluate(run, some, split="validation", quiet=True)
    assert again["accuracy"] == mean.scorecard["validation"]["accuracy"]
    compared = opsin.compare([moved, place / "cnn"])
    assert len(compared.recipes) == 2
    assert compared.keys == {"network.name": ("ensemble", "course_cnn"), "ensemble": ("mean", None)}
    commands = reproduce.facts(Page.read(run.folder, anonymous=False))["commands"]
    assert f"opsin ensemble {place.resolve() / 'resnet'} {place.resolve() / 'cnn'}" in commands
    members = run.folder.info["ensemble"]["members"]
    assert [member["name"] for member in members] == ["resnet", "cnn"]
    assert members[1]["scores"]["test"] == opsin.load_run(place / "cnn").scorecard["test"]["accuracy"]
    anonymous = write_report(run.folder, anonymous=True).read_text(encoding="utf-8")
    assert "The mean of the predictions of 2 runs" in anonymous
    assert "member 2" in anonymous and "/resnet" not in anonymous
    grown = opsin.train(some, weights=str(moved), out=tmp_path / "grown", **QUICK | {"epochs": 1})
    assert grown.recipe.network.name == "ensemble"


def test_a_soup_is_one_network_with_the_mean_of_the_weights(some, place):
    runs = [place / "tuned-1", place / "tuned-2"]
    soup = opsin.ensemble(runs, soup=True, out=place / "soup", data=some, inspect=False, quiet=True)
    states = [read_tensors(run / "best.safetensors")[0] for run in runs]
    own, _ = read_tensors(soup.path / "best.safetensors")
    for name, value in own.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(value, (states[0][name] + states[1][name]) / 2)
    assert soup.recipe.network.name == "small_resnet"
    assert not torch.allclose(own["stem.1.running_mean"], (states[0]["stem.1.running_mean"] + 1) / 2)

    # What enters the first batch normalization, averaged over the batches, by hand.
    network = create_network("small_resnet", 10, 1, (8, 8), options=soup.recipe.network.options)
    network.load_state_dict(own)
    names = [row["split"] for row in soup.folder.split_rows()]
    rows = torch.from_numpy(np.flatnonzero(np.array(names) == "train"))
    pixels = torch.from_numpy(some.images.array.reshape(-1, 8, 8, 1))
    with torch.no_grad():
        batches = [soup.predictor.preprocessing.standardize(gather(pixels, part, torch.device("cpu")))
                   for part in rows.split(256)]  # fmt: skip
        means = torch.stack([network.stem[0](batch).mean(dim=(0, 2, 3)) for batch in batches]).mean(dim=0)
    torch.testing.assert_close(own["stem.1.running_mean"], means, rtol=1e-4, atol=1e-5)
    assert soup.scorecard["test"]["accuracy"]["n"] == 60
    assert find_source(str(soup.path)).folder is not None


def test_runs_that_do_not_go_together_are_refused_in_one_sentence(some, place, tmp_path):
    def refused(said, *runs, **settings):
        with pytest.raises(RunError, match=said) as caught:
            opsin.ensemble(list(runs), out=tmp_path / "refused", data=some, quiet=True, **settings)
        assert "\n" not in str(caught.value) and not (tmp_path / "refused").exists()

    refused("two or more runs", place / "cnn")
    refused("two or more runs", place / "cnn", place / "resnet" / ".." / "cnn")
    refused("differ in network, options or preprocessing", place / "cnn", place / "resnet", soup=True)
    other = opsin.train(some, out=tmp_path / "split", network="course_cnn", split_seed=1, **QUICK | {"epochs": 1})
    refused("share their images out differently", place / "cnn", other.path)
    larger = opsin.train(some, out=tmp_path / "large", network="course_cnn", image_size=12, **QUICK | {"epochs": 1})
    refused("different sizes or channels of images", place / "cnn", larger.path)
    copy = tmp_path / "copy"
    shutil.copytree(place / "cnn", copy)
    opsin.load_run(copy).folder.update(state="interrupted")
    refused("is not finished; go on with it first", place / "cnn", copy)
    opsin.load_run(copy).folder.update(state="finished")
    values = opsin.load_run(copy).folder.read("preprocessing.json")
    opsin.load_run(copy).folder.write("preprocessing.json", values | {"classes": list("abcdefghij")})
    refused("different classes", place / "cnn", copy)


def test_numbers_are_averaged_too(some, tmp_path):
    values = replace(some, classes=("ink",), targets=ValueTargets(some.images.array.mean(axis=(1, 2, 3))))
    runs = [opsin.train(values, network="mlp", seed=seed, out=tmp_path / f"{seed}", **QUICK) for seed in (0, 1)]
    both = opsin.ensemble(runs, out=tmp_path / "both", data=values, inspect=False, quiet=True)
    found, *each = [run.folder.predicted("test").predictions.values for run in (both, *runs)]
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-4)
    assert both.folder.info["ensemble"]["members"][0]["scores"]["test"] == runs[0].scorecard["test"]["mae"]


def test_masks_are_averaged_too(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(12):
        mask = np.zeros((24, 24), np.uint8)
        row, column = generator.integers(0, 14, 2)
        mask[row : row + 8, column : column + 8] = 255
        image = np.clip(mask.astype(int) // 2 + generator.integers(0, 100, mask.shape), 0, 255).astype(np.uint8)
        for folder, pixels in (("images", image), ("masks", mask)):
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "data" / folder / f"{number}.png")
    settings = QUICK | {"network": "conv_deconv", "epochs": 1, "batch_size": 4}
    runs = [opsin.train(tmp_path / "data", seed=seed, out=tmp_path / f"{seed}", **settings) for seed in (0, 1)]
    both = opsin.ensemble(runs, out=tmp_path / "both", inspect=False, quiet=True)
    assert both.recipe.network.name == "ensemble" and both.recipe.task == "segmentation"
    images = torch.randint(0, 256, (2, 24, 24, 1), dtype=torch.uint8)
    torch.testing.assert_close(raw(both, images), (raw(runs[0], images) + raw(runs[1], images)) / 2)
    assert "dice" in both.scorecard["test"]


def test_the_command_makes_an_ensemble_of_runs_on_named_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        opsin.train("digits", network="mlp", seed=seed, out=f"runs/{seed}", **QUICK | {"epochs": 1, "batch_size": 128})
    result = CliRunner().invoke(app, ["ensemble", "runs/0", "runs/1", "--no-inspect"], prog_name="opsin")
    assert result.exit_code == 0, result.output
    assert "mean of the predictions of 2 runs: 0, 1" in result.output and "validation accuracy" in result.output
    (made,) = (tmp_path / "runs").glob("digits-ensemble-*")
    assert opsin.load_run(made).scorecard["test"]["accuracy"]["n"] > 100
