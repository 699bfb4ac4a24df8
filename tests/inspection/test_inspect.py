from __future__ import annotations

import importlib
import json
import shutil
import sys
import types

import numpy as np
import pytest
import torch
from rich.console import Console

import opsin
from opsin import inspection as inspecting
from opsin.data.targets import ClassTargets
from opsin.errors import OpsinError, RunError
from opsin.inspection import INSPECTIONS, check_names, inspect
from opsin.tasks.registry import task_spec

QUICK = {"network": "mlp", "epochs": 1, "batch_size": 64, "device": "cpu", "quiet": True}


def an_examination(name: str, order: list[str]) -> types.ModuleType:
    """Make a module whose inspection writes the validation accuracy that it measures itself."""

    def look(folder, subject):
        order.append(name)
        rows = subject.rows["validation"]
        predicted = subject.predictor.predict_pixels(subject.pixels, torch.from_numpy(rows)).labels
        subject.progress(1, 1)
        folder.write(f"{name}.json", {"accuracy": float((predicted == subject.targets.values[rows]).mean())})

    module = types.ModuleType(f"tests_{name}")
    module.inspect = look
    return module


@pytest.fixture
def order(monkeypatch):
    """Two inspections in the table; they write their names here when they are made."""
    order: list[str] = []
    table = {name: (f"tests_{name}", f"looks for {name}") for name in ("first", "second")}
    for name in table:
        monkeypatch.setitem(sys.modules, f"tests_{name}", an_examination(name, order))
    monkeypatch.setattr(inspecting, "INSPECTIONS", table)
    monkeypatch.setattr(task_spec("classification"), "inspections", tuple(table))
    return order


@pytest.fixture(scope="module")
def unexamined(tmp_path_factory):
    return opsin.train("digits", out=tmp_path_factory.mktemp("runs") / "run", inspect=False, **QUICK)


@pytest.fixture
def run(unexamined, tmp_path):
    """A run that was not inspected, for one test to change."""
    shutil.copytree(unexamined.path, tmp_path / "run")
    return opsin.load_run(tmp_path / "run")


def test_training_examines_the_best_weights_on_validation(order, tmp_path):
    run = opsin.train("digits", out=tmp_path / "run", **QUICK)
    assert order == ["first", "second"]
    measured = json.loads((run.path / "first.json").read_text())["accuracy"]
    assert measured == pytest.approx(run.scorecard["validation"]["accuracy"]["value"])
    assert [look["split"] for look in run.folder.looks] == ["test"]


def test_a_run_that_was_not_examined_can_be_later(order, run):
    assert order == [] and not (run.path / "first.json").exists()
    before = run.report.stat().st_mtime_ns
    assert opsin.inspect(run, only=["second"], quiet=True) == order == ["second"]
    assert run.report.stat().st_mtime_ns > before
    assert not (run.path / "first.json").exists()
    assert len(run.folder.looks) == 1  # the test split stayed locked


def test_a_broken_examination_leaves_a_finished_run_with_its_report(order, monkeypatch, tmp_path):
    def stop(folder, subject):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["tests_first"], "inspect", stop)
    with pytest.raises(KeyboardInterrupt):
        opsin.train("digits", out=tmp_path / "run", **QUICK)
    run = opsin.load_run(tmp_path / "run")
    assert run.folder.info["state"] == "finished"
    assert run.report.exists() and run.folder.verdict


def test_an_unknown_examination_is_refused_before_anything_is_read(order, tmp_path):
    with pytest.raises(OpsinError, match=r"no inspection 'frist'.*'first'"):
        opsin.inspect(tmp_path / "there is no run", only=["frist"])
    assert check_names(["second", "first"]) == ["first", "second"]


def test_an_unscored_run_says_what_to_do(order, run):
    (run.path / "scorecard.json").unlink()
    with pytest.raises(RunError, match=r"not scored yet.*--resume"):
        opsin.inspect(run, quiet=True)


def test_examinations_are_told_their_progress(order, run):
    """The bar is drawn by `inspect`; what an inspection calls is never missing."""
    subject = inspecting.Subject(
        run.predictor,
        pixels=torch.zeros(3, 8, 8, 1, dtype=torch.uint8),
        targets=ClassTargets(np.array([0, 1, 2])),
        rows={"validation": np.array([0, 1, 2])},
        classes=run.folder.classes,
    )
    screen = Console(record=True, force_terminal=True, width=80)
    assert inspect(run.folder, subject, console=screen) == ["first", "second"]
    assert "inspecting first" in screen.export_text()


@pytest.mark.parametrize("name", INSPECTIONS)
def test_every_examination_in_the_table_is_there(name):
    module = importlib.import_module(INSPECTIONS[name][0])
    assert callable(module.inspect)
