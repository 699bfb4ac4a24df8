"""The verbs on a real run: a network trained for one epoch on 90 small images."""

import csv
import io
import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from typer.testing import CliRunner

import opsin
from opsin.cli import app

FAST = ("--network", "mlp", "--epochs", "1")


def make_images(folder: Path) -> Path:
    """Write 90 digits, 8x8, into the class folders 0, 1 and 2."""
    digits = load_digits()
    for number in np.flatnonzero(digits.target < 3)[:90]:
        path = folder / str(digits.target[number]) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[number] * 15.9).astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the images ``small`` and the run ``runs/small``."""
    folder = tmp_path_factory.mktemp("commands")
    make_images(folder / "small")
    arguments = ["train", str(folder / "small"), *FAST, "--out", str(folder / "runs" / "small")]
    arguments += ["--no-inspect", "--quiet"]
    result = CliRunner().invoke(app, arguments, prog_name="opsin", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(folder / "runs" / "small" / "report.html")
    return folder


@pytest.fixture(autouse=True)
def _here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def test_a_run_has_its_report_and_its_scores(place: Path) -> None:
    run = opsin.load_run("runs/small")
    assert run.report.exists()
    assert run.folder.info["state"] == "finished"
    assert set(run.scorecard) == {"validation", "test"}


def test_runs_lists_the_run_with_its_accuracy(opsin_command: Callable) -> None:
    text = opsin_command("runs").out
    accuracy = opsin.load_run("runs/small").scorecard["test"]["accuracy"]
    assert "small" in text and "mlp" in text and "finished" in text and "1/1" in text
    assert f"{accuracy['value']:.3f} ({accuracy['low']:.3f}–{accuracy['high']:.3f})" in text


def test_runs_in_an_empty_folder_says_how_to_begin(opsin_command: Callable, tmp_path: Path) -> None:
    result = opsin_command("runs", tmp_path)
    assert result.code == 0
    assert "opsin train digits" in result.out


def test_evaluate_prints_the_scores_that_the_run_keeps(opsin_command: Callable) -> None:
    result = opsin_command("evaluate", "runs/small", "--split", "validation")
    assert result.code == 0
    scores = opsin.load_run("runs/small").scorecard["validation"]
    assert f"{scores['accuracy']['value']:.3f} (" in result.out
    assert f"{scores['recall/1']['value']:.3f} (" in result.out
    assert "Wilson" in result.out and "balanced accuracy" in result.out


def test_evaluate_scores_other_data(opsin_command: Callable) -> None:
    result = opsin_command("evaluate", "runs/small", "small")
    assert result.code == 0
    assert " 90 " in result.out


def test_predict_writes_a_row_per_image(opsin_command: Callable) -> None:
    result = opsin_command("predict", "runs/small", "small", "--out", "predictions.csv")
    assert result.code == 0
    assert "90 images: " in result.out and "and 80 more" in result.out
    with Path("predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 90
    expected = opsin.load_run("runs/small").predict([rows[0]["image"]])[0]
    assert rows[0]["predicted"] == expected.label
    assert float(rows[0]["p(1)"]) == pytest.approx(expected.probabilities["1"], abs=1e-6)


def test_predict_as_json_is_json_and_nothing_else(opsin_command: Callable) -> None:
    image = next(Path("small", "1").iterdir())
    (entry,) = json.loads(opsin_command("predict", "runs/small", image, "--json").out)
    assert entry["image"] == str(image)
    assert entry["confidence"] == max(entry["probabilities"].values()) == entry["probabilities"][entry["class"]]


def test_predict_warns_of_images_unlike_the_training_images(opsin_command: Callable, tmp_path: Path) -> None:
    for number, pixels in enumerate((np.full((8, 8), 255), np.indices((8, 8)).sum(axis=0) % 2 * 255)):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.png")
    result = opsin_command("predict", "runs/small", tmp_path, "small/0")
    assert "images are unlike the training images; do not trust" in result.out
    entries = json.loads(opsin_command("predict", "runs/small", tmp_path, "small/0", "--abstain", "--json").out)
    for entry in entries:
        assert (entry["warning"] is not None) == (entry["unlike"] > 1) == (entry["class"] is None)
    assert all(entry["unlike"] > 1 for entry in entries[:2])
    assert sum(entry["unlike"] > 1 for entry in entries[2:]) <= 5


def test_predict_leaves_open_what_it_is_not_sure_of(opsin_command: Callable) -> None:
    result = opsin_command("predict", "runs/small", "small", "--abstain-below", "1", "--out", "open.csv")
    assert result.code == 0 and "90 of 90 images" in result.out
    with Path("open.csv").open(newline="", encoding="utf-8") as file:
        assert all(row["predicted"] == "" and "not sure enough" in row["warning"] for row in csv.DictReader(file))
    result = opsin_command("predict", "runs/small", "small", "--target-accuracy", "0.9")
    assert result.code == 0 and ("On validation, " in result.out or "No confidence limit reaches" in result.out)
    result = opsin_command("predict", "runs/small", "small", "--target-accuracy", "0.9", "--abstain-below", "0.8")
    assert result.code == 2 and "either --target-accuracy or --abstain-below" in result.err
    result = opsin_command("predict", "runs/small", "small", "--format", "kaggle", "--abstain", "--out", "x.csv")
    assert result.code == 2 and "abstain or pool" in result.err


def test_predict_pools_the_images_of_a_group(opsin_command: Callable) -> None:
    result = opsin_command("predict", "runs/small", "small", "--pool-by", "folder:-1", "--out", "pooled.csv")
    assert result.code == 0 and "3 groups: " in result.out
    with Path("pooled.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["group"] for row in rows] == ["0", "1", "2"]
    single = opsin.load_run("runs/small").predict(sorted(Path("small", "2").iterdir()))
    assert int(rows[2]["images"]) == len(single)
    mean = np.mean([prediction.probabilities["2"] for prediction in single])
    assert float(rows[2]["p(2)"]) == pytest.approx(mean, abs=1e-5)


def test_predict_names_what_cannot_be_read(opsin_command: Callable, tmp_path: Path) -> None:
    images = make_images(tmp_path / "mixed")
    (images / "0" / "hollow.png").touch()
    (images / "1" / "text.png").write_text("no image", encoding="utf-8")
    result = opsin_command("predict", "runs/small", images)
    assert result.code == 2
    assert "hollow.png is empty (0 bytes)" in result.err and "text.png is not a" in result.err
    result = opsin_command("predict", "runs/small", images, "--skip-unreadable")
    assert result.code == 0
    assert "90 images: " in result.out and "left out: " in result.err and "hollow.png is empty" in result.err


def test_recipe_show_prints_toml_that_trains_the_same(opsin_command: Callable) -> None:
    result = opsin_command("recipe", "show", "runs/small")
    assert tomllib.loads(result.out) == opsin.load_run("runs/small").recipe.to_dict()
    fresh = tomllib.loads(opsin_command("recipe", "show", "small", *FAST).out)
    assert fresh["training"] == opsin.load_run("runs/small").recipe.to_dict()["training"]
    changed = opsin_command("recipe", "show", "small", *FAST, "--set", "training.batch_size=8").out
    assert tomllib.load(io.BytesIO(changed.encode()))["training"]["batch_size"] == 8


def test_recipe_keys_lists_every_key(opsin_command: Callable) -> None:
    text = opsin_command("recipe", "keys").out
    assert "training.label_smoothing" in text and "--label-smoothing" in text and "decided by rule" in text


def test_report_is_written_anew_and_without_names(opsin_command: Callable) -> None:
    report = Path("runs/small/report.html")
    report.unlink()
    name = Path("runs/small/split.csv").read_text(encoding="utf-8").splitlines()[1].partition(",")[0]
    assert (Path("small") / name).exists()
    assert opsin_command("report", "runs/small", "--anonymous").code == 0
    assert name not in report.read_text(encoding="utf-8")
    verdict = Path("runs/small/verdict.json").read_text(encoding="utf-8")
    Path("runs/small/verdict.json").write_text("[]", encoding="utf-8")  # as an older version could have judged
    assert opsin_command("report", "runs/small").out.strip() == f"report {report}"
    assert Path("runs/small/verdict.json").read_text(encoding="utf-8") == verdict


def test_report_remembers_what_thresholds_are_for(opsin_command: Callable, tmp_path: Path) -> None:
    names = opsin.load_run("runs/small").folder.predicted("test").names
    classes = opsin.load_run("runs/small").folder.classes
    readers = tmp_path / "readers.csv"
    readers.write_text(f"reader,image,call\nAda,{names[0]},{classes[0]}\n", encoding="utf-8")
    result = opsin_command("report", "runs/small", "--sensitivity", "0.8", "--reader-study", str(readers))
    assert result.code == 0
    page = Path("runs/small/report.html").read_text(encoding="utf-8")
    assert "Sensitivity at least 80" in page and "Ada" in page
    assert opsin.load_run("runs/small").folder.info["aims"]["sensitivity"] == 0.8
    readers.write_text("reader,image,call\nAda,nowhere.png,cat\n", encoding="utf-8")
    result = opsin_command("report", "runs/small", "--reader-study", str(readers))
    assert result.code == 2 and "line 2" in result.err and result.err.count("\n") == 1


def test_data_list_shows_where_data_are(opsin_command: Callable) -> None:
    text = opsin_command("datasets").out
    for name in ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100"):
        assert name in text
    assert "CC BY 4.0" in text


def test_data_show_counts_each_class(opsin_command: Callable) -> None:
    text = opsin_command("datasets", "show", "small").out
    assert "small: 90 images, 3 classes, 8×8, grey" in text
    for name in "012":
        assert [name, str(len(list(Path("small", name).iterdir())))] in [line.split() for line in text.splitlines()]


def test_find_learning_rate_draws_the_curve(opsin_command: Callable) -> None:
    result = opsin_command("find-learning-rate", "small", "--network", "mlp", "--out", "rates.svg")
    assert result.code == 0
    assert "--learning-rate" in result.out
    assert Path("rates.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_networks_are_found_by_a_part_of_their_name(opsin_command: Callable) -> None:
    text = opsin_command("networks", "lite0").out
    assert "tf_efficientnet_lite0" in text and "small_resnet" not in text
    assert "small_resnet" in opsin_command("networks", "resnet").out
    assert opsin_command("networks", "nonesuch").code == 2


def test_resuming_a_finished_run_changes_nothing(opsin_command: Callable) -> None:
    before = Path("runs/small/best.safetensors").read_bytes()
    result = opsin_command("train", "--resume", "runs/small")
    assert result.code == 0
    assert "finished" in result.out
    assert Path("runs/small/best.safetensors").read_bytes() == before
