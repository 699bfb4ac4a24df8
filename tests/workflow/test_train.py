from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

import opsin
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.errors import DataError, RunError, TrainingError
from opsin.runs.folder import RunFolder, list_runs
from opsin.training.fit import Callback
from opsin.workflow import train as workflow
from opsin.workflow.train import resolve_recipe, resume_run

QUICK = {"network": "mlp", "batch_size": 32, "device": "cpu", "quiet": True, "inspect": False}


@pytest.fixture(scope="module")
def photos(tmp_path_factory, digits):
    """Class folders of 40 digits each of 0, 1 and 7, as PNG files."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    for label in (0, 1, 7):
        (folder / f"digit {label}").mkdir(parents=True)
        for number in np.flatnonzero(digits.targets.values == label)[:40]:
            Image.fromarray(digits.images.read(number)[..., 0]).save(folder / f"digit {label}" / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    return opsin.train(photos, out=tmp_path_factory.mktemp("runs") / "run", epochs=25, **QUICK)


def test_a_run_holds_everything_that_its_folder_promises(run):
    files = {path.name for path in run.path.iterdir()}
    assert files >= {
        "recipe.toml", "run.json", "split.csv", "history.jsonl", "timings.jsonl", "checkpoint.safetensors",
        "best.safetensors", "preprocessing.json", "predictions-test.csv", "predictions-validation.csv",
        "thumbnails-test.npz", "scorecard.json", "verdict.json", "looks.jsonl", "report.html",
    }  # fmt: skip
    assert any(name.startswith("events.out.tfevents") for name in files)
    assert run.folder.info["state"] == "finished"
    assert run.folder.info["network"]["parameters"] == 64 * 100 + 100 + 100 * 3 + 3
    assert set(run.folder.info["throughput"]) == {"loader", "model", "training"}


def test_the_network_learns_and_its_scores_have_intervals(run):
    accuracy = run.scorecard["test"]["accuracy"]
    assert accuracy["value"] > 0.9
    assert accuracy["low"] < accuracy["value"] <= accuracy["high"]
    assert accuracy["n"] == 18
    assert f"{accuracy['value'] * 100:.1f}" in run.report.read_text(encoding="utf-8")


def test_no_test_image_was_trained_on_and_test_was_opened_once(run):
    with (run.path / "split.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["image"] for row in rows}) == 120
    tested = {row["image"] for row in rows if row["split"] == "test"}
    assert set(run.folder.predicted("test").names) == tested
    assert [look["why"] for look in run.folder.looks] == ["end of training"]


def test_the_recipe_reproduces_the_run_bit_for_bit(run, tmp_path):
    again = opsin.train(recipe=run.path / "recipe.toml", out=tmp_path / "again", quiet=True)
    for name in ("history.jsonl", "predictions-test.csv", "scorecard.json", "best.safetensors"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()


def test_predict_equals_the_predictions_of_the_run(run, photos):
    predicted = run.folder.predicted("test")
    names, predictions = predicted.names, predicted.predictions
    loaded = opsin.load_run(run.path)
    made = loaded.predict([photos / name for name in names])
    assert [prediction.label for prediction in made] == [run.folder.classes[label] for label in predictions.labels]
    np.testing.assert_allclose(
        [list(prediction.probabilities.values()) for prediction in made], predictions.probabilities, atol=1e-6
    )
    assert made[0].confidence == max(made[0].probabilities.values())
    array = np.array(Image.open(photos / names[0]))
    assert opsin.predict(run, [array])[0].probabilities == pytest.approx(made[0].probabilities, abs=1e-6)


def test_predict_names_the_images_that_cannot_be_read(run, photos, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 images cannot be read: .*text\.jpg is not a JPEG.*empty\.png is empty"):
        run.predict([next(photos.rglob("*.png")), tmp_path / "text.jpg", tmp_path / "empty.png"])
    with pytest.raises(DataError, match=r"2 images cannot be read.*Repair or remove them\.$"):
        run.predictor.predict([tmp_path / "text.jpg", tmp_path / "empty.png"], skip_unreadable=True)
    with pytest.raises(DataError, match="must be uint8"):
        run.predict([np.zeros((8, 8))])


def test_evaluate_scores_any_split_and_logs_each_look_at_test(photos, tmp_path):
    made = opsin.train(photos, out=tmp_path / "run", epochs=2, **QUICK)
    first = made.scorecard["test"]
    assert opsin.evaluate(made, quiet=True) == first
    assert [look["why"] for look in made.folder.looks] == ["end of training", "opsin evaluate"]
    opsin.evaluate(made, split="validation", quiet=True)
    assert len(made.folder.looks) == 2
    with pytest.raises(DataError, match="no split 'tset'"):
        opsin.evaluate(made, split="tset", quiet=True)


def test_evaluate_on_other_data_matches_classes_by_name(run, photos, tmp_path):
    other = tmp_path / "elsewhere"
    for name in ("digit 7", "digit 0"):
        shutil.copytree(photos / name, other / name)
    scores = opsin.evaluate(run, other, quiet=True)
    assert scores["accuracy"]["value"] > 0.9
    assert scores["accuracy"]["n"] == 80
    assert "elsewhere" in run.scorecard
    shutil.copytree(photos / "digit 1", other / "digit 9")
    with pytest.raises(DataError, match="holds the class 'digit 9'"):
        opsin.evaluate(run, other, quiet=True)


def test_evaluate_on_a_table_without_the_groups_of_the_run(digits, tmp_path):
    names, images = [], digits.images
    (tmp_path / "images").mkdir()
    for row in range(60):
        names.append(f"images/{row}.png")
        Image.fromarray(images.read(row)[..., 0]).save(tmp_path / names[-1])
    for file, column in (("home.csv", ",patient"), ("away.csv", "")):
        lines = [
            f"{name},{digits.targets.values[row] % 2}" + (f",{row // 4}" if column else "")
            for row, name in enumerate(names)
        ]
        (tmp_path / file).write_text(f"path,label{column}\n" + "\n".join(lines) + "\n", encoding="utf-8")
    run = opsin.train(tmp_path / "home.csv", group="patient", out=tmp_path / "run", epochs=1, **QUICK)
    assert "groups" in run.scorecard["test"]["accuracy"]["method"]
    away = opsin.evaluate(run, tmp_path / "away.csv", quiet=True)
    assert away["accuracy"]["n"] == 60 and "groups" not in away["accuracy"]["method"]
    with pytest.raises(DataError, match="no column 'label'"):
        (tmp_path / "away.csv").write_text("path,kind\nimages/0.png,1\n", encoding="utf-8")
        opsin.evaluate(run, tmp_path / "away.csv", quiet=True)


def test_changed_data_are_not_scored_as_if_they_were_the_same(photos, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    made = opsin.train(copy, out=tmp_path / "run", epochs=1, **QUICK)
    next(copy.rglob("*.png")).unlink()
    with pytest.raises(RunError, match="have changed since"):
        opsin.evaluate(made, quiet=True)


def test_unreadable_images_stop_training_unless_they_are_left_out(photos, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    (copy / "digit 0" / "broken.png").write_bytes((copy / "digit 0").glob("*.png").__next__().read_bytes()[:40])
    (copy / "digit 1" / "empty.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 images cannot be read: .*broken\.png.*--skip-unreadable"):
        opsin.train(copy, out=tmp_path / "run", epochs=1, **QUICK)
    assert not (tmp_path / "run").exists()
    made = opsin.train(copy, out=tmp_path / "run", epochs=1, skip_unreadable=True, **QUICK)
    assert set(made.folder.info["data"]["left_out"]) == {"digit 0/broken.png", "digit 1/empty.jpg"}
    assert made.folder.info["data"]["images"] == 120
    report = made.report.read_text(encoding="utf-8")
    assert "broken.png" in report
    assert "broken.png" not in opsin.report(made, anonymous=True).read_text(encoding="utf-8")


def test_groups_never_straddle_the_split_of_a_run(digits, tmp_path):
    groups = np.array([f"patient {number // 20}" for number in range(300)])
    images = ArrayImages(digits.images.array[:300])
    dataset = Dataset("patients", digits.classes, images, ClassTargets(digits.targets.values[:300]), groups=groups)
    made = opsin.train(dataset, runs=tmp_path, epochs=1, **QUICK)
    with (made.path / "split.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    splits = {}
    for row in rows:
        splits.setdefault(row["group"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert "cluster bootstrap" in made.scorecard["test"]["accuracy"]["method"]


def splits_of(run):
    with (run.path / "split.csv").open(encoding="utf-8") as file:
        return {row["image"]: (row["split"], row["group"]) for row in csv.DictReader(file)}


def test_groups_from_names_stay_whole_and_another_run_takes_the_same_split(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = opsin.train(photos, out="first", epochs=1, group_by=r"/(\d)", split_seed=3, **QUICK)
    splits = splits_of(first)
    assert all(group == name.rpartition("/")[2][0] for name, (_, group) in splits.items())
    parts = {group: {split for split, of in splits.values() if of == group} for _, group in splits.values()}
    assert all(len(found) == 1 for found in parts.values())
    second = opsin.train(photos, out="second", epochs=1, split_file="first", **QUICK)
    assert {name: split for name, (split, _) in splits_of(second).items()} == {
        name: split for name, (split, _) in splits.items()
    }
    monkeypatch.chdir(photos)  # the split is found again from anywhere
    assert opsin.evaluate(tmp_path / "second", split="validation", quiet=True)
    elsewhere = opsin.evaluate(tmp_path / "first", photos, quiet=True)  # the pattern holds for other data too
    assert elsewhere["accuracy"]["method"].startswith(f"cluster bootstrap, {len(parts)} groups")


def test_diverged_training_keeps_the_last_good_weights(photos, tmp_path):
    class Explode(Callback):
        def on_epoch(self, state, seconds):
            if state.epoch == 2:
                weights = [group for group in made_by["session"].network.parameters()]
                with torch.no_grad():
                    weights[0].fill_(float("nan"))

    made_by = {}
    create = workflow.Session

    def remember(*arguments):
        made_by["session"] = create(*arguments)
        return made_by["session"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opsin.workflow.train.Session", remember)
        with pytest.raises(TrainingError, match="numbers? any more .epoch 3"):
            opsin.train(photos, out=tmp_path / "run", epochs=5, callbacks=[Explode()], **QUICK)
    folder = RunFolder(tmp_path / "run")
    assert folder.info["state"] == "failed"
    assert opsin.load_run(tmp_path / "run").predict([next(photos.rglob("*.png"))])[0].confidence > 0.3


def test_a_folder_that_is_taken_is_refused_before_any_image_is_read(run, photos, tmp_path):
    with pytest.raises(RunError, match="holds another run"):
        opsin.train(photos, out=run.path, epochs=1, **QUICK)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        opsin.train(photos, out=tmp_path, epochs=1, **QUICK)


def test_a_run_that_is_none_is_refused(tmp_path):
    with pytest.raises(RunError, match="There is no run"):
        opsin.load_run(tmp_path / "none")
    with pytest.raises(RunError, match=r"has no run\.json"):
        opsin.load_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        opsin.load_run(tmp_path)


def test_runs_are_listed_newest_first_and_damaged_ones_passed_over(run, tmp_path):
    for number, name in enumerate("abc"):
        shutil.copytree(run.path, tmp_path / name)
        info = json.loads((tmp_path / name / "run.json").read_text())
        (tmp_path / name / "run.json").write_text(json.dumps(info | {"created": f"2026-01-0{number + 1}"}))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    assert [folder.name for folder in list_runs(tmp_path)] == ["c", "b", "a"]


def test_a_run_shows_itself_in_a_notebook(run):
    html = run._repr_html_()
    assert "accuracy" in html.lower()
    assert "<svg" in html or "data:image" in html
    assert repr(run) == f"Run({str(run.path)!r})"


def test_a_recipe_is_resolved_without_training(photos):
    recipe = resolve_recipe(opsin.Recipe.from_dict({"data": {"source": str(photos)}, "network": {"name": "mlp"}}))
    assert recipe.data.image_size == (8, 8)
    assert recipe.training.epochs is not None


def some_digits(digits, start, name="digits"):
    rows = np.arange(start, start + 120)
    return Dataset(
        name, digits.classes, ArrayImages(digits.images.array[rows]), ClassTargets(digits.targets.values[rows])
    )


def test_resuming_takes_no_run_of_other_data(digits, tmp_path):
    first = opsin.train(some_digits(digits, 0), runs=tmp_path, epochs=1, **QUICK)
    same = opsin.train(some_digits(digits, 0), runs=tmp_path, epochs=1, resume=True, **QUICK)
    other = opsin.train(some_digits(digits, 500), runs=tmp_path, epochs=1, resume=True, **QUICK)
    assert same.path == first.path != other.path


def test_a_data_set_object_is_scored_again_when_it_is_given_again(digits, tmp_path):
    dataset = some_digits(digits, 0)
    made = opsin.train(dataset, out=tmp_path / "run", epochs=1, **QUICK)
    assert opsin.evaluate(made, dataset, split="test", quiet=True) == made.scorecard["test"]
    with pytest.raises(DataError, match="needs that object again"):
        opsin.evaluate(made, quiet=True)
    with pytest.raises(RunError, match="have changed since"):
        opsin.evaluate(made, some_digits(digits, 500), split="test", quiet=True)


def test_images_seen_in_training_are_counted_when_other_data_hold_them(digits, tmp_path, capsys):
    made = opsin.train(some_digits(digits, 0), out=tmp_path / "run", epochs=1, **QUICK)
    opsin.evaluate(made, some_digits(digits, 60, "half known"))
    assert "of these 120 images were used in training" in " ".join(capsys.readouterr().out.split())
    assert "images seen in training" in made.folder.looks[-1]["why"]


def test_a_run_killed_before_its_first_step_can_be_resumed(tmp_path):
    class Die(Callback):
        def on_start(self, state):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opsin.train("digits", out=tmp_path / "run", epochs=1, callbacks=[Die()], **QUICK)
    (tmp_path / "run" / "split.csv").unlink()
    run = opsin.train("digits", out=tmp_path / "run", epochs=1, resume=True, callbacks=[], **QUICK)
    assert run.folder.info["state"] == "finished"
    assert (run.path / "split.csv").exists()


def test_the_time_that_a_killed_run_has_trained_is_counted(tmp_path):
    class Die(Callback):
        def on_epoch(self, state, seconds):
            if state.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opsin.train("digits", out=tmp_path / "run", epochs=2, callbacks=[Die()], **QUICK)
    (tmp_path / "run" / "timings.jsonl").write_text('{"epoch": 1, "seconds": 1000.0}\n')
    assert 1000 < resume_run(tmp_path / "run", quiet=True).folder.info["seconds"] < 1100


def test_a_run_that_another_process_trains_is_left_alone(tmp_path):
    made = opsin.train("digits", out=tmp_path / "run", epochs=1, **QUICK)
    parent = psutil.Process().parent()
    made.folder.update(state="training", process={"pid": parent.pid, "started": parent.create_time()})
    with pytest.raises(RunError, match=f"by process {parent.pid}"):
        resume_run(made.path, quiet=True)
    made.folder.update(process={"pid": parent.pid, "started": 0.0})  # that number belongs to another program by now
    assert resume_run(made.path, quiet=True).folder.info["state"] == "finished"


def test_one_image_given_alone_is_one_image(run):
    single = run.predict(np.zeros((8, 8, 3), np.uint8))
    assert len(single) == 1
    assert len(run.predict(np.zeros((5, 8, 8, 1), np.uint8))) == 5
    with pytest.raises(DataError, match="must be uint8"):
        run.predict(np.zeros((0, 8), np.uint8))


def test_predicting_leaves_the_random_numbers_alone(run):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    opsin.load_run(run.path).predict(np.zeros((8, 8), np.uint8))
    assert torch.equal(torch.rand(3), expected)


def test_one_class_is_refused_in_a_data_set_object_too(tmp_path):
    dataset = Dataset("one", ("a",), ArrayImages(np.zeros((20, 8, 8), np.uint8)), ClassTargets(np.zeros(20, np.int64)))
    with pytest.raises(DataError, match="only one class"):
        opsin.train(dataset, runs=tmp_path, **QUICK)


def test_no_data_given_is_one_sentence():
    with pytest.raises(DataError, match="No data given"):
        opsin.train(quiet=True)
