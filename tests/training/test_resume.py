from __future__ import annotations

import json
import multiprocessing
import os
import random
import runpy
import signal
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import opsin
from opsin.errors import RunError, TrainingInterrupted
from opsin.runs.folder import RunFolder
from opsin.training.fit import Callback
from opsin.workflow.train import resume_run

SCRIPT = Path(__file__).with_name("killed.py")
QUICK = {"network": "mlp", "epochs": 3, "batch_size": 64, "device": "cpu", "quiet": True, "inspect": False}


def train(runs: Path, kind: str, count: int = 0) -> int:
    """Run `SCRIPT` in a process of its own, forked from one that has imported what is slow to import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["opsin.workflow.train", "opsin.training.session"])
    process = context.Process(target=runpy.run_path, args=(str(SCRIPT), {"arguments": (str(runs), kind, count)}))
    process.start()
    process.join()
    return process.exitcode


def contents(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["opsin"])  # noqa: SIM118


def assert_same(first: Path, second: Path) -> None:
    for name in ("checkpoint.safetensors", "best.safetensors", "unlike.safetensors"):
        (tensors, facts), (others, other_facts) = contents(first / name), contents(second / name)
        assert facts == other_facts
        assert set(tensors) == set(others)
        assert all(torch.equal(value, others[key]) for key, value in tensors.items())
    for name in (
        "history.jsonl",
        "recipe.toml",
        "split.csv",
        "calibration.json",
        "predictions-test.csv",
        "scorecard.json",
    ):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_at_random_steps_and_while_writing_a_run_ends_with_the_same_bits(tmp_path):
    """Augmentation, averaging, accumulation, dropout, mixup and a plateau schedule are on; 40 steps in all."""
    assert train(tmp_path / "whole", "never") == 0
    generator = random.Random()  # other steps each time the test runs
    kills = [("step", generator.randint(1, 12)) for _ in range(4)]
    kills += [("write", generator.randint(1, 3)) for _ in range(2)]
    generator.shuffle(kills)
    for kind, count in kills:
        code = train(tmp_path / "killed", kind, count)
        assert code in (-signal.SIGKILL, 0), f"{kills}"
    assert train(tmp_path / "killed", "never") == 0
    (whole,), (killed,) = (tmp_path / "whole").iterdir(), (tmp_path / "killed").iterdir()
    assert_same(whole, killed)


class StopAfter(Callback):
    def __init__(self, steps: int):
        self.left = steps

    def on_step(self, state):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interrupted(tmp_path) -> Path:
    """A run stopped by Ctrl-C in its second epoch."""
    with pytest.raises(TrainingInterrupted, match="opsin train --resume"):
        opsin.train("digits", out=tmp_path / "run", callbacks=[StopAfter(25)], **QUICK)
    return tmp_path / "run"


def test_ctrl_c_leaves_a_run_that_goes_on_to_the_same_weights(interrupted, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    assert RunFolder(interrupted).info["state"] == "interrupted"
    assert len(RunFolder(interrupted).history) == 1
    resume_run(interrupted, quiet=True)
    assert RunFolder(interrupted).info["state"] == "finished"
    whole = opsin.train("digits", out=tmp_path / "whole", **QUICK)
    assert_same(interrupted, whole.path)
    assert signal.getsignal(signal.SIGINT) is before


def test_training_again_with_resume_goes_on_with_the_lost_session(tmp_path):
    with pytest.raises(TrainingInterrupted):
        opsin.train("digits", runs=tmp_path, callbacks=[StopAfter(5)], **QUICK)
    run = opsin.train("digits", runs=tmp_path, resume=True, **QUICK)
    assert len(list(tmp_path.iterdir())) == 1
    again = opsin.train("digits", runs=tmp_path, resume=True, **QUICK)
    assert again.path == run.path
    assert opsin.train("digits", runs=tmp_path, **QUICK).path != run.path


def test_a_damaged_checkpoint_is_one_sentence(interrupted):
    path = interrupted / "checkpoint.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"checkpoint\.safetensors is damaged"):
        resume_run(interrupted, quiet=True)
    torch.save({"weights": torch.zeros(2)}, path)
    with pytest.raises(RunError, match="pickled file, which could run any program"):
        resume_run(interrupted, quiet=True)


def test_a_changed_recipe_is_not_gone_on_with(interrupted):
    path = interrupted / "recipe.toml"
    path.write_text(path.read_text().replace("momentum = 0.9", "momentum = 0.8"))
    with pytest.raises(RunError, match="another recipe"):
        resume_run(interrupted, quiet=True)


def test_a_run_of_another_format_is_refused_in_a_sentence(interrupted):
    path = interrupted / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99, "opsin": "9.9"}))
    with pytest.raises(RunError, match=r"run format 99, written by Opsin 9\.9"):
        resume_run(interrupted, quiet=True)


def test_a_full_disk_stops_training_and_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    import errno

    from opsin.storage import safetensors as checkpoint

    saved = []
    write = checkpoint.save_file

    def full_disk(tensors, path, metadata):
        saved.append(path)
        if len(saved) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(tensors, path, metadata=metadata)

    monkeypatch.setattr(checkpoint, "save_file", full_disk)
    monkeypatch.setattr("opsin.training.callbacks.Checkpoints.__init__.__defaults__", (0.0,))
    with pytest.raises(RunError, match="disk is full.*opsin train --resume"):
        opsin.train("digits", out=tmp_path / "run", **QUICK)
    assert RunFolder(tmp_path / "run").info["state"] == "failed"
    monkeypatch.undo()
    assert contents(tmp_path / "run" / "checkpoint.safetensors")[1]["step"] >= 1
    resume_run(tmp_path / "run", quiet=True)
    assert RunFolder(tmp_path / "run").info["state"] == "finished"
