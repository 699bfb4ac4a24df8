from __future__ import annotations

import numpy as np
import pytest
import torch

import opsin
from opsin.data.corruptions import corrupt
from opsin.errors import DataError, RunError
from opsin.inspection.domain_shift import ANSWERS_FILE


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    settings = {"network": "mlp", "epochs": 10, "device": "cpu", "quiet": True}
    run = opsin.train("digits", out=folder, inspect=False, **settings)
    opsin.inspect(run, only=["robustness"], quiet=True)
    return run


@pytest.fixture(scope="module")
def digits(run):
    """Test images, uint8 (N, 8, 8, 1), and their labels: a laboratory knows them no better than anybody does."""
    dataset = opsin.read_dataset("digits")
    names = {name for name in run.folder.predicted("test").names}
    rows = [row for row in range(len(dataset)) if dataset.images.name(row) in names]
    return np.stack([dataset.images.read(row) for row in rows]), dataset.targets.values[rows]


def changed(images, kind, severity):
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    return corrupt(pixels, kind, severity).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize(("kind", "severity"), [("noise", 1), ("noise", 5), ("contrast", 5), ("blur", 5)])
def test_it_comes_near_to_what_is_right(run, digits, kind, severity):
    images, labels = digits
    images = changed(images, kind, severity)
    right = np.mean([answer.label == str(label) for answer, label in zip(run.predict(images), labels, strict=True)])
    told = opsin.estimate_accuracy(run, images)
    assert told.accuracy.expected == pytest.approx(right, abs=0.12)
    assert told.images == len(images) and told.given is False and sum(told.answers.values()) == pytest.approx(1)
    assert told.sentence.startswith(f"Expect about {told.accuracy.expected:.0%} of these {len(images)} answers")


def test_shares_matter(run, digits):
    images, labels = digits
    few = images[np.isin(labels, [1, 7])]
    blind, told = opsin.estimate_accuracy(run, few), opsin.estimate_accuracy(run, few, shares={"1": 1, "7": 1})
    assert blind.accuracy.expected < 0.5 < 0.8 < told.accuracy.expected
    assert told.given and told.shares["1"] == 0.5 and told.shares["2"] == 0
    assert "if the classes are shared as in the run's own images. As the network is about as sure as" in blind.sentence
    assert "can be right" not in told.sentence


def test_what_is_asked_wrongly_is_said(run, digits, tmp_path):
    images, _ = digits
    with pytest.raises(DataError, match="29 images are too few to estimate accuracy from; give 30 or more"):
        opsin.estimate_accuracy(run, images[:29])
    with pytest.raises(DataError, match="There is no class '11'"):
        opsin.estimate_accuracy(run, images, shares={"11": 1})
    with pytest.raises(DataError, match="The share of '1' must be a number from 0 on, not -1"):
        opsin.estimate_accuracy(run, images, shares={"1": -1})
    with pytest.raises(DataError, match="All shares are 0"):
        opsin.estimate_accuracy(run, images, shares={"1": 0})
    (run.path / ANSWERS_FILE).rename(tmp_path / ANSWERS_FILE)
    try:
        with pytest.raises(
            RunError, match="was not inspected, or by an older version: opsin inspect .* --only robustness"
        ):
            opsin.estimate_accuracy(run, images)
        (run.path / ANSWERS_FILE).write_bytes(b"PK nothing")
        with pytest.raises(RunError, match=ANSWERS_FILE):
            opsin.estimate_accuracy(run, images)
    finally:
        (tmp_path / ANSWERS_FILE).replace(run.path / ANSWERS_FILE)
