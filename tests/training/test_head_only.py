from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import opsin
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.errors import TrainingInterrupted
from opsin.recipe.recipe import from_settings
from opsin.reporting.run_report.page import training_facts
from opsin.storage.safetensors import read_tensors
from opsin.training import head_only as frozen
from opsin.training.fit import Callback
from opsin.training.prepare import prepare
from opsin.training.session import Session
from opsin.workflow.train import resume_run

SETTINGS = {
    "epochs": 3,
    "batch_size": 32,
    "augment": 0.0,
    "precision": "32-true",
    "trainable_layers": 1,
    "device": "cpu",
    "learning_rate": 0.01,
}
NETWORKS = {
    "course_cnn": {"dropout": 0.3},
    "small_resnet": {"options": {"widths": [4, 8], "blocks": [1, 1]}, "dropout": 0.5, "average": 0.9},
    "fully_convolutional": {"options": {"widths": [4, 8]}, "dropout": 0.2},
    "mobilenetv3_se": {"options": {"widths": [16], "squeeze": 32}, "dropout": 0.2, "epochs": 1},
    "resnet10t": {"dropout": 0.4, "balance": "sampling", "epochs": 1},
}


@pytest.fixture(scope="module")
def some(digits):
    return replace(
        digits, images=ArrayImages(digits.images.array[:200]), targets=ClassTargets(digits.targets.values[:200])
    )


def session(dataset, **settings):
    return Session(prepare(from_settings({**SETTINGS, **settings}), dataset))


@pytest.mark.parametrize("name", NETWORKS)
def test_training_on_features_gives_the_numbers_that_training_on_images_gives(name, some, monkeypatch):
    settings = {"network": name, **NETWORKS[name]}
    quick = session(some, **settings)
    assert quick.features is not None and "computed once, for 170 images" in quick.feature_extraction
    monkeypatch.setattr("opsin.training.session.extract_features", lambda *arguments: (None, ""))
    plain = session(some, **settings)
    assert plain.features is None
    quick.fit()
    plain.fit()
    ours, theirs = quick.network.state_dict(), plain.network.state_dict()
    for key, value in ours.items():
        torch.testing.assert_close(value, theirs[key], rtol=1e-3, atol=1e-5, msg=key)
    for one, other in zip(quick.state.history, plain.state.history, strict=True):
        assert one["train"]["loss"] == pytest.approx(other["train"]["loss"], rel=1e-4)
        assert one["validation"]["loss"] == pytest.approx(other["validation"]["loss"], rel=1e-4)


def test_images_are_needed_where_features_would_not_do(some, monkeypatch):
    augmented = session(some, network="course_cnn", augment=1.0)
    assert augmented.features is None and "With --augment 0" in augmented.feature_extraction
    mixed = session(some, network="course_cnn", mixup=0.2)
    assert mixed.features is None and "augmentation is on" in mixed.feature_extraction
    assert session(some, network="course_cnn", trainable_layers=2).feature_extraction == ""
    two = session(some, network="levit_128s", image_size=(32, 32), epochs=1)
    assert two.features is None and "two heads" in two.feature_extraction
    small = session(some, network="course_cnn", memory_gb=1e-6)
    assert small.features is None and "more memory than there is" in small.feature_extraction
    monkeypatch.setattr(frozen.HeadAlone, "forward", lambda self, features: self.module.head(features) + 1)
    wrong = session(some, network="course_cnn")
    assert wrong.features is None and "more with it than its head" in wrong.feature_extraction


class Stop(Callback):
    def __init__(self, steps):
        self.left = steps

    def on_step(self, state):
        self.left -= 1
        state.stop = self.left == 0


def test_a_run_on_features_is_resumed_to_the_same_bits_and_predicts_images(some, tmp_path, capsys):
    settings = SETTINGS | {"network": "course_cnn", "average": 0.9, "dropout": 0.2, "inspect": False}
    whole = opsin.train(some, out=tmp_path / "whole", **settings)
    assert "was computed once" in capsys.readouterr().out.replace("\n", " ")
    with pytest.raises(TrainingInterrupted):
        opsin.train(some, out=tmp_path / "stopped", callbacks=[Stop(6)], quiet=True, **settings)
    again = resume_run(tmp_path / "stopped", dataset=some, quiet=True)
    for name in ("best.safetensors", "checkpoint.safetensors"):
        ours, theirs = read_tensors(whole.path / name)[0], read_tensors(again.path / name)[0]
        assert set(ours) == set(theirs) and all(torch.equal(value, theirs[key]) for key, value in ours.items())
    assert "could not help" in training_facts(whole.folder)["features"]
    assert "could not help" in whole.report.read_text(encoding="utf-8")
    predicted = whole.folder.predicted("validation")
    labels, predictions = predicted.targets.values, predicted.predictions
    best = whole.folder.info["best"]["scores"]["accuracy"]
    assert np.mean(predictions.labels == labels) == pytest.approx(best)


def test_the_time_to_compute_features_counts_as_training(some, tmp_path, monkeypatch):
    def slowly(*arguments):
        time.sleep(5)
        return frozen.extract_features(*arguments)

    monkeypatch.setattr("opsin.training.session.extract_features", slowly)
    run = opsin.train(some, out=tmp_path / "run", quiet=True, inspect=False, network="course_cnn", **SETTINGS)
    assert sum(row["seconds"] for row in run.folder.timings) < 5 <= run.folder.info["seconds"]  # to a tenth
