"""The training loop: one function, the textbook's, to be read from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from opsin.data.batches import Batches
from opsin.errors import TrainingError
from opsin.recipe.schema import TrainingRecipe
from opsin.tasks.base import Learner
from opsin.training.optimizer import Schedule, set_trainable

CHECK_EVERY = 50  # steps between two looks at whether the loss is still a number; each look waits for the device


@dataclass
class TrainingState:
    """How far training has come. Saved in every checkpoint.

    Attributes:
        epoch: Finished epochs.
        step: Batches done in the current epoch.
        images: Images seen in the current epoch.
        sums: Sums over those images of what the task logs, scalars on the device.
        history: One row per finished epoch, as in ``history.jsonl``.
        best: Epoch (from 1) and validation scores of the best epoch; None before the first.
        stop: Set by a callback to end training after this step.
    """

    epoch: int = 0
    step: int = 0
    images: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    stop: bool = False

    def add(self, logged: dict[str, Tensor], images: int) -> None:
        """Count a batch. Nothing is copied from the device."""
        for name, value in logged.items():
            if name not in self.sums:
                # Apple's GPUs have no float64.
                precise = torch.float32 if value.device.type == "mps" else torch.float64
                self.sums[name] = torch.zeros((), dtype=precise, device=value.device)
            self.sums[name].add_(value.detach(), alpha=images)
        self.images += images
        self.step += 1

    def means(self) -> dict[str, float]:
        """Return the mean over the images of this epoch so far of what the task logs, the loss first."""
        names = sorted(self.sums, key=lambda name: (name != "loss", name))
        return {name: float(self.sums[name]) / max(self.images, 1) for name in names}

    def check(self) -> None:
        """Raise unless the loss is a number.

        Raises:
            TrainingError: It is infinite or not a number.
        """
        if "loss" in self.sums and not math.isfinite(float(self.sums["loss"])):
            raise TrainingError(
                f"The loss is not a number any more (epoch {self.epoch + 1}, by step {self.step}); the last good "
                "weights are kept. Try a lower --learning-rate, --clip 1, or --precision 32-true."
            )

    def end_epoch(self, row: dict[str, Any]) -> None:
        """Write down a finished epoch and begin the next."""
        self.history.append(row)
        self.epoch, self.step, self.images, self.sums = self.epoch + 1, 0, 0, {}

    @property
    def epochs_since_best(self) -> int:
        """Finished epochs since the best one."""
        return self.epoch - self.best["epoch"] if self.best else 0


class Callback:
    """Something that watches the loop. Each method does nothing unless it is overridden."""

    def on_start(self, state: TrainingState) -> None:
        """Training begins, or goes on from a checkpoint."""

    def on_step(self, state: TrainingState) -> None:
        """The optimizer has taken a step. May set ``state.stop``."""

    def on_validation(self, state: TrainingState, done: int, total: int) -> None:
        """Some images of the validation split have been predicted."""

    def on_best(self, state: TrainingState, network: nn.Module) -> None:
        """An epoch has beaten all before it; ``network`` is what was validated (the average, where there is one)."""

    def on_epoch(self, state: TrainingState, seconds: float) -> None:
        """An epoch is finished: the last row of ``state.history`` describes it.

        Args:
            state: How far training has come.
            seconds: What training the epoch took, or would have taken, had it not been resumed halfway.
        """

    def on_end(self, state: TrainingState) -> None:
        """Training has ended, in whatever way."""


def fit(
    network: nn.Module,
    task: Learner,
    batches: Batches,
    validate: Callable[[nn.Module], dict[str, float]],
    optimizer: Any,
    schedule: Schedule,
    fabric: Fabric,
    recipe: TrainingRecipe,
    state: TrainingState,
    average: AveragedModel | None = None,
    callbacks: Sequence[Callback] = (),
) -> TrainingState:
    """Train until the last epoch, early stopping, or a callback's word.

    Args:
        network: Set up by Fabric together with ``optimizer``; trained in place.
        task: Gives the loss.
        batches: The training batches of any epoch from any step on.
        validate: Returns the validation scores of a network.
        optimizer: As Fabric returned it.
        schedule: Sets the optimizer's learning rate.
        fabric: The device and the precision.
        recipe: A resolved recipe.
        state: Where to begin: a fresh one, or what a checkpoint held.
        average: The moving average of the weights, validated in the network's stead.
        callbacks: Watchers, called in this order.

    Returns:
        The state, whose ``history`` has a row per epoch. ``state.stop`` says whether a callback ended training early.

    Raises:
        TrainingError: The loss is not a number.
    """
    for callback in callbacks:
        callback.on_start(state)
    for epoch in range(state.epoch, int(recipe.epochs or 0)):
        if recipe.early_stopping and state.epochs_since_best >= recipe.early_stopping:
            break
        network.train()
        set_trainable(network, recipe, epoch)
        started, first = time.perf_counter(), state.step
        for batch in batches.epoch(epoch, start=state.step):
            logged = task.loss(network, batch)
            fabric.backward(logged["loss"] / recipe.accumulate)
            state.add(logged, len(batch))
            if state.step % CHECK_EVERY == 0:
                state.check()
            if state.step % recipe.accumulate and state.step < len(batches):
                continue
            if recipe.clip:
                fabric.clip_gradients(network, optimizer, max_norm=recipe.clip)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            if average is not None:
                average.update_parameters(network)
            for callback in callbacks:
                callback.on_step(state)
            if state.stop:
                return state
        state.check()
        seconds = (time.perf_counter() - started) * len(batches) / max(1, len(batches) - first)

        validated = network if average is None else average
        scores = validate(validated)
        row = {
            "epoch": epoch + 1,
            "learning_rate": schedule.learning_rate,
            "train": state.means(),
            "validation": scores,
        }
        schedule.after_epoch(scores["loss"])
        state.end_epoch(row)
        if state.best is None or task.better(scores, state.best["scores"]):
            state.best = {"epoch": epoch + 1, "scores": scores}
            for callback in callbacks:
                callback.on_best(state, validated)
        for callback in callbacks:
            callback.on_epoch(state, seconds)
        if state.stop:
            return state
    return state


def create_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """Return the exponential moving average of a network's weights and statistics, or None for decay 0."""
    if not decay:
        return None
    multi = torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
    return AveragedModel(network, multi_avg_fn=multi, use_buffers=True)
