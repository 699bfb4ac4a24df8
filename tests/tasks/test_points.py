"""A task with ragged targets is added without touching a shared file: its room, a target form, a reader, one line."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import opsin
from opsin.data.splitting.split import split_samples
from opsin.data.targets import Motion
from opsin.errors import TrainingInterrupted
from opsin.evaluation.comparison.compare import compare
from opsin.recipe.schema import SplitRecipe
from opsin.tasks.registry import TASKS
from opsin.training.fit import Callback
from opsin.workflow.train import resume_run

ROOM = Path(__file__).parent / "points"


@pytest.fixture(scope="module")
def points():
    """The package of the task, under a name of its own, and the one line in the registry."""
    spec = importlib.util.spec_from_file_location(
        "points_task", ROOM / "__init__.py", submodule_search_locations=[str(ROOM)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["points_task"] = package
    spec.loader.exec_module(package)
    importlib.import_module("points_task.room")
    TASKS["points"] = "points_task.room"
    yield package
    del TASKS["points"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "points_task"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def spots(points):
    return importlib.import_module("points_task.reader").read_points()


def test_ragged_targets_move_with_their_images(points):
    targets = importlib.import_module("points_task.targets")
    encoded = targets.EncodedPoints([torch.tensor([[0.5, -0.25]]), torch.zeros(0, 2)])
    mirrored = torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]]).repeat(2, 1, 1)
    moved = encoded.move(Motion(mirrored, torch.zeros(2, 1, 1, 2)))
    torch.testing.assert_close(moved.data[0], torch.tensor([[-0.5, -0.25]]))
    assert len(moved.data[1]) == 0


def test_the_split_is_stratified_by_the_form(spots):
    split = split_samples(spots, None, SplitRecipe())
    assert "stratified by number of points" in split.method
    shares = [np.mean(spots.strata[split.indices(name)] == 0) for name in ("train", "test")]
    assert shares[0] == pytest.approx(shares[1], abs=0.15)


def test_a_run_is_trained_interrupted_resumed_scored_compared_and_reported(spots, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"network": "mlp", "epochs": 8, "near_duplicates": False, "quiet": True}
    run = opsin.train(spots, out="runs/a", **settings)
    card = run.scorecard["test"]["distance"]
    assert card["low"] <= card["value"] <= card["high"]
    tested = run.folder.predicted("test")
    rows = [spots.images.name(row) for row in range(len(spots))]
    wanted = spots.targets.take([rows.index(name) for name in tested.names])
    assert tested.targets.same(wanted).all()  # ragged targets come back from the file as they were
    naive = np.mean(
        [np.hypot(*importlib.import_module("points_task.targets").middle(points)) for points in wanted.points]
    )
    assert card["value"] < 0.8 * naive
    assert run.predict([spots.images.read(0)])[0] == pytest.approx(tuple(run.predict(spots.images.array[:1])[0]))

    # Stopped after three epochs and resumed, it ends with the same weights.
    class Stop(Callback):
        def on_epoch(self, state, seconds):
            state.stop = state.epoch >= 3

    with pytest.raises(TrainingInterrupted):
        opsin.train(spots, out="runs/b", callbacks=[Stop()], **settings)
    again = resume_run("runs/b", dataset=spots, quiet=True)
    assert (again.path / "best.safetensors").read_bytes() == (run.path / "best.safetensors").read_bytes()

    other = opsin.train(spots, out="runs/c", seed=1, **settings)
    comparison = compare([run, other])
    assert comparison.score == "distance" and comparison.images == len(tested)
    assert opsin.report(comparison, "page.html").exists()
    html = run.report.read_text(encoding="utf-8")
    assert "test images with spots" in html and "off by" in html


def test_what_adding_a_task_took():
    """The places that were touched; a shared file among them would have to be named here."""
    own = {path.name for path in ROOM.glob("*.py")}
    assert own == {"__init__.py", "room.py", "targets.py", "reader.py"}  # and the line in `TASKS`, above
