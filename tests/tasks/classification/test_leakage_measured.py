from __future__ import annotations

import numpy as np
import pytest

import opsin
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets

QUICK = {"network": "mlp", "batch_size": 32, "device": "cpu", "quiet": True, "inspect": False}


@pytest.fixture(scope="module")
def folder(digits, tmp_path_factory):
    """A run on a given split with seven patients of eight on both sides."""
    place = tmp_path_factory.mktemp("leaking")
    groups = np.array([f"patient {number % 8}" for number in range(240)])
    split = np.where((np.arange(240) % 3 == 0) | (np.arange(240) % 8 > 6), "test", "train")
    images = digits.images.array[:240]
    np.savez(place / "given.npz", images=images, labels=digits.targets.values[:240] % 3, group=groups, split=split)
    opsin.train(place / "given.npz", out=place / "runs" / "given", epochs=2, **QUICK)
    return place


def test_a_leak_is_measured_reported_and_compared_with_cross_validation(folder):
    run = opsin.load_run(folder / "runs" / "given")
    leak = run.folder.read("leak.json")
    tested = [row for row in run.folder.split_rows() if row["split"] == "test"]
    others = {row["group"] for row in run.folder.split_rows() if row["split"] in ("train", "validation")}
    assert leak["leaked"] == sum(row["group"] in others for row in tested) and leak["images"] == len(tested)
    assert (leak["shared"], leak["groups"], leak["enough"], leak["cross_validation"]) == (7, 8, False, None)
    assert "leaky-split" in [finding["kind"] for finding in run.folder.verdict]
    assert leak["reading"] in run.report.read_text(encoding="utf-8")
    assert leak["command"] == f"opsin cross-validate {run.path}"

    made = opsin.cross_validate(run, folds=4, quiet=True)
    assert made.path.parent == run.path.parent
    again = run.folder.read("leak.json")
    pooled = made.folder.out_of_fold().split
    right = dict(zip(pooled.names, pooled.predictions.labels == pooled.targets.values, strict=True))
    assert again["cross_validation"]["accuracy"] == pytest.approx(np.mean([right[row["image"]] for row in tested]))
    owed = again["cross_validation"]["owed"]["accuracy"]
    assert owed["value"] == pytest.approx(
        run.scorecard["test"]["accuracy"]["value"] - again["cross_validation"]["accuracy"]
    )
    assert owed["low"] <= owed["value"] <= owed["high"] and owed["method"] == "cluster bootstrap, 8 groups: indicative"
    assert again["reading"] in run.report.read_text(encoding="utf-8")
    assert "without training images of the group" in again["reading"]


def test_another_recipe_says_nothing_of_this_run(folder):
    other = opsin.train(folder / "given.npz", out=folder / "runs" / "other", epochs=1, dropout=0.5, **QUICK)
    assert other.folder.read("leak.json")["cross_validation"] is None


def test_a_split_of_our_own_does_not_leak(digits, folder, tmp_path):
    run = opsin.train(folder / "given.npz", out=tmp_path / "own", epochs=1, given_split=False, **QUICK)
    assert not (run.path / "leak.json").exists()
    assert run.folder.info["data"]["groups"] == 8
    images = ArrayImages(digits.images.array[:120])
    split = np.array(["train"] * 90 + ["test"] * 30)
    without = Dataset("no groups", digits.classes, images, ClassTargets(digits.targets.values[:120]), split=split)
    assert not (opsin.train(without, out=tmp_path / "none", epochs=1, **QUICK).path / "leak.json").exists()
