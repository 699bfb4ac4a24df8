"""A training session: the objects that one resolved recipe makes for the loop, and saving and loading them together."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from opsin.data.augment import Augmentation
from opsin.data.batches import Batches, seed_step
from opsin.data.images import TRAIN, VALIDATION
from opsin.errors import RecipeError, TrainingError
from opsin.inference.predict_images import predict_images
from opsin.networks.layer_groups import unwrapped
from opsin.recipe.recipe import Recipe
from opsin.runtime.devices import create_fabric
from opsin.runtime.machine import memory_kept
from opsin.tasks.base import Learner
from opsin.tasks.registry import task_spec
from opsin.training.batch_norm import renew_statistics
from opsin.training.checkpoint import load_checkpoint, save_checkpoint
from opsin.training.fit import Callback, TrainingState, create_average, fit
from opsin.training.head_only import FrozenFeatures, HeadAlone, extract_features
from opsin.training.network import InitialWeights, begin_network
from opsin.training.optimizer import Schedule, check_trainable_layers, create_optimizer, set_trainable
from opsin.training.prepare import Prepared

MEASURE_SECONDS = 0.5  # how long each of loader and model is timed


class Evaluator:
    """A network and its task on the device, ready to predict the images that a recipe was prepared for.

    Args:
        prepared: The data and the resolved recipe.
        network: What predicts.
    """

    def __init__(self, prepared: Prepared, network: nn.Module):
        training = prepared.recipe.training
        self.prepared = prepared
        self.fabric = create_fabric(training.device, training.precision)
        self.network = self.fabric.to_device(network).to(memory_format=torch.channels_last)
        self.task = create_task(prepared)

    def predict(self, network: nn.Module, rows: Tensor, progress: Callable[[int, int], None] | None = None) -> Any:
        """Predict the images at ``rows`` (int64 ``(N,)``) of the data set, in full precision."""
        return predict_images(
            self.task,
            unwrapped(network),
            self.prepared.preprocessing,
            self.prepared.pixels.images,
            rows,
            device=self.fabric.device,
            views=self.prepared.recipe.data.tta,
            progress=progress,
        )


class Session(Evaluator):
    """Network, task, batches, optimizer and schedule of a recipe, on the device.

    Args:
        prepared: The data and the resolved recipe. Where the recipe has a time budget in the place of epochs, the
            throughput is measured first and `recipe` says how many epochs fit.
        begin: False leaves out the weights that training begins from, because others are loaded anyway.
        progress: Called with (images done, all) where features of a frozen network are computed.

    Attributes:
        recipe: The recipe, epochs and all.
        beginning: Which weights the network has at first.
        features: What enters the head, computed once; None where it cannot be.
        feature_extraction: A sentence on that, where only the head learns.
        feature_seconds: How long it took to compute them.
        learner: What the loop trains: the network, or its head alone.
        throughput: Images per second of the loader alone and of one training step alone.
    """

    def __init__(self, prepared: Prepared, begin: bool = True, progress: Callable[[int, int], None] | None = None):
        recipe = prepared.recipe
        network, self.beginning = _create_network(recipe, prepared.dataset.classes, begin)
        super().__init__(prepared, network)
        self.batches = create_batches(prepared, self.task, self.fabric.device)
        self._check_batch_size()
        check_trainable_layers(self.network, recipe.training)
        set_trainable(self.network, recipe.training, math.inf)
        self.learner: nn.Module = self.network
        self.features: FrozenFeatures | None = None
        self.feature_extraction, self.feature_seconds = "", 0.0
        if recipe.training.trainable_layers == 1:
            started = time.perf_counter()
            found = extract_features(self.network, prepared, self.batches, self.fabric, progress)
            self.features, self.feature_extraction = found
            self.feature_seconds = time.perf_counter() - started
        if self.features is not None:
            self.learner, self.batches = self.features.network, self.features.batches
        self.throughput = measure_throughput(self)
        self.recipe = recipe if recipe.training.epochs else self._fit_budget(recipe)
        training = self.recipe.training
        optimizer = create_optimizer(self.network, training)
        self.schedule = Schedule(optimizer, training, math.ceil(len(self.batches) / training.accumulate))
        self.average = create_average(self.network, training.average)
        self.wrapped, self.optimizer = self.fabric.setup(self.learner, optimizer)
        self.state = TrainingState()

    def fit(self, callbacks: Sequence[Callback] = ()) -> TrainingState:
        """Train from `state` on; see `opsin.training.fit.fit`."""

        def validate(network: nn.Module) -> dict[str, float]:
            forward = unwrapped(network) if self.features is None else HeadAlone(unwrapped(network))
            renew_statistics(network, self.network, self.batches, self.state.epoch, forward)
            rows = torch.from_numpy(self.prepared.split.indices(VALIDATION))
            if self.features is not None and self.features.validation is not None:
                predictions = self.features.predict(self.task, network, self.fabric.device)
            else:
                predictions = self.predict(network, rows)
            return self.task.score(predictions, self.prepared.targets.take(rows).data)

        try:
            with memory_kept():
                return fit(
                    self.wrapped,
                    self.task,
                    self.batches,
                    validate,
                    self.optimizer,
                    self.schedule,
                    self.fabric,
                    self.recipe.training,
                    self.state,
                    self.average,
                    callbacks,
                )
        finally:
            for callback in callbacks:
                callback.on_end(self.state)

    def save(self, path: Path) -> None:
        """Write a checkpoint.

        Raises:
            TrainingError: The weights are not numbers any more; the checkpoint that was there before is untouched.
        """
        if not torch.nn.utils.get_total_norm(list(self.network.parameters())).isfinite():
            raise TrainingError(
                f"The weights are not numbers any more (epoch {self.state.epoch + 1}); the last good ones are kept. "
                "Try a lower --learning-rate, --clip 1, or --precision 32-true."
            )
        save_checkpoint(
            path,
            self.network,
            self.optimizer.optimizer,
            self.schedule,
            self.average,
            self.fabric.strategy.precision,
            self.state,
            self.recipe.hash,
        )

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            RunError: It is missing, damaged, or of another recipe.
        """
        self.state = load_checkpoint(
            path,
            self.network,
            self.optimizer.optimizer,
            self.schedule,
            self.average,
            self.fabric.strategy.precision,
            self.recipe.hash,
        )

    def _check_batch_size(self) -> None:
        normalized = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in self.network.modules())
        if self.batches.batch_size == 1 and normalized:
            raise RecipeError(
                f"{self.prepared.recipe.network.name} normalizes over the batch, so one image is not enough; give "
                "--batch-size 2 or more."
            )

    def _fit_budget(self, recipe: Recipe) -> Recipe:
        """Replace a time budget by the number of epochs that fit into it."""
        per_image = 1 / self.throughput["loader"] + 1 / self.throughput["model"]
        # A forward pass is a third of a training step; 5 % is kept for checkpoints and the final evaluation.
        validation = len(self.prepared.split.indices(VALIDATION)) / self.throughput["model"] / 3
        per_epoch = self.batches.images_per_epoch * per_image + validation
        epochs = max(1, int(0.95 * 60 * float(recipe.training.minutes or 0) / per_epoch))
        # At least one epoch trains all layers.
        freeze = min(recipe.training.freeze_epochs or 0, epochs - 1)
        return replace(recipe, training=replace(recipe.training, epochs=epochs, minutes=None, freeze_epochs=freeze))


def _create_network(recipe: Recipe, classes: Sequence[str], begin: bool) -> tuple[nn.Module, InitialWeights]:
    if begin:
        return begin_network(recipe, classes)
    return task_spec(recipe.task or "").network(recipe, len(classes)), InitialWeights()


def create_task(prepared: Prepared) -> Learner:
    """Make the task of a resolved recipe."""
    training = prepared.targets.take(torch.from_numpy(prepared.split.indices(TRAIN)))
    return task_spec(prepared.dataset.task).learner(prepared.recipe, len(prepared.dataset.classes), training)


def create_batches(prepared: Prepared, task: Learner, device: torch.device) -> Batches:
    """Make the training batches of a resolved recipe."""
    recipe = prepared.recipe
    indices = torch.from_numpy(prepared.split.indices(TRAIN))
    balanced = recipe.training.balance == "sampling"
    weights = task.sampling_weights(prepared.targets.take(indices).data) if balanced else None
    return Batches(
        prepared.pixels.images,
        prepared.targets,
        indices,
        batch_size=int(recipe.training.batch_size or 32),
        preprocessing=prepared.preprocessing,
        augmentation=Augmentation(recipe.augmentation),
        seed=recipe.seed,
        device=device,
        weights=weights,
        mix=create_mix(recipe, task.num_mix_classes),
    )


def create_mix(recipe: Recipe, num_classes: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None:
    """Return what mixes the images of a batch with each other: mixup, cutmix, one of both at random, or nothing."""
    choices: list[nn.Module] = []
    if recipe.augmentation.mixup > 0:
        choices.append(v2.MixUp(num_classes=num_classes, alpha=recipe.augmentation.mixup))
    if recipe.augmentation.cutmix > 0:
        choices.append(v2.CutMix(num_classes=num_classes, alpha=recipe.augmentation.cutmix))
    if not choices:
        return None
    return choices[0] if len(choices) == 1 else v2.RandomChoice(choices)


def measure_throughput(session: Session) -> dict[str, float]:
    """Time the loader alone and one training step alone, each for about half a second, on a copy of the network.

    Returns:
        ``{"loader": …, "model": …}``, images per second.
    """
    batches, device = session.batches, session.fabric.device
    order = batches.order(0)
    seed_step(0, 0, 0)
    batch = batches.batch(order[: batches.batch_size])

    def load() -> None:
        batches.batch(order[: batches.batch_size])

    network = copy.deepcopy(session.learner).train()

    def train() -> None:
        with session.fabric.autocast():
            loss = session.task.loss(network, batch)["loss"]
        loss.backward()

    return {name: batches.batch_size / _time(step, device) for name, step in (("loader", load), ("model", train))}


def _time(step: Callable[[], None], device: torch.device) -> float:
    """Return the median seconds of a step, after one that is not counted."""
    times = []
    begun = time.perf_counter()
    for number in range(200):
        started = time.perf_counter()
        step()
        if device.type != "cpu":
            torch.accelerator.synchronize()
        if number:
            times.append(time.perf_counter() - started)
        if number and time.perf_counter() - begun > MEASURE_SECONDS:
            break
    return sorted(times)[len(times) // 2]
