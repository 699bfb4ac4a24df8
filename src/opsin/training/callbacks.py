"""What watches a run while it trains: files, curves, the progress bar, signals."""

from __future__ import annotations

import importlib.util
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from torch import nn

from opsin.metrics.names import describe_score
from opsin.networks.layer_groups import unwrapped
from opsin.runs.folder import RunFolder
from opsin.storage.atomic import read_json_lines
from opsin.storage.safetensors import save_weights
from opsin.training.fit import Callback, TrainingState

SAVE_EVERY = 30.0  # seconds between two checkpoints, at most; each finished epoch that is longer than 2 s has its own
REFRESH_EVERY = 0.5  # seconds between two redrawings of the progress bar


class Checkpoints(Callback):
    """Saves the best weights, and all that resuming needs, as training goes on.

    Resuming is exact from any step, so when a checkpoint is written decides nothing but how much is done again.

    Args:
        folder: The run.
        save: Writes a checkpoint of the given state.
        seconds: The longest time without a checkpoint, within and between epochs.
    """

    def __init__(self, folder: RunFolder, save: Callable[[TrainingState], None], seconds: float = SAVE_EVERY):
        self.folder = folder
        self.save = save
        self.seconds = seconds
        self.saved = time.monotonic()
        self.timings = read_json_lines(folder.path / "timings.jsonl")

    def on_start(self, state: TrainingState) -> None:
        """Bring the files of the run to where the state is."""
        self.timings = self.timings[: state.epoch]
        self.folder.write("history.jsonl", state.history)

    def on_step(self, state: TrainingState) -> None:
        """Save when it is time, or when training is to stop."""
        if state.stop or time.monotonic() - self.saved > self.seconds:
            self.save_now(state)

    def on_best(self, state: TrainingState, network: nn.Module) -> None:
        """Keep the weights that did best on validation."""
        save_weights(self.folder.path / "best.safetensors", unwrapped(network), **(state.best or {}))

    def on_epoch(self, state: TrainingState, seconds: float) -> None:
        """Write the epoch into history and timings, and a checkpoint unless one is fresh."""
        self.timings.append({"epoch": state.epoch, "seconds": round(seconds, 3)})
        if state.stop or time.monotonic() - self.saved > min(2.0, self.seconds):
            self.save_now(state)

    def save_now(self, state: TrainingState) -> None:
        """Write a checkpoint, and the history up to it.

        Raises:
            TrainingError: The loss is not a number; the last checkpoint stays.
        """
        state.check()
        self.save(state)
        self.folder.write("history.jsonl", state.history)
        self.folder.write("timings.jsonl", self.timings)
        self.saved = time.monotonic()


class Curves(Callback):
    """Writes TensorBoard event files.

    Args:
        folder: The run; ``tensorboard --logdir runs`` shows all of them.
    """

    def __init__(self, folder: RunFolder):
        self.folder = folder
        self.writer: Any = None

    def on_start(self, state: TrainingState) -> None:
        """Open a file; what another one holds of epochs that are done again is hidden."""
        from tensorboardX import SummaryWriter

        self.writer = SummaryWriter(str(self.folder.path), purge_step=state.epoch + 1 if state.epoch else None)

    def on_epoch(self, state: TrainingState, seconds: float) -> None:
        """Write the scores of the epoch."""
        row = state.history[-1]
        self.writer.add_scalar("learning_rate", row["learning_rate"], row["epoch"])
        for split in ("train", "validation"):
            for name, value in row[split].items():
                self.writer.add_scalar(f"{name}/{split}", value, row["epoch"])

    def on_end(self, state: TrainingState) -> None:
        """Close the file."""
        if self.writer is not None:
            self.writer.close()


class ProgressBar(Callback):
    """A bar with throughput, time left and the current scores; on anything but a terminal, a line per epoch.

    Args:
        console: Where it is drawn.
        epochs: All epochs of the run.
        steps: Batches in an epoch.
        main_score: The validation score that is shown.
        lower_is_better: Whether it is an error rather than a merit.
    """

    def __init__(self, console: Console, epochs: int, steps: int, main_score: str, *, lower_is_better: bool = False):
        self.console, self.lower_is_better = console, lower_is_better
        self.epochs, self.steps, self.main_score = epochs, steps, main_score
        widgets = importlib.util.find_spec("ipywidgets") is not None  # what draws the bar inside Jupyter
        self.live = console.is_terminal or (console.is_jupyter and widgets)
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[scores]}"),
            TextColumn("{task.fields[speed]}"),
            console=console,
            auto_refresh=False,  # a refreshing thread would take the lock from the loop
            transient=True,
        )
        self.drawn = 0.0
        self.images_before, self.steps_before, self.since = 0, 0, time.perf_counter()
        self.row: Any = None

    def on_start(self, state: TrainingState) -> None:
        """Draw the bar."""
        total = self.epochs * self.steps
        fields: dict[str, Any] = {"epoch": state.epoch + 1, "epochs": self.epochs, "scores": "", "speed": ""}
        self.row = self.bar.add_task("training", total=total, completed=self._done(state), **fields)
        self.images_before, self.steps_before, self.since = state.images, state.step, time.perf_counter()
        if self.live:
            self.bar.start()

    def on_step(self, state: TrainingState) -> None:
        """Redraw, a few times a second."""
        now = time.perf_counter()
        if self.live and now - self.drawn > REFRESH_EVERY:
            self.drawn = now
            self._draw(state, now)

    def on_epoch(self, state: TrainingState, seconds: float) -> None:
        """Write a line for the epoch where there is no bar."""
        self.images_before, self.steps_before, self.since = 0, 0, time.perf_counter()
        if self.live:
            return
        row = state.history[-1]
        best = " (best)" if state.best and state.best["epoch"] == row["epoch"] else ""
        self.console.print(
            f"epoch {row['epoch']}/{self.epochs}  loss {row['train']['loss']:.4f}  "
            f"val loss {row['validation']['loss']:.4f}  "
            f"val {self._name} {row['validation'][self.main_score]:.4f}{best}  {seconds:.1f} s",
            highlight=False,
        )

    def on_end(self, state: TrainingState) -> None:
        """Take the bar away."""
        if self.live:
            self.bar.stop()

    @property
    def _name(self) -> str:
        return describe_score(self.main_score).words

    def _done(self, state: TrainingState) -> int:
        return state.epoch * self.steps + state.step

    def _draw(self, state: TrainingState, now: float) -> None:
        seconds = max(now - self.since, 1e-9)
        scores = f"loss {state.means()['loss']:.3f}"
        if state.history:
            latest = state.history[-1]["validation"][self.main_score]
            best = state.best["scores"][self.main_score] if state.best else latest
            arrow = " "
            if latest <= best if self.lower_is_better else latest >= best:
                arrow = "↓" if self.lower_is_better else "↑"
            scores += f"  val {self._name} {latest:.3f} {arrow}"
        left = (self.epochs * self.steps - self._done(state)) * seconds / max(1, state.step - self.steps_before)
        speed = f"{(state.images - self.images_before) / seconds:,.0f} images/s  {_duration(left)} left"
        self.bar.update(
            self.row, completed=self._done(state), epoch=min(state.epoch + 1, self.epochs), scores=scores, speed=speed
        )
        self.bar.refresh()


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


class Signals(Callback):
    """Ends training after the current step on Ctrl-C or a termination signal; a second one ends it at once.

    Signals reach only the main thread; elsewhere (some notebooks) this does nothing.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        names = ("SIGINT", "SIGTERM", "SIGBREAK")  # SIGBREAK is what Windows has in the place of SIGTERM
        self.signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self.before: dict[int, Any] = {}

    def on_start(self, state: TrainingState) -> None:
        """Listen."""
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self._receive) for number in self.signals}

    def on_step(self, state: TrainingState) -> None:
        """Pass on that training is to stop."""
        state.stop = state.stop or self.received is not None

    def on_epoch(self, state: TrainingState, seconds: float) -> None:
        """Pass on that training is to stop."""
        state.stop = state.stop or self.received is not None

    def on_end(self, state: TrainingState) -> None:
        """Give the signals back."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}

    def _receive(self, number: int, frame: object) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
