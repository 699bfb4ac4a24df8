from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

import opsin
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.errors import DataError, NetworkError, RecipeError, RunError, TrainingInterrupted
from opsin.networks.registry import create_network
from opsin.recipe.recipe import from_settings
from opsin.storage.safetensors import read_tensors
from opsin.training.fit import Callback
from opsin.training.initial_weights import Source, begin_from, find_source
from opsin.training.prepare import prepare
from opsin.training.session import Session
from opsin.workflow.train import resume_run

OPTIONS = {"widths": [4, 8], "blocks": [1, 1]}
QUICK = {"network": "small_resnet", "options": OPTIONS, "batch_size": 64, "device": "cpu", "precision": "32-true"}
QUIET = {"quiet": True, "inspect": False, "open_test": False}


@pytest.fixture(scope="module")
def source(digits, tmp_path_factory):
    """A run of one epoch on the 8x8 digits."""
    few = replace(
        digits, images=ArrayImages(digits.images.array[:400]), targets=ClassTargets(digits.targets.values[:400])
    )
    return few, opsin.train(few, out=tmp_path_factory.mktemp("runs") / "source", epochs=1, **QUICK, **QUIET)


def larger(dataset, **changes):
    """The same images and names at 16x16."""
    images = ArrayImages(np.kron(dataset.images.array, np.ones((1, 2, 2, 1), np.uint8)))
    return replace(dataset, images=images, **changes)


def test_the_same_network_on_the_same_classes_takes_over_every_tensor(source):
    dataset, run = source
    prepared = prepare(from_settings({"weights": run.path, "epochs": 1, "device": "cpu"}), dataset)
    assert (prepared.recipe.network.name, prepared.recipe.network.options) == ("small_resnet", OPTIONS)
    assert prepared.recipe.network.pretrained is False
    assert prepared.recipe.training.learning_rate == pytest.approx(7e-4)  # as for ImageNet weights
    session = Session(prepared)
    stored, facts = read_tensors(run.path / "best.safetensors")
    assert all(torch.equal(value, stored[key]) for key, value in session.network.state_dict().items())
    assert (
        session.beginning.weights
        == f"of the run source, epoch {facts['epoch']}, {len(stored)} of {len(stored)} tensors"
    )
    digest = hashlib.sha256((run.path / "best.safetensors").read_bytes()).hexdigest()
    assert session.beginning.fingerprint == digest[:16]


def test_larger_images_and_other_classes_take_over_all_but_the_head(source):
    dataset, run = source
    asked = from_settings({"weights": str(run.path), "epochs": 1, "device": "cpu"})
    other = from_settings({"weights": str(run.path), "test": 0.3})
    with pytest.raises(DataError, match=r"has learned from [\d,]+ of the [\d,]+ images.*--split-file"):
        prepare(other, larger(dataset))  # the same names, shared out in another way
    assert prepare(other.set("split.file", str(run.path)), larger(dataset)).recipe.data.image_size == (16, 16)
    other = larger(dataset, name="letters", classes=tuple("abcdefghij"))
    session = Session(prepare(asked, other))
    stored, _ = read_tensors(run.path / "best.safetensors")
    own = session.network.state_dict()
    assert {key for key, value in own.items() if not torch.equal(value, stored.get(key, torch.zeros(0)))} == {
        "head.weight",
        "head.bias",
    }
    assert (own["head.weight"] == 0).all()
    learned = run.predictor.preprocessing
    assert (session.prepared.preprocessing.mean, session.prepared.preprocessing.std) == (learned.mean, learned.std)


def test_a_head_of_other_classes_of_the_same_number_is_not_taken_over(source):
    _, run = source
    for classes, taken in ((tuple("0123456789"), True), (tuple("9012345678"), False)):
        network = create_network("small_resnet", 10, 1, (8, 8), options=OPTIONS)
        begin_from(network, find_source(str(run.path)), classes)
        assert (network.head.weight == 0).all().item() is not taken
    begin_from(network, Source(run.path / "best.safetensors", None), tuple("0123456789"))
    assert (network.head.weight == 0).all()  # nobody knows of which classes a file that lies alone is


def test_weights_of_another_network_are_refused(source, tmp_path):
    _, run = source
    with pytest.raises(NetworkError, match="of another network: 0 of the 1 tensors|of another network: 0 of the 2"):
        begin_from(create_network("mlp", 10, 1, (8, 8)), find_source(str(run.path)), tuple("0123456789"))
    wide = create_network("small_resnet", 10, 1, (8, 8))
    with pytest.raises(NetworkError, match="leave out --network and --options"):
        begin_from(wide, find_source(str(run.path)), tuple("0123456789"))
    with pytest.raises(RunError, match="there is no .*nowhere"):
        find_source(str(tmp_path / "nowhere"))
    with pytest.raises(RunError, match="is not a run"):
        find_source(str(tmp_path))


def test_weights_that_cannot_be_had_are_refused_before_images_are_decoded(source, tmp_path):
    dataset, run = source
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((run.path / "best.safetensors").read_bytes())
    with pytest.raises(RecipeError, match="say with network.name what it is of"):
        prepare(from_settings({"weights": str(alone)}), dataset)
    with pytest.raises(RecipeError, match="a network begins but once"):
        prepare(from_settings({"weights": str(run.path), "pretrained": True}), dataset)


class StopAtOnce(Callback):
    def on_start(self, state):
        raise KeyboardInterrupt


class StopAfter(Callback):
    def __init__(self, steps):
        self.left = steps

    def on_step(self, state):
        self.left -= 1
        state.stop = self.left == 0


@pytest.mark.parametrize(
    "further",
    [
        {"layer_decay": 0.5, "optimizer": "rmsprop"},
        {"freeze_epochs": 1, "unfreeze_every": 1, "trainable_layers": 3, "optimizer": "sgd", "average": 0.9},
    ],
)
def test_a_run_that_begins_from_another_is_resumed_without_it(further, source, tmp_path, monkeypatch):
    monkeypatch.setattr("opsin.workflow.train.report", lambda run, anonymous=False: run.report)
    dataset, run = source
    settings = QUICK | QUIET | {"weights": str(run.path), "epochs": 3, **further}
    whole = opsin.train(dataset, out=tmp_path / "whole", **settings)
    assert whole.folder.info["network"]["weights"].startswith("of the run source")
    with pytest.raises(TrainingInterrupted):
        opsin.train(dataset, out=tmp_path / "stopped", callbacks=[StopAfter(6)], **settings)
    moved = run.path.rename(run.path.with_name("moved"))
    try:
        again = resume_run(tmp_path / "stopped", dataset=dataset, quiet=True)
    finally:
        moved.rename(run.path)
    for name in ("best.safetensors", "checkpoint.safetensors"):
        ours, theirs = read_tensors(whole.path / name)[0], read_tensors(again.path / name)[0]
        assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    assert (whole.path / "history.jsonl").read_bytes() == (again.path / "history.jsonl").read_bytes()


def test_weights_that_changed_before_the_first_step_was_saved_are_noticed(source, tmp_path):
    dataset, run = source
    settings = QUICK | QUIET | {"weights": str(run.path), "epochs": 1}
    with pytest.raises(KeyboardInterrupt):
        opsin.train(dataset, out=tmp_path / "run", callbacks=[StopAtOnce()], **settings)
    path = run.path / "best.safetensors"
    before = path.read_bytes()
    try:
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        with pytest.raises(RunError, match="have changed since .* from them"):
            resume_run(tmp_path / "run", dataset=dataset, quiet=True)
    finally:
        path.write_bytes(before)
