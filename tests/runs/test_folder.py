from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import opsin
from opsin.data.targets import ClassTargets
from opsin.errors import OpsinError, RunError
from opsin.recipe.recipe import Recipe
from opsin.runs.folder import FORMAT, RunFolder, list_runs
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications

CLASSES = ("cat", 'a "dog", barking', "猫\u2028")


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(tmp_path / "run", Recipe().set("data.source", "digits"))
    folder.write("preprocessing.json", {"classes": list(CLASSES)})
    return folder


def results(number):
    scores = np.random.default_rng(0).random((number, len(CLASSES))) ** 9 + 1e-12
    return Classifications((scores / scores.sum(axis=1, keepdims=True)).astype(np.float32))


@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)))
def test_predictions_round_trip_to_the_last_bit(tmp_path_factory, names):
    folder = RunFolder.create(tmp_path_factory.mktemp("runs") / "run", Recipe())
    folder.write("preprocessing.json", {"classes": list(CLASSES)})
    labels = np.arange(len(names)) % len(CLASSES)
    written = results(len(names))
    folder.write_predictions("test", PredictedSplit(names, ClassTargets(labels), written))
    predicted = folder.predicted("test")
    again, truth, predictions = predicted.names, predicted.targets.values, predicted.predictions
    assert again == names
    assert truth.dtype == np.int64
    assert (truth == labels).all()
    assert (predictions.probabilities == written.probabilities).all()


def test_thumbnails_round_trip(run):
    rows, images = np.array([3, 0, 7]), np.random.default_rng(0).integers(0, 256, (3, 5, 4, 1), dtype=np.uint8)
    assert [array.shape[0] for array in run.thumbnails("test")] == [0, 0]
    run.write_thumbnails("test", rows, images)
    for written, read in zip((rows, images), run.thumbnails("test"), strict=True):
        assert read.dtype == written.dtype
        assert (read == written).all()


def test_the_temperature_is_1_unless_the_run_has_another(run):
    assert run.temperature == 1
    run.write("calibration.json", {"temperature": 1.7})
    assert run.temperature == 1.7
    for wrong in (0, -1, float("inf"), float("nan"), None, "warm"):
        run.write("calibration.json", {"temperature": wrong})
        with pytest.raises(RunError, match=r"calibration\.json is damaged"):
            _ = run.temperature


def test_every_look_is_kept_in_order(run):
    assert run.looks == []
    run.add_look("test", "end of training")
    run.add_look("test", "opsin evaluate")
    assert [(look["split"], look["why"], look["recipe"]) for look in run.looks] == [
        ("test", "end of training", run.recipe.hash),
        ("test", "opsin evaluate", run.recipe.hash),
    ]
    assert run.looks[0]["time"] <= run.looks[1]["time"]


def test_a_new_run_says_what_it_is(run):
    assert RunFolder(run.path).recipe == Recipe().set("data.source", "digits")
    assert run.info | {"created": ""} == {
        "format": FORMAT,
        "opsin": opsin.__version__,
        "recipe": run.recipe.hash,
        "state": "training",
        "created": "",
    }
    run.update(state="finished", best={"epoch": 2})
    assert (run.info["state"], run.info["best"]) == ("finished", {"epoch": 2})
    assert (run.history, run.timings, run.scorecard, run.verdict) == ([], [], {}, [])


@pytest.mark.parametrize("version", [0, FORMAT + 1, None, "1"])
def test_another_version_of_the_format_is_refused_in_a_sentence(run, version):
    run.update(format=version, opsin="9.9")
    with pytest.raises(RunError, match=rf"run format {version}, written by Opsin 9\.9; Opsin .* reads format {FORMAT}"):
        RunFolder(run.path)
    assert list_runs(run.path.parent) == []


def test_no_run_is_made_where_something_is(tmp_path, run):
    with pytest.raises(RunError, match="holds another run"):
        RunFolder.create(run.path, Recipe())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(RunError, match="is not empty"):
        RunFolder.create(tmp_path / "photos", Recipe())
    with pytest.raises(RunError, match="is a file"):
        RunFolder.create(tmp_path / "photos" / "a.jpg", Recipe())
    with pytest.raises(RunError, match="is not a run"):
        RunFolder(tmp_path / "photos")
    with pytest.raises(RunError, match="There is no run"):
        RunFolder(tmp_path / "none")


def test_only_a_folder_that_was_being_made_is_cleared(run, tmp_path):
    place = tmp_path / "fold-1"
    RunFolder.clear_unmade(place)
    place.mkdir()
    for name in ("recipe.toml", ".recipe.toml.x_1", ".run.json.abc"):
        (place / name).touch()
    RunFolder.clear_unmade(place)
    assert not place.exists()
    place.mkdir()
    (place / "recipe.toml").touch()
    (place / "notes.txt").touch()
    RunFolder.clear_unmade(place)
    RunFolder.clear_unmade(run.path)
    assert len(list(place.iterdir())) == 2
    assert RunFolder(run.path).info == run.info


@pytest.mark.parametrize(
    "content", ["[]", "3", "{", "null", "", '{"format": 2}', '{"format": 2, "state": [], "created": "2026-01-01"}']
)
def test_a_damaged_run_is_one_sentence_and_passed_over(run, content):
    other = RunFolder.create(run.path.parent / "other", Recipe())
    (run.path / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match="run.json is damaged") as caught:
        RunFolder(run.path)
    assert "\n" not in str(caught.value)
    assert [found.path for found in list_runs(run.path.parent)] == [other.path]


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("history.jsonl", "[]\n", lambda run: run.history),
        ("history.jsonl", '{"epoch": 1}\n{"ep', lambda run: run.history),
        ("scorecard.json", "[]", lambda run: run.scorecard),
        ("recipe.toml", "epochs = = 3", lambda run: run.recipe),
        ("recipe.toml", "epochs = 3", lambda run: run.recipe),
    ],
)
def test_runs_whose_tables_are_damaged_are_passed_over_too(run, name, content, read):
    (run.path / name).write_text(content, encoding="utf-8")
    with pytest.raises(OpsinError, match=name) as caught:
        read(RunFolder(run.path))
    assert "\n" not in str(caught.value)
    assert list_runs(run.path.parent) == []


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("timings.jsonl", b"5\n", lambda run: run.timings),
        ("looks.jsonl", b"\xff", lambda run: run.looks),
        ("verdict.json", b"{}", lambda run: run.verdict),
        ("preprocessing.json", b"{}", lambda run: run.classes),
        ("preprocessing.json", b'{"classes": 3}', lambda run: run.classes),
        ("predictions-test.csv", b"image,true\na.jpg,cat,cat,0.5", lambda run: run.predicted("test")),
        ("predictions-test.csv", b"image,true\na.jpg,cow,cow,1,1,0,0", lambda run: run.predicted("test")),
        ("predictions-test.csv", b"image,true\na.jpg,cat,cat,1,one,0,0", lambda run: run.predicted("test")),
        ("thumbnails-test.npz", b"", lambda run: run.thumbnails("test")),
        ("thumbnails-test.npz", b"PK\x03\x04 cut short", lambda run: run.thumbnails("test")),
    ],
)
def test_other_damaged_files_are_one_sentence(run, name, content, read):
    (run.path / name).write_bytes(content)
    with pytest.raises(RunError, match=f"{name} is damaged") as caught:
        read(run)
    assert "\n" not in str(caught.value)


def test_thumbnails_that_lost_a_bit_are_one_sentence(run):
    run.write_thumbnails("test", np.arange(4), np.random.default_rng(0).integers(0, 256, (4, 9, 9, 3), dtype=np.uint8))
    path = run.path / "thumbnails-test.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RunError, match="thumbnails-test.npz is damaged"):
        run.thumbnails("test")


def test_what_a_run_has_not_come_to_is_one_sentence(run):
    with pytest.raises(RunError, match="has no scorecard.json: the run ended before it was written"):
        run.read("scorecard.json")
    with pytest.raises(RunError, match="has no predictions for its test split yet"):
        run.predicted("test")


def test_runs_are_listed_newest_first(tmp_path):
    for day, name in [(2, "b"), (3, "c"), (1, "a")]:
        folder = RunFolder.create(tmp_path / name, Recipe())
        info = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))
        folder.write("run.json", info | {"created": f"2026-01-0{day}T00:00:00+00:00"})
    assert [run.name for run in list_runs(tmp_path)] == ["c", "b", "a"]
    assert list_runs(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("classes", "counts", "chosen", "positive"),
    [
        (["melanoma", "nevus"], [10, 90], None, "melanoma"),
        (["benign", "malignant"], [90, 10], None, "malignant"),
        (["no", "yes"], [50, 50], None, "yes"),
        (["melanoma", "nevus"], [10, 90], "nevus", "nevus"),
        (["a", "b", "c"], [10, 90, 10], None, None),
    ],
)
def test_of_two_classes_the_rarer_is_looked_for_unless_another_is_chosen(tmp_path, classes, counts, chosen, positive):
    run = RunFolder.create(tmp_path / "run", Recipe(), data={"counts": {"train": counts}}, positive=chosen)
    run.write("preprocessing.json", {"classes": classes})
    assert run.positive == positive
