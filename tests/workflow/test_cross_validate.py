from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

import opsin
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.errors import DataError, RecipeError, RunError, TrainingInterrupted
from opsin.runs.cross_validation import CrossValidationFolder, list_cross_validations
from opsin.runs.folder import RunFolder
from opsin.training.callbacks import ProgressBar
from opsin.workflow.cross_validate import CrossValidation

QUICK = {"network": "mlp", "batch_size": 32, "device": "cpu", "quiet": True, "epochs": 1}


def digits_of_patients(digits):
    rows = np.arange(180)
    groups = np.array([f"patient {number // 15}" for number in rows])
    images = ArrayImages(digits.images.array[rows])
    return Dataset("patients", ("a", "b", "c"), images, ClassTargets(digits.targets.values[rows] % 3), groups=groups)


@pytest.fixture(scope="module")
def made(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("cross_validation") / "all"
    return opsin.cross_validate(digits_of_patients(digits), folds=2, repeats=2, out=out, **QUICK)


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_image_is_tested_once_in_each_repeat(made):
    for repeat in range(2):
        tested = []
        for run in made.runs[2 * repeat : 2 * repeat + 2]:
            rows = run.folder.split_rows()
            parts = {row["group"]: row["split"] for row in rows}
            assert all(parts[row["group"]] == row["split"] for row in rows)
            assert {row["split"] for row in rows} == {"train", "validation", "test"}
            tested += [row["image"] for row in rows if row["split"] == "test"]
        assert sorted(tested) == sorted(f"image {number}" for number in range(180))
    assert made.runs[0].folder.split_rows() != made.runs[2].folder.split_rows()


def test_pooled_scores_are_those_of_the_predictions(made):
    tables = [read(made.path / name) for name in ("predictions.csv", "predictions-1.csv")]
    assert [len(table) for table in tables] == [180, 180]
    rows = [row for table in tables for row in table]
    accuracy = accuracy_score([row["true"] for row in rows], [row["predicted"] for row in rows])
    assert made.scorecard["accuracy"]["value"] == pytest.approx(accuracy)
    assert made.scorecard["accuracy"]["n"] == 180
    assert made.scorecard["accuracy"]["method"] == "cluster bootstrap, 12 groups: indicative"
    values = [run.scorecard["test"]["accuracy"]["value"] for run in made.runs]
    assert made.spread["accuracy"]["mean"] == pytest.approx(np.mean(values))
    assert made.spread["accuracy"]["deviation"] == pytest.approx(np.std(values, ddof=1))
    info = made.folder.info
    assert info["state"] == "finished" and info["images"] == 180 and info["groups"] == 12
    assert [row["run"] for row in info["runs"]] == [run.name for run in made.runs]
    assert sum(row["groups"] for row in info["runs"][:2]) == 12


def test_the_same_call_again_trains_nothing_and_further_repeats_only_what_is_new(made, digits):
    before = {run.path: (run.path / "best.safetensors").stat().st_mtime_ns for run in made.runs}
    shutil.rmtree(made.path / "repeat-1-fold-1")
    again = opsin.cross_validate(digits_of_patients(digits), folds=2, repeats=2, out=made.path, **QUICK)
    after = {run.path: (run.path / "best.safetensors").stat().st_mtime_ns for run in again.runs}
    assert {path for path in before if before[path] != after[path]} == {made.path / "repeat-1-fold-1"}
    assert again.scorecard == made.scorecard


def test_an_interrupted_cross_validation_is_gone_on_with(digits, tmp_path, monkeypatch):
    dataset = digits_of_patients(digits)
    steps = ProgressBar.on_epoch

    def stop_in_the_second(self, state, seconds):
        steps(self, state, seconds)
        state.stop = (tmp_path / "all" / "fold-1").exists()

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "on_epoch", stop_in_the_second)
        with pytest.raises(TrainingInterrupted, match="fold-1; nothing is lost"):
            opsin.cross_validate(dataset, folds=2, out=tmp_path / "all", **QUICK | {"epochs": 2})
    with pytest.raises(RunError, match="is not finished"):
        CrossValidation(tmp_path / "all")
    assert RunFolder(tmp_path / "all" / "fold-1").info["state"] == "interrupted"
    made = opsin.cross_validate(dataset, folds=2, out=tmp_path / "all", **QUICK | {"epochs": 2})
    assert [run.folder.info["state"] for run in made.runs] == ["finished"] * 2
    assert [len(run.history) for run in made.runs] == [2, 2]


def test_each_group_is_left_out_once(digits, tmp_path):
    dataset = digits_of_patients(digits).subset(np.arange(60))
    made = opsin.cross_validate(dataset, each_group=True, runs=tmp_path, **QUICK)
    left_out = [{row["group"] for row in run.folder.split_rows() if row["split"] == "test"} for run in made.runs]
    assert sorted(group for groups in left_out for group in groups) == [f"patient {number}" for number in range(4)]
    assert made.path.parent == tmp_path and made.path.name.startswith("patients-cross-validation-")
    without = Dataset("images", dataset.classes, dataset.images, dataset.targets)
    with pytest.raises(DataError, match="has no groups to leave out one at a time"):
        opsin.cross_validate(without, each_group=True, runs=tmp_path, **QUICK)


def test_a_run_is_cross_validated_by_its_recipe_whatever_split_it_was_given(digits, tmp_path):
    pixels = digits.images.array[:180]
    split = np.array(["train"] * 120 + ["test"] * 60)
    np.savez(tmp_path / "given.npz", images=pixels, labels=digits.targets.values[:180], split=split)
    run = opsin.train(tmp_path / "given.npz", out=tmp_path / "run", inspect=False, **QUICK)
    made = opsin.cross_validate(run, folds=2, runs=tmp_path, quiet=True)
    assert made.folder.info["images"] == 180
    assert [len(fold.folder.split_rows()) for fold in made.runs] == [180, 180]
    recipes = [fold.recipe for fold in made.runs]
    assert all(recipe.training.epochs == 1 and recipe.network == run.recipe.network for recipe in recipes)
    assert any("is not used" in note for note in made.runs[0].folder.info["data"]["notes"])
    assert [found.path for found in list_cross_validations(tmp_path)] == [made.path]


def test_what_contradicts_cross_validation_is_refused(digits, tmp_path):
    dataset = digits_of_patients(digits)
    with pytest.raises(RecipeError, match="trains on every fold; leave out --fold"):
        opsin.cross_validate(dataset, folds=3, fold=1, out=tmp_path / "a", **QUICK)
    with pytest.raises(RecipeError, match=r"Give either split\.test_groups or split\.folds"):
        opsin.cross_validate(dataset, test_groups=["patient 1"], out=tmp_path / "b", **QUICK)
    with pytest.raises(RecipeError, match="--repeats must be at least 1"):
        opsin.cross_validate(dataset, repeats=0, out=tmp_path / "c", **QUICK)
    with pytest.raises(DataError, match="12 groups are too few for 13 folds"):
        opsin.cross_validate(dataset, folds=13, out=tmp_path / "d", **QUICK)
    run = opsin.train(dataset, out=tmp_path / "run", inspect=False, **QUICK)
    with pytest.raises(DataError, match="was trained on a Dataset object; give that and the recipe"):
        opsin.cross_validate(run, quiet=True)
    with pytest.raises(RecipeError, match="leave out --recipe"):
        opsin.cross_validate(run.path, recipe=run.recipe, quiet=True)


def test_folders_that_are_none_are_refused(made, digits, tmp_path):
    with pytest.raises(RunError, match=r"is no cross-validation: it has no cross-validation\.json"):
        CrossValidationFolder(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        opsin.cross_validate(digits_of_patients(digits), out=tmp_path, **QUICK)
    copy = tmp_path / "copy" / "all"
    shutil.copytree(made.path, copy)
    (copy / "cross-validation.json").write_text("[]")
    with pytest.raises(RunError, match=r"cross-validation\.json is damaged \(it holds no table\)"):
        CrossValidationFolder(copy)
    (copy / "cross-validation.json").write_text('{"format": 99, "opsin": "9.9"}')
    with pytest.raises(RunError, match=r"has format 99, written by Opsin 9\.9"):
        CrossValidationFolder(copy)
    assert list_cross_validations(tmp_path / "copy") == []


def test_other_data_do_not_go_on_with_a_cross_validation(made, digits):
    with pytest.raises(RunError, match="have changed since"):
        opsin.cross_validate(digits_of_patients(digits).subset(np.arange(100)), folds=2, out=made.path, **QUICK)
    made.folder.update(folds=2, repeats=2, name="patients", state="finished")
