from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from opsin.errors import DataError, OpsinError, RecipeError, RunError
from opsin.runs.folder import RunFolder
from opsin.runs.study import StudyFolder
from opsin.studies.bundled import STUDIES
from opsin.studies.runner import _jobs, run_study
from opsin.studies.study import Study

STUDY = """
name = "widths"
question = "How wide must a layer be?"
seeds = [0, 1]
base = "narrow"

[recipe]
data.source = "digits.npz"
network = { name = "mlp", options = { widths = [2] } }
training = { epochs = 4, batch_size = 32, device = "cpu", precision = "32-true" }
published = { accuracy = 0.5 }

[variants.wide]
asks = "Do more units help?"
network.options.widths = [64]

[variants.broken]
asks = "What becomes of a variant that fails?"
network.options.width = [64]
"""


@pytest.fixture(scope="module")
def place(few_digits, tmp_path_factory):
    place = tmp_path_factory.mktemp("study")
    np.savez(place / "digits.npz", images=few_digits.images.array, labels=few_digits.targets.values)
    (place / "study.toml").write_text(STUDY, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def made(place):
    return run_study(place / "study.toml", out=place / "all", jobs=2, quiet=True)


def test_every_variant_runs_with_every_seed_and_a_failure_costs_only_itself(made):
    states = {(row["variant"], row["seed"]): row["state"] for row in made.info["runs"]}
    done = {("narrow", 0), ("narrow", 1), ("wide", 0), ("wide", 1)}
    assert {key for key, state in states.items() if state == "finished"} == done
    assert {key for key, state in states.items() if state == "failed"} == {("broken", 0), ("broken", 1)}
    assert all("no option 'width'" in row["why"] for row in made.info["runs"] if row["state"] == "failed")
    assert [row["name"] for row in made.info["rows"]] == ["narrow", "wide"]


def test_rows_hold_what_the_runs_say(made):
    for row in made.info["rows"]:
        runs = [RunFolder(made.path / name) for name in row["runs"]]
        values = []
        for run, seed in zip(runs, row["seeds"], strict=True):
            assert run.recipe.seed == seed
            assert run.info["machine"]["threads"] == row["threads"]
            predicted = run.predicted("test")
            labels, predictions = predicted.targets.values, predicted.predictions
            values.append(accuracy_score(labels, predictions.labels))
        assert row["values"] == pytest.approx(values)
        assert row["mean"] == pytest.approx(np.mean(values))
        assert row["deviation"] == pytest.approx(np.std(values, ddof=1))
        assert row["interval"][0] <= row["mean"] <= row["interval"][1]
        assert row["parameters"] == runs[0].info["network"]["parameters"]
        assert row["epochs"] == 4


def test_a_clear_difference_is_told_and_the_best_is_chosen_on_validation(made):
    narrow, wide = made.info["rows"]
    assert narrow["difference"] is None
    assert wide["difference"]["parent"] == "narrow"
    assert wide["difference"]["value"] == pytest.approx(wide["mean"] - narrow["mean"])
    assert wide["difference"]["outcome"] == "better"
    assert made.info["best"] == max(made.info["rows"], key=lambda row: row["validation"])["name"] == "wide"
    assert "Better than its parent: wide." in made.info["sentence"]


def test_the_page_shows_all_of_it_and_asks_no_one(made):
    page = made.page.read_text(encoding="utf-8")
    for text in ("How wide must a layer be?", "Do more units help?", "0.5000", "no option", "wide", "report.html"):
        assert text in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert page.count("<svg") > 4


def test_images_that_were_copied_are_the_same_and_changed_ones_are_not(few_digits, tmp_path):
    images = few_digits.images.array.copy()
    np.savez(tmp_path / "digits.npz", images=images, labels=few_digits.targets.values)
    recipe = {"data": {"source": "digits.npz"}, "network": {"name": "mlp"}}
    recipe |= {"training": {"epochs": 1, "batch_size": 32, "device": "cpu", "precision": "32-true"}}
    study = Study.from_dict({"recipe": recipe}, folder=tmp_path)
    first = run_study(study, out=tmp_path / "out", jobs=1, quiet=True)
    (weights,) = first.path.glob("*/best.safetensors")
    before = weights.stat().st_mtime_ns
    os.utime(tmp_path / "digits.npz", (0, 0))
    again = run_study(study, out=tmp_path / "out", jobs=1, quiet=True)
    assert again.info["runs"][0]["state"] == "finished"
    assert weights.stat().st_mtime_ns == before
    images[0, 0, 0] += 1
    np.savez(tmp_path / "digits.npz", images=images, labels=few_digits.targets.values)
    with pytest.raises(OpsinError, match="have changed since the run started"):
        run_study(study, out=tmp_path / "out", jobs=1, quiet=True)


def test_the_same_command_passes_over_what_is_finished(made, place):
    before = {path: path.stat().st_mtime_ns for path in made.path.glob("*/checkpoint.safetensors")}
    again = run_study(place / "study.toml", out=made.path, only=["narrow", "wide"], quiet=True)
    assert len(before) == 4
    assert {path: path.stat().st_mtime_ns for path in made.path.glob("*/checkpoint.safetensors")} == before
    assert again.info["state"] == "finished"
    assert not any(made.path.glob("logs/*"))


def test_a_study_that_is_stopped_goes_on_to_the_same_weights(made, place):
    """Killed by a signal in the middle of training, in workers of its own; then finished."""
    out = place / "stopped"
    command = [sys.executable, "-c", "import sys; from opsin.cli import main; main()", "study", "run"]
    command += [str(place / "study.toml"), "--only", "wide", "--jobs", "2", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 60
    while not list(out.glob("wide-*/history.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    states = {row["state"] for row in StudyFolder(out).info["runs"]}
    if states != {"finished"}:  # else it was faster than the signal
        assert process.returncode == 130
        assert "The same command resumes the study." in said
        assert len(said.strip().splitlines()[-1]) < 400
    finished = run_study(place / "study.toml", out=out, only=["wide"], jobs=2, quiet=True)
    assert [row["why"] for row in finished.info["runs"]] == ["", ""]
    for row in finished.info["runs"]:
        weights = (out / row["run"] / "best.safetensors").read_bytes()
        assert weights == (made.path / row["run"] / "best.safetensors").read_bytes()


def test_a_run_that_was_killed_while_its_folder_was_made_is_begun_again(made, place):
    out = place / "unmade"
    with pytest.raises(RunError, match="time budget ended"):
        run_study(place / "study.toml", out=out, only=["wide"], budget=0, quiet=True)
    for row in made.info["rows"][1]["runs"]:
        (out / row).mkdir()
        (out / row / "recipe.toml").write_text("", encoding="utf-8")
    finished = run_study(place / "study.toml", out=out, only=["wide"], quiet=True)
    assert [row["state"] for row in finished.info["runs"]] == ["finished", "finished"]


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_workers_end_with_the_study_that_is_killed(place):
    out = place / "killed"
    study = (place / "study.toml").read_text(encoding="utf-8").replace("epochs = 4", "epochs = 4000")
    (place / "long.toml").write_text(study, encoding="utf-8")
    command = [sys.executable, "-c", "import sys; from opsin.cli import main; main()", "study", "run"]
    command += [str(place / "long.toml"), "--only", "wide", "--seeds", "1", "--jobs", "1", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("wide-*/history.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    run = RunFolder(next(out.glob("wide-*")))
    while run.info["state"] == "training" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert run.info["state"] == "interrupted"
    assert (run.path / "checkpoint.safetensors").exists()


def test_no_time_and_no_variant_that_works_are_told(place):
    with pytest.raises(RunError, match="time budget ended"):
        run_study(place / "study.toml", out=place / "late", budget=0, quiet=True)
    with pytest.raises(OpsinError, match=r"No run of widths could be finished. broken: mlp has no option 'width'"):
        run_study(place / "study.toml", out=place / "broken", only=["broken"], seeds=1, quiet=True)


def test_images_that_are_not_there_are_told_once_and_nothing_is_begun(place, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"^blood_cells does not exist.* --data PATH, instead of blood_cells\.$"):
        run_study("blood-cells", out=out, quiet=True)
    with pytest.raises(DataError, match=r"^No data"):
        run_study(Study.from_dict({"variants": {"wide": {"training": {"epochs": 2}}}}), out=out, quiet=True)
    assert not out.exists()
    study = Study.read(place / "study.toml").set(["training.epochs=1"]).select(["wide"])
    lost = replace(study.variants["wide"], recipe=study.variants["wide"].recipe.merge({"data": {"source": "gone"}}))
    folder = run_study(replace(study, variants=study.variants | {"lost": lost}), out=out, seeds=1, quiet=True)
    assert {row["variant"]: row["state"] for row in folder.info["runs"]} == {"wide": "finished", "lost": "failed"}


def test_a_folder_of_something_else_is_refused(place, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="not empty"):
        run_study(place / "study.toml", out=tmp_path, quiet=True)
    (tmp_path / "study.json").write_text(json.dumps({"format": 0, "opsin": "0.0.1"}), encoding="utf-8")
    with pytest.raises(RunError, match=r"format 0, written by Opsin 0\.0\.1"):
        StudyFolder(tmp_path)


def test_variants_that_need_others_wait_for_them(place):
    """One begins from the weights of another; one is the mean of both; one needs a variant that fails."""
    table = {
        "recipe": {"data": {"source": "digits.npz"}, "network": {"name": "mlp"}},
        "variants": {
            "both": {"ensemble": ["base", "further"], "inherits": "further"},
            "further": {"starts_from": "base", "training": {"epochs": 2}},
            "hopeless": {"starts_from": "wrong", "training": {"epochs": 4}},
            "wrong": {"network": {"options": {"wide": 3}}},
        },
    }
    table["recipe"] |= {"training": {"epochs": 3, "device": "cpu", "precision": "32-true"}}
    folder = run_study(Study.from_dict(table, folder=place), out=place / "needs", jobs=2, quiet=True)
    rows = {row["variant"]: row for row in folder.info["runs"]}
    states = {name: row["state"] for name, row in rows.items()}
    wanted = {"base": "finished", "further": "finished", "both": "finished", "wrong": "failed", "hopeless": "skipped"}
    assert states == wanted
    assert "needs the run of wrong" in rows["hopeless"]["why"]
    base, further, both = (RunFolder(folder.path / rows[name]["run"]) for name in ("base", "further", "both"))
    assert further.recipe.network.weights == str(base.path.resolve())
    assert further.history[0]["train"]["loss"] < base.history[0]["train"]["loss"] / 2
    means = [run.predicted("test").predictions.probabilities for run in (base, further, both)]
    assert [row["parent"] for row in folder.info["rows"] if row["name"] == "both"] == ["further"]
    assert np.abs(means[2] - (means[0] + means[1]) / 2).max() < 0.05  # but for the temperatures
    again = run_study(Study.from_dict(table, folder=place), out=place / "needs", only=["both"], quiet=True)
    assert {row["state"] for row in again.info["runs"]} == {"finished"}


def test_a_variant_with_other_classes_lends_its_weights_but_is_not_compared(few_digits, tmp_path):
    np.savez(
        tmp_path / "digits.npz",
        images=few_digits.images.array,
        labels=few_digits.targets.values,
        odd=few_digits.targets.values % 2,
    )
    recipe = {"data": {"source": "digits.npz"}, "network": {"name": "mlp"}}
    recipe |= {"training": {"epochs": 2, "batch_size": 32, "device": "cpu", "precision": "32-true"}}
    variants = {"parity": {"asks": "Is it odd?", "data": {"label": "odd"}}, "further": {"starts_from": "parity"}}
    variants["wide"] = {"network": {"options": {"widths": [200]}}}
    study = Study.from_dict({"recipe": recipe, "variants": variants}, folder=tmp_path)
    folder = run_study(study, out=tmp_path / "out", jobs=1, quiet=True)
    assert {row["state"] for row in folder.info["runs"]} == {"finished"}
    rows = {row["name"]: row for row in folder.info["rows"]}
    assert max(rows, key=lambda name: rows[name]["validation"]) == "parity"  # guessing one of two is easier
    assert folder.info["best"] != "parity"
    assert [name for name, row in rows.items() if row["difference"]] == ["further", "wide"]
    assert "parity has 2 classes and base 10" in folder.info["notes"][0]
    parity, further = (RunFolder(folder.path / rows[name]["runs"][0]) for name in ("parity", "further"))
    assert set(further.digests("train")) == set(parity.digests("train"))
    page = folder.page.read_text(encoding="utf-8")
    assert "parity has 2 classes" in page and page.count("Not comparable: it has different classes.") == 1


def test_a_variant_of_another_task_has_its_own_report_alone(few_digits, tmp_path):
    np.savez(tmp_path / "digits.npz", images=few_digits.images.array, labels=few_digits.targets.values)
    recipe = {"data": {"source": "digits.npz"}, "network": {"name": "mlp"}}
    recipe |= {"training": {"epochs": 1, "batch_size": 32, "device": "cpu", "precision": "32-true"}}
    variants = {"number": {"task": "regression"}, "wide": {"network": {"options": {"widths": [200]}}}}
    study = Study.from_dict({"recipe": recipe, "variants": variants}, folder=tmp_path)
    folder = run_study(study, out=tmp_path / "out", jobs=1, quiet=True)
    assert {row["variant"]: row["state"] for row in folder.info["runs"]} == dict.fromkeys(study.variants, "finished")
    assert [row["name"] for row in folder.info["rows"]] == ["base", "wide"]
    assert folder.info["notes"][0].startswith("number does regression and the first variant classification")
    assert "number does regression" in folder.page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STUDIES)
def test_no_run_of_a_bundled_study_begins_twice(name, tmp_path):
    """From the weights of another variant, or from ImageNet's, which its parent may have asked for."""
    folder = SimpleNamespace(place=lambda *parts: tmp_path / "-".join(map(str, parts)))
    study = Study.read(name)
    jobs = _jobs(study, folder)
    begun = [job for job in jobs if job.recipe.network.weights]
    assert {job.variant for job in begun} == {each.name for each in study.variants.values() if each.starts_from}
    assert not any(job.recipe.network.pretrained for job in begun)


def test_a_study_of_numbers_is_decided_by_its_own_score(tmp_path):
    generator = np.random.default_rng(0)
    values = generator.random(120)
    images = (generator.random((120, 8, 8)) * 60 + values[:, None, None] * 190).astype(np.uint8)
    np.savez(tmp_path / "brightness.npz", images=images, labels=values)
    recipe = {"data": {"source": "brightness.npz"}, "network": {"name": "mlp"}}
    recipe |= {"training": {"epochs": 1, "device": "cpu", "batch_size": 16}}
    table = {"recipe": recipe, "variants": {"longer": {"training": {"epochs": 8}}}}
    folder = run_study(Study.from_dict(table, folder=tmp_path), out=tmp_path / "out", quiet=True)
    assert folder.info["score"] == "mae"
    base, longer = folder.info["rows"]
    assert longer["mean"] < base["mean"]
    assert folder.info["best"] == "longer"
    assert "MAE on test" in folder.page.read_text(encoding="utf-8")


def test_a_study_in_python(place):
    study = Study.from_dict({"recipe": {"data": {"source": "digits"}}, "variants": {"a": {"training": {"epochs": 1}}}})
    assert study.variants["a"].changes == {"training.epochs": 1}


def test_folds_test_every_image_once_and_are_one_run_of_their_seed(place):
    study = place / "study.toml"
    settings = ["split.folds=3", "training.epochs=2"]
    folder = run_study(study, out=place / "folds", only=["narrow", "wide"], seeds=2, settings=settings, quiet=True)
    assert [(row["seed"], row["fold"]) for row in folder.info["runs"] if row["variant"] == "wide"] == [
        (seed, fold) for seed in (0, 1) for fold in (0, 1, 2)
    ]
    wide = folder.info["rows"][1]
    assert wide["name"] == "wide" and len(wide["runs"]) == 6 and wide["seeds"] == [0, 1]
    with np.load(place / "digits.npz") as digits:
        images = len(digits["labels"])
    for seed, value in enumerate(wide["values"]):
        runs = [RunFolder(folder.path / name) for name in wide["runs"][3 * seed : 3 * seed + 3]]
        assert [run.recipe.split.fold for run in runs] == [0, 1, 2]
        tested = [run.predicted("test") for run in runs]
        assert len({name for each in tested for name in each.names}) == images
        right = [(each.targets.values == each.predictions.labels).sum() for each in tested]
        assert value == pytest.approx(sum(right) / images)
    assert folder.info["tested"] == images
    assert wide["difference"]["outcome"] == "better"
    assert wide["interval"][0] < wide["mean"] < wide["interval"][1]
    page = folder.page.read_text(encoding="utf-8")
    for text in (
        "each predicted by the network that was not trained on it",
        "3 folds",
        "mean over folds and seeds",
    ):
        assert text in page


def test_a_study_on_some_folds_only_is_refused(place):
    study = Study.read(place / "study.toml")
    with pytest.raises(RecipeError, match=r"remove split\.fold"):
        study.set(["split.folds=3", "split.fold=1"])
    table = {"recipe": {"split": {"folds": 3}}, "variants": {"other": {"split": {"folds": 4}}}}
    with pytest.raises(RecipeError, match=r"the same split\.folds"):
        Study.from_dict(table)
