"""The optimizer, the learning rate at every step, and which layers learn when."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from opsin.errors import RecipeError
from opsin.networks.layer_groups import layer_groups, unwrapped
from opsin.recipe.schema import TrainingRecipe


def create_optimizer(network: nn.Module, recipe: TrainingRecipe) -> torch.optim.Optimizer:
    """Make the optimizer of a resolved recipe.

    Weight decay acts on matrices and kernels only, not on biases and normalization (as in He et al. 2019). For ``adam``
    and ``rmsprop`` it is added to the gradient, for ``adamw`` it is decoupled from it (Loshchilov and Hutter 2019);
    ``sgd`` has Nesterov momentum, ``rmsprop`` (Hinton 2012) has none.

    With ``layer_decay`` each group of layers learns at that factor times the rate of the group after it, the head at
    the full rate (Howard and Ruder 2018; Clark et al. 2020); otherwise there is one group. The head's is the first.
    """
    rate = float(recipe.learning_rate or 0)
    parts = [list(network.parameters())] if recipe.layer_decay == 1 else layer_groups(network)[::-1]
    groups = [
        {"params": parameters, "weight_decay": decay, "lr": rate * recipe.layer_decay**distance}
        for distance, part in enumerate(parts)
        for parameters, decay in (
            ([parameter for parameter in part if parameter.ndim > 1], float(recipe.weight_decay or 0)),
            ([parameter for parameter in part if parameter.ndim <= 1], 0.0),
        )
        if parameters
    ]
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate, alpha=recipe.momentum)
    # Fused steps are the fastest, but fused sgd cannot begin with some parameters later than with others, and Fabric
    # cannot clip what a fused optimizer unscales itself.
    fused = all(parameter.device.type in ("cpu", "cuda") for parameter in network.parameters())
    fused = fused and recipe.precision != "16-mixed" and not (recipe.optimizer == "sgd" and recipe.freeze_epochs)
    if recipe.optimizer == "sgd":
        nesterov = recipe.momentum > 0
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, nesterov=nesterov, fused=fused)
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=rate, betas=(recipe.momentum, 0.999), fused=fused)


class Schedule:
    """Sets the learning rate of an optimizer, after each step and, for ``plateau``, after each epoch.

    Args:
        optimizer: Its learning rates are multiplied by a factor in [0, 1].
        recipe: A resolved recipe.
        steps_per_epoch: Optimizer steps in an epoch.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, recipe: TrainingRecipe, steps_per_epoch: int):
        self.optimizer = optimizer
        self.recipe = recipe
        self.steps_per_epoch = steps_per_epoch
        self.peaks = [float(group["lr"]) for group in optimizer.param_groups]
        self.taken = 0
        self.reduction = 1.0
        self.lowest = math.inf
        self.stalled = 0
        self._apply()

    @property
    def learning_rate(self) -> float:
        """The rate of the first parameter group, which the head is in, in the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def factor(self, step: int) -> float:
        """Return the factor of the learning rate at an optimizer step, counted from 0, reductions on plateaus apart.

        ``one-cycle`` rises from 1/25 on a cosine over the first quarter, then falls on a cosine to 1/10,000 (Smith
        2018); ``cosine`` falls to 0 (Loshchilov and Hutter 2017).
        """
        total = max(1, int(self.recipe.epochs or 1) * self.steps_per_epoch)
        if self.recipe.schedule == "one-cycle":
            rise = max(1, total // 4)
            if step < rise:
                return _cosine(1 / 25, 1, step / rise)
            return _cosine(1, 1e-4, (step - rise) / max(1, total - rise))
        warmup = round(self.recipe.warmup_epochs * self.steps_per_epoch)
        if step < warmup:
            return (step + 1) / warmup
        if self.recipe.schedule == "cosine":
            return _cosine(1, 0, (step - warmup) / max(1, total - warmup))
        if self.recipe.schedule == "step":
            return self.recipe.gamma ** (step // (self.recipe.step_epochs * self.steps_per_epoch))
        return 1.0

    def step(self) -> None:
        """Go on to the next optimizer step."""
        self.taken += 1
        self._apply()

    def after_epoch(self, loss: float) -> None:
        """For ``plateau``: reduce the rate once the validation loss has not fallen for long enough."""
        if loss < self.lowest:
            self.lowest, self.stalled = loss, 0
            return
        self.stalled += 1
        if self.recipe.schedule == "plateau" and self.stalled > self.recipe.plateau_epochs:
            self.reduction *= self.recipe.gamma
            self.stalled = 0
            self._apply()

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on, as plain values."""
        lowest = self.lowest if math.isfinite(self.lowest) else None
        return {"taken": self.taken, "reduction": self.reduction, "lowest": lowest, "stalled": self.stalled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.taken, self.reduction, self.stalled = state["taken"], state["reduction"], state["stalled"]
        self.lowest = math.inf if state["lowest"] is None else state["lowest"]
        self._apply()

    def _apply(self) -> None:
        factor = self.factor(self.taken) * self.reduction
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def set_trainable(network: nn.Module, recipe: TrainingRecipe, epoch: float) -> None:
    """Freeze or wake layers for an epoch, counted from 0.

    In the first ``freeze_epochs`` only the head learns. After that ``trainable_layers`` groups do at once or, with
    ``unfreeze_every``, one more group from the head down every so many epochs. A frozen layer is wholly at rest: the
    statistics of its batch normalization are used and not updated, and nothing is left out by dropout within it.

    Args:
        network: In training mode.
        recipe: A resolved recipe.
        epoch: Counted from 0; infinity: after the last.
    """
    network, freeze = unwrapped(network), recipe.freeze_epochs or 0
    if not freeze and not recipe.trainable_layers:
        return
    groups = layer_groups(network)
    awake = recipe.trainable_layers or len(groups)
    if epoch < freeze:
        awake = 1
    elif recipe.unfreeze_every and freeze and math.isfinite(epoch):
        awake = min(awake, 2 + int(epoch - freeze) // recipe.unfreeze_every)
    for distance, group in enumerate(reversed(groups)):
        for parameter in group:
            parameter.requires_grad_(distance < awake)
    for module in network.modules():
        learning = [parameter.requires_grad for parameter in module.parameters()]
        if learning and not any(learning):
            module.eval()


def check_trainable_layers(network: nn.Module, recipe: TrainingRecipe) -> None:
    """Raise where more groups of layers are to learn than the network has.

    Raises:
        RecipeError: They are.
    """
    groups = len(layer_groups(network)) if recipe.trainable_layers else 0
    if recipe.trainable_layers > groups:
        raise RecipeError(
            f"training.trainable_layers is {recipe.trainable_layers}, but the network has {groups} groups of layers; "
            "leave it out to train all of them."
        )
