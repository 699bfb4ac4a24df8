from __future__ import annotations

import numpy as np
import pytest

import opsin
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.errors import DataError, RecipeError, RunError, TrainingInterrupted
from opsin.runs.folder import RunFolder
from opsin.workflow.learning_curve import LearningCurve
from opsin.workflow.train import train_prepared

QUICK = {"network": "mlp", "batch_size": 32, "device": "cpu", "quiet": True, "epochs": 1}


def some_digits(digits, number=400):
    return Dataset(
        "some", digits.classes, ArrayImages(digits.images.array[:number]), ClassTargets(digits.targets.values[:number])
    )


@pytest.fixture(scope="module")
def made(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("curve") / "all"
    return opsin.learning_curve(some_digits(digits), sizes=(0.25, 0.5, 1), repeats=2, out=out, **QUICK)


def runs_of(curve):
    return [RunFolder(curve.path / row["run"]) for row in curve.info["runs"]]


def images_in(run, split):
    return {row["image"] for row in run.split_rows() if row["split"] == split}


def test_parts_grow_within_a_repeat_and_validation_and_test_stay_the_same(made):
    runs = runs_of(made)
    assert [run.recipe.split.train_fraction for run in runs] == [0.25, 0.5, 1.0] * 2
    assert [run.recipe.seed for run in runs] == [0] * 3 + [1] * 3
    for name in ("validation", "test"):
        assert len({frozenset(images_in(run, name)) for run in runs}) == 1
    for first in (0, 3):
        parts = [images_in(run, "train") for run in runs[first : first + 3]]
        assert parts[0] < parts[1] < parts[2]
    assert images_in(runs[0], "train") != images_in(runs[3], "train")
    assert [row["images"] for row in made.info["runs"]] == [len(images_in(run, "train")) for run in runs]


def test_the_test_split_stays_locked(made):
    for run in runs_of(made):
        assert set(run.scorecard) == {"validation"} and run.looks == [] and not run.robustness
        assert run.info["state"] == "finished" and (run.path / "report.html").exists()


def test_it_tells_what_it_fitted(made):
    info = made.info
    accuracies = [run.scorecard["validation"]["accuracy"]["value"] for run in runs_of(made)]
    assert [row["score"]["value"] for row in info["runs"]] == accuracies
    assert (
        info["doubled"]["low"] <= info["doubled"]["high"] and info["doubled"]["images"] == 2 * info["runs"][2]["images"]
    )
    assert info["validated"] == len(images_in(runs_of(made)[0], "validation"))
    page = made.report.read_text(encoding="utf-8")
    assert info["sentence"].replace("'", "&#39;") in page and "<svg" in page and "part-0.5-seed-1/report.html" in page
    assert LearningCurve(made.path).sentence == made.sentence and repr(made).startswith("LearningCurve(")


def test_a_run_of_the_curve_can_be_trained_again_by_its_recipe(made, digits, tmp_path):
    (run, *_) = runs_of(made)
    again = opsin.train(
        some_digits(digits),
        recipe=run.path / "recipe.toml",
        out=tmp_path / "a",
        open_test=False,
        inspect=False,
        quiet=True,
    )
    assert (again.path / "best.safetensors").read_bytes() == (run.path / "best.safetensors").read_bytes()
    assert (again.path / "split.csv").read_bytes() == (run.path / "split.csv").read_bytes()
    scores = opsin.evaluate(again, some_digits(digits), split="test", quiet=True)
    assert scores["accuracy"]["n"] == 60 and len(again.folder.looks) == 1


def test_interrupted_it_goes_on_where_it_was(digits, tmp_path, monkeypatch):
    settings = QUICK | {"sizes": (0.25, 0.5, 1), "repeats": 1, "out": tmp_path / "all"}
    with monkeypatch.context() as patch:
        patch.setattr("opsin.workflow.train.train_prepared", stop_after(1))
        with pytest.raises(TrainingInterrupted, match="The same command resumes"):
            opsin.learning_curve(some_digits(digits), **settings)
    first = (tmp_path / "all" / "part-0.25-seed-0" / "run.json").read_bytes()
    with pytest.raises(RunError, match="no finished learning curve"):
        LearningCurve(tmp_path / "all")
    curve = opsin.learning_curve(some_digits(digits), **settings)
    assert (tmp_path / "all" / "part-0.25-seed-0" / "run.json").read_bytes() == first
    assert len(curve.info["runs"]) == 3


def stop_after(number):
    left = [number]

    def train_or_stop(*arguments):
        if not left[0]:
            raise TrainingInterrupted("stopped")
        left[0] -= 1
        return train_prepared(*arguments)

    return train_or_stop


def test_sizes_may_be_numbers_of_images_and_data_a_run(digits, tmp_path):
    np.savez(tmp_path / "some.npz", images=digits.images.array[:200], labels=digits.targets.values[:200] % 3)
    run = opsin.train(tmp_path / "some.npz", out=tmp_path / "run", inspect=False, open_test=False, **QUICK)
    curve = opsin.learning_curve(run, sizes=(30, 70, 1), repeats=1, runs=tmp_path / "runs", quiet=True)
    images = [row["images"] for row in curve.info["runs"]]
    assert images == pytest.approx([30, 70, 140], abs=1)  # each of the three classes is rounded for itself
    assert curve.path.parent == tmp_path / "runs" and curve.path.name.startswith("some-learning-curve-")
    with pytest.raises(RecipeError, match="keeps its own recipe"):
        opsin.learning_curve(run, recipe=opsin.Recipe(), quiet=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"sizes": (0.5, 1)}, "at least three"),
        ({"sizes": (0, 0.5, 1)}, "above 0"),
        ({"sizes": (0.1, 1, 280)}, "at least three different"),
        ({"sizes": (0.1, 1, 5000)}, "only 280 training images"),
        ({"repeats": 0}, "at least 1"),
    ],
)
def test_what_makes_no_curve_is_refused_before_anything_is_trained(digits, tmp_path, arguments, sentence):
    with pytest.raises(RecipeError, match=sentence):
        opsin.learning_curve(some_digits(digits), out=tmp_path / "out", **arguments, **QUICK)
    assert not (tmp_path / "out").exists()


def test_groups_too_large_for_a_curve_are_told(digits, tmp_path):
    groups = np.array([f"slide {number // 66}" for number in range(396)])
    images = ArrayImages(digits.images.array[:396])
    dataset = Dataset("slides", ("a", "b"), images, ClassTargets(digits.targets.values[:396] % 2), groups=groups)
    with pytest.raises(DataError, match="groups are so large"):
        opsin.learning_curve(dataset, sizes=(0.01, 0.02, 1), repeats=1, out=tmp_path / "out", **QUICK)
