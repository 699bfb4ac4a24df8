from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    digits = load_digits()
    images = (digits.images[:90] * 15.9).astype(np.uint8)
    np.savez("small.npz", images=images, labels=digits.target[:90] % 3, group=np.arange(90) // 6)
    return tmp_path / "small.npz"


FAST = ("--network", "mlp", "--epochs", "1", "--device", "cpu")


def test_crossval_prints_a_row_per_fold_and_goes_on_where_it_was(data: Path, opsin_command: Callable) -> None:
    first = opsin_command("cross-validate", data, "--folds", "2", *FAST)
    assert first.code == 0, first.err
    info = json.loads(opsin_command("cross-validate", data, "--folds", "2", *FAST, "--json").out)
    assert info["state"] == "finished" and len(info["runs"]) == 2
    entry = info["scores"]["accuracy"]
    assert f"{entry['value']:.3f} ({entry['low']:.3f}–{entry['high']:.3f})" in first.out
    assert "fold-0" in first.out and "fold-1" in first.out and " 90 " in first.out and " 15 " in first.out
    quiet = opsin_command("cross-validate", data, "--folds", "2", *FAST, "--quiet")
    assert Path(quiet.out.strip()).name == "cross-validation.html"


def test_crossval_takes_a_run_and_flags_beside_it(data: Path, opsin_command: Callable) -> None:
    assert opsin_command("train", data, *FAST, "--out", "run", "--no-inspect", "--quiet").code == 0
    result = opsin_command("cross-validate", "run", "--folds", "2", "--epochs", "2", "--json")
    info = json.loads(result.out)
    assert info["recipe"]["training"]["epochs"] == 2 and info["recipe"]["network"]["name"] == "mlp"
    wrong = opsin_command("cross-validate", "run", "--set", "training.epochs=3")
    assert wrong.code == 2 and "its own recipe" in wrong.err


def test_the_leak_check_cross_validates_only_where_the_split_leaks(data: Path, opsin_command: Callable) -> None:
    with np.load(data) as arrays:
        contents = dict(arrays)
    np.savez("leaky.npz", **contents | {"split": np.where(np.arange(90) % 2, "test", "train")})
    options = ("--no-inspect", "--quiet", "--leak-check")
    assert opsin_command("train", data, *FAST, "--out", "runs/tight", *options).code == 0
    assert [path.name for path in Path("runs").iterdir()] == ["tight"]
    assert opsin_command("train", "leaky.npz", *FAST, "--out", "runs/leaky", *options).code == 0
    assert json.loads(Path("runs/leaky/leak.json").read_text(encoding="utf-8"))["cross_validation"]["path"].startswith(
        "leaky-cross"
    )
