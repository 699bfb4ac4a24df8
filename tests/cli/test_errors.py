"""Bad input: one sentence on standard error, exit code 2, no traceback."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opsin.errors import TrainingInterrupted

FAST = ("--network", "mlp", "--epochs", "1")


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good data (``good``) and all kinds of bad ones."""
    here = tmp_path_factory.mktemp("errors")
    for index, name in enumerate(("cat", "dog")):
        for number in range(20):
            picture(here / "good" / name / f"{number}.png", seed=100 * (index + 1) + number)
            picture(here / "single" / "cat" / f"{number}.png", seed=number)
    shutil.copytree(here / "good", here / "lonely")
    picture(here / "lonely" / "owl" / "only.png")
    shutil.copytree(here / "good", here / "broken")
    whole = (here / "good" / "cat" / "1.png").read_bytes()
    (here / "broken" / "cat" / "1.png").write_bytes(whole[: len(whole) // 2])
    (here / "broken" / "dog" / "2.png").write_text("no image", encoding="utf-8")
    (here / "empty").mkdir()
    (here / "taken").mkdir()
    (here / "taken" / "thesis.txt").write_text("precious", encoding="utf-8")
    (here / "rows.csv").write_text("path,label\ngood/cat/1.png,cat\ngood/cat/none.png,cat\n", encoding="utf-8")
    (here / "hollow.csv").write_text("path,label\ngood/cat/1.png,\n", encoding="utf-8")
    (here / "columns.csv").write_text("path,species\ngood/cat/1.png,cat\n", encoding="utf-8")
    np.savez(here / "shapes.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.zeros(3, np.int64))
    (here / "typo.toml").write_text("[trainning]\nepochs = 3\n", encoding="utf-8")
    (here / "type.toml").write_text('[training]\nepochs = "many"\n', encoding="utf-8")
    (here / "no.toml").write_text("training: epochs: 3\n", encoding="utf-8")
    return here


CASES = {
    "missing folder": (("train", "nowhere"), "nowhere"),
    "mistyped name": (("train", "fashion-mnst"), "'fashion-mnist'"),
    "empty folder": (("train", "empty"), "empty"),
    "one class": (("train", "single"), "class"),
    "a class with one image": (("train", "lonely", *FAST), "'owl'"),
    "unreadable images": (("train", "broken", *FAST), "dog/2.png is not a"),
    "missing file in a CSV": (("train", "rows.csv"), "none.png"),
    "empty label in a CSV": (("train", "hollow.csv"), "line 2"),
    "unknown column in a CSV": (("train", "columns.csv"), "species"),
    "npz of wrong shapes": (("train", "shapes.npz"), "labels"),
    "unknown network": (("train", "good", "--network", "small_resnt"), "'small_resnet'"),
    "unknown option of a network": (("train", "good", "--network", "mlp", "--options", "{depth = 2}"), "'depth'"),
    "no weights of ours": (("train", "good", "--network", "mlp", "--pretrained"), "pretrained"),
    "epochs and minutes": (("train", "good", "--epochs", "1", "--minutes", "1"), "training.minutes"),
    "out of range": (
        ("train", "good", "--dropout", "2"),
        "--dropout: 'network.dropout' must be at least 0 and at most",
    ),
    "wrong choice": (("train", "good", "--schedule", "cosin"), "'cosine'"),
    "wrong table in a recipe": (("train", "good", "--recipe", "typo.toml"), "'training'"),
    "wrong type in a recipe": (("train", "good", "--recipe", "type.toml"), "a whole number, not 'many'"),
    "no TOML": (("train", "good", "--recipe", "no.toml"), "no.toml is not valid TOML"),
    "missing recipe": (("train", "good", "--recipe", "none.toml"), "There is no recipe none.toml"),
    "output folder in use": (("train", "good", *FAST, "--out", "taken"), "taken is not empty"),
    "output folder is a file": (("train", "good", *FAST, "--out", "rows.csv"), "rows.csv is a file"),
    "no data": (("train",), "opsin datasets"),
    "resume what is no run": (("train", "--resume", "good"), "good is not a run"),
    "resume with settings": (("train", "--resume", "good", "--epochs", "9"), "its own recipe"),
    "resume elsewhere": (("train", "--resume", "good", "--out", "other"), "in its own folder"),
    "evaluate no run": (("evaluate", "nowhere"), "There is no run nowhere"),
    "predict with no run": (("predict", "nowhere", "good"), "There is no run nowhere"),
    "report of no run": (("report", "empty"), "empty is not a run"),
    "picture of unknown form": (("find-learning-rate", "good", "--out", "rates.docx"), "rates.docx"),
    "show nothing": (("datasets", "show", "nowhere"), "nowhere"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_sentence(
    case: str, place: Path, opsin_command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    arguments, words = CASES[case]
    result = opsin_command(*arguments)
    assert result.code == 2
    assert words in result.err
    assert result.err.startswith("Error: ") and len(result.err.splitlines()) == 1
    assert "Traceback" not in result.out + result.err
    assert not (place / "runs").exists(), "a run that could not begin leaves no folder"


@pytest.mark.parametrize("arguments", [("train", "good", "--epochs", "ten"), ("train", "--epoch", "3"), ("trian",)])
def test_a_wrong_command_line_says_how_to_get_help(arguments: tuple, opsin_command: Callable) -> None:
    result = opsin_command(*arguments)
    assert result.code == 2
    assert "--help" in result.err and "Traceback" not in result.err


def test_damaged_files_of_a_run(place: Path, tmp_path: Path, opsin_command: Callable) -> None:
    run = tmp_path / "run"
    assert opsin_command("train", place / "good", *FAST, "--out", run, "-q").code == 0
    again = opsin_command("train", place / "good", *FAST, "--out", run)
    assert again.code == 2 and "holds another run" in again.err and "--resume" in again.err
    for name, verb in (("best.safetensors", "predict"), ("run.json", "report"), ("checkpoint.safetensors", "train")):
        damaged = tmp_path / f"damaged {name}"
        shutil.copytree(run, damaged)
        (damaged / name).write_bytes(b"\x00" * 64)
        arguments = {
            "predict": ("predict", damaged, place / "good" / "cat" / "1.png"),
            "report": ("report", damaged),
            "train": ("train", "--resume", damaged),
        }[verb]
        if verb == "train":
            info = damaged / "run.json"
            info.write_text(info.read_text(encoding="utf-8").replace('"finished"', '"interrupted"'), encoding="utf-8")
        result = opsin_command(*arguments)
        assert result.code == 2, name
        assert name in result.err and len(result.err.splitlines()) == 1


def test_an_interrupted_training_ends_with_130(opsin_command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import opsin.workflow.train

    def interrupted(*_: object, **__: object) -> None:
        raise TrainingInterrupted("Stopped in epoch 2; go on with: opsin train --resume runs/[a].")

    monkeypatch.setattr(opsin.workflow.train, "train", interrupted)
    result = opsin_command("train", "digits")
    assert result.code == 130
    assert result.err == "Stopped in epoch 2; go on with: opsin train --resume runs/[a].\n"


def test_ctrl_c_elsewhere_ends_with_130(opsin_command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import opsin.runs.folder

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(opsin.runs.folder, "list_runs", stopped)
    result = opsin_command("runs")
    assert result.code == 130
    assert "Traceback" not in result.err


def test_a_bug_keeps_its_traceback(opsin_command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import opsin.runs.folder

    monkeypatch.setattr(opsin.runs.folder, "list_runs", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        opsin_command("runs")


def test_what_the_user_wrote_is_not_read_as_markup(opsin_command: Callable) -> None:
    result = opsin_command("datasets", "show", "[red]nowhere[/red]")
    assert "[red]nowhere[/red]" in result.err


@pytest.mark.skipif(os.name == "nt", reason="a POSIX pipe")
def test_a_closed_pipe_ends_quietly() -> None:
    command = f"{sys.executable} -m opsin recipe keys | {sys.executable} -c pass"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert result.stderr == ""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_a_real_ctrl_c_leaves_a_run_that_can_be_gone_on_with(tmp_path: Path, opsin_command: Callable) -> None:
    command = [sys.executable, "-m", "opsin", "train", "digits", "--network", "mlp", "--epochs", "400", "--out", "run"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        history = tmp_path / "run" / "timings.jsonl"
        deadline = time.monotonic() + 60
        while not (tmp_path / "run" / "best.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "opsin train --resume run" in err and "Traceback" not in err
    assert history.exists()
    recipe = (tmp_path / "run" / "recipe.toml").read_text(encoding="utf-8")
    assert "epochs = 400" in recipe
