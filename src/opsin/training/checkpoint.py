"""Checkpoints: everything that resuming needs, in one safetensors file that replaces the last one in one step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from opsin.errors import RunError
from opsin.storage.safetensors import fill, read_tensors, write_tensors
from opsin.training.fit import TrainingState
from opsin.training.optimizer import Schedule


def save_checkpoint(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    average: AveragedModel | None,
    precision: Any,
    state: TrainingState,
    recipe_hash: str,
) -> None:
    """Write everything that `load_checkpoint` needs to go on bit for bit.

    ``precision`` is Fabric's: for 16-mixed it holds the scale of the gradients.

    Raises:
        RunError: The disk is full; the checkpoint that was there before is untouched.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    optimizer_state = optimizer.state_dict()
    for index, entries in optimizer_state["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in entries.items() if value is not None}
    tensors |= {f"sums.{name}": value for name, value in state.sums.items()}
    facts = {
        "recipe": recipe_hash,
        "groups": optimizer_state["param_groups"],
        "schedule": schedule.state_dict(),
        "precision": precision.state_dict(),
        "epoch": state.epoch,
        "step": state.step,
        "images": state.images,
        "history": state.history,
        "best": state.best,
    }
    write_tensors(path, tensors, facts)


def load_checkpoint(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    average: AveragedModel | None,
    precision: Any,
    recipe_hash: str,
) -> TrainingState:
    """Bring network, optimizer, schedule and average to where `save_checkpoint` left them, and return the state.

    Raises:
        RunError: The file is missing, damaged, or belongs to another recipe.
    """
    tensors, facts = read_tensors(path)
    if facts.get("recipe") != recipe_hash:
        raise RunError(f"{path} belongs to another recipe than the run's recipe.toml; it cannot be resumed.")
    fill(network, _part(tensors, "network."), path)
    if average is not None:
        fill(average, _part(tensors, "average."), path)
    try:
        _fill_optimizer(optimizer, _part(tensors, "optimizer."), facts["groups"])
        schedule.load_state_dict(facts["schedule"])
        if facts["precision"]:
            precision.load_state_dict(facts["precision"])
        device = next(network.parameters()).device
        return TrainingState(
            epoch=facts["epoch"],
            step=facts["step"],
            images=facts["images"],
            sums={name: value.to(device) for name, value in _part(tensors, "sums.").items()},
            history=facts["history"],
            best=facts["best"],
        )
    except (KeyError, ValueError, IndexError) as error:
        raise RunError(f"{path} is not a checkpoint of this network and optimizer ({error}).") from None


def _fill_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], groups: list[dict[str, Any]]) -> None:
    """Load an optimizer's state, its tensors laid out in memory as their parameters are.

    The layout matters: the fused steps read a parameter and its state in storage order.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, entry = name.partition(".")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[entry] = value
    groups = [group | ({"betas": tuple(group["betas"])} if "betas" in group else {}) for group in groups]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
