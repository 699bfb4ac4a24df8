from __future__ import annotations

import io
import signal

import pytest
from rich.console import Console
from tensorboardX.proto.event_pb2 import Event

from opsin.recipe.recipe import Recipe
from opsin.runs.folder import RunFolder
from opsin.training.callbacks import Curves, ProgressBar, Signals
from opsin.training.fit import TrainingState

ROW = {
    "epoch": 1,
    "learning_rate": 0.01,
    "train": {"loss": 0.5, "accuracy": 0.8},
    "validation": {"loss": 0.4, "accuracy": 0.9},
}


def after_an_epoch():
    state = TrainingState()
    state.end_epoch(ROW)
    state.best = {"epoch": 1, "scores": ROW["validation"]}
    return state


def test_a_plain_output_gets_a_line_per_epoch():
    text = io.StringIO()
    bar = ProgressBar(Console(file=text, width=200), 3, 10, "accuracy")
    bar.on_start(TrainingState())
    bar.on_epoch(after_an_epoch(), 2.5)
    bar.on_end(TrainingState())
    line = "epoch 1/3  loss 0.5000  val loss 0.4000  val accuracy 0.9000 (best)  2.5 s\n"
    assert text.getvalue() == line


def test_a_terminal_gets_a_bar_with_scores_speed_and_time_left(monkeypatch):
    text = io.StringIO()
    bar = ProgressBar(Console(file=text, width=160, force_terminal=True), 3, 10, "accuracy")
    state = after_an_epoch()
    bar.on_start(state)
    import torch

    state.add({"loss": torch.tensor(0.25)}, 32)
    bar.drawn = 0.0
    bar.on_step(state)
    bar.on_end(state)
    drawn = text.getvalue()
    for part in ("epoch 2/3", "loss 0.250", "val accuracy 0.900 ↑", "images/s", "left"):
        assert part in drawn


def test_curves_are_written_for_tensorboard(tmp_path):
    folder = RunFolder.create(tmp_path / "run", Recipe())
    curves = Curves(folder)
    curves.on_start(TrainingState())
    curves.on_epoch(after_an_epoch(), 1.0)
    curves.on_end(TrainingState())
    (path,) = (tmp_path / "run").glob("events.out.tfevents.*")
    values = {}
    data = path.read_bytes()
    while data:  # length, its checksum, the event, its checksum
        length = int.from_bytes(data[:8], "little")
        for value in Event.FromString(data[12 : 12 + length]).summary.value:
            values[value.tag] = value.simple_value
        data = data[12 + length + 4 :]
    expected = {"learning_rate": 0.01, "loss/train": 0.5, "accuracy/train": 0.8}
    expected |= {"loss/validation": 0.4, "accuracy/validation": 0.9}
    assert values == pytest.approx(expected)


def test_the_first_signal_asks_to_stop_and_the_second_stops_at_once():
    signals = Signals()
    before = signal.getsignal(signal.SIGTERM)
    state = TrainingState()
    signals.on_start(state)
    signals.on_step(state)
    assert not state.stop
    signal.raise_signal(signal.SIGTERM)
    signals.on_step(state)
    assert state.stop
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signals.on_end(state)
    assert signal.getsignal(signal.SIGTERM) is before
