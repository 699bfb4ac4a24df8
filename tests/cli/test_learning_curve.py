from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

FAST = ("--network", "mlp", "--epochs", "1", "--device", "cpu", "--repeats", "1", "--sizes", "0.3,0.6,1")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    digits = load_digits()
    np.savez("small.npz", images=(digits.images[:150] * 15.9).astype(np.uint8), labels=digits.target[:150] % 3)
    return tmp_path / "small.npz"


def test_curve_prints_a_row_per_size_and_what_more_would_bring(data: Path, opsin_command: Callable) -> None:
    first = opsin_command("learning-curve", data, *FAST)
    assert first.code == 0, first.err
    assert "training images" in first.out and " 105 " in first.out
    info = json.loads(opsin_command("learning-curve", data, *FAST, "--json").out)
    assert info["sentence"] in " ".join(first.out.split())
    quiet = opsin_command("learning-curve", data, *FAST, "--quiet")
    assert Path(quiet.out.strip()).name == "learning-curve.html"


def test_wrong_sizes_are_answered_in_a_sentence(data: Path, opsin_command: Callable) -> None:
    wrong = opsin_command("learning-curve", data, "--sizes", "a,b")
    assert wrong.code == 2 and "--sizes a,b: write numbers" in wrong.err
    (data.parent / "run").mkdir()
    (data.parent / "run" / "run.json").write_text("{}")
    wrong = opsin_command("learning-curve", "run", "--set", "training.epochs=3")
    assert wrong.code == 2 and "keeps its own recipe" in wrong.err
