"""Checkpoints: everything that resuming needs, in one safetensors file that replaces the last one in one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from opsin.errors import RunError
from opsin.files import replacing
from opsin.training.fit import TrainingState
from opsin.training.optimization import Schedule


def save_weights(path: Path, network: nn.Module, **facts: Any) -> None:
    """Write a network's weights and statistics, with a few facts as JSON.

    Raises:
        RunError: The disk is full; the file that was there before is untouched.
    """
    _write(path, dict(network.state_dict()), facts)


def load_weights(path: Path, network: nn.Module) -> dict[str, Any]:
    """Fill a network with what `save_weights` wrote.

    Returns:
        The facts.

    Raises:
        RunError: The file is missing, damaged, or of another network.
    """
    tensors, facts = _read(path)
    _fill(network, tensors, path)
    return facts


def save_checkpoint(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    average: AveragedModel | None,
    state: TrainingState,
    recipe_hash: str,
) -> None:
    """Write everything that `load_checkpoint` needs to go on bit for bit.

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
        "epoch": state.epoch,
        "step": state.step,
        "images": state.images,
        "history": state.history,
        "best": state.best,
    }
    _write(path, tensors, facts)


def load_checkpoint(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    average: AveragedModel | None,
    recipe_hash: str,
) -> TrainingState:
    """Bring network, optimizer, schedule and average to where `save_checkpoint` left them, and return the state.

    Raises:
        RunError: The file is missing, damaged, or belongs to another recipe.
    """
    tensors, facts = _read(path)
    if facts.get("recipe") != recipe_hash:
        raise RunError(f"{path} belongs to another recipe than the run's recipe.toml; it cannot be gone on with.")
    _fill(network, _part(tensors, "network."), path)
    if average is not None:
        _fill(average, _part(tensors, "average."), path)
    try:
        _fill_optimizer(optimizer, _part(tensors, "optimizer."), facts["groups"])
        schedule.load_state_dict(facts["schedule"])
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


def _fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise RunError(f"{path} holds the weights of another network: {first}") from None


def _write(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with replacing(path) as temporary:
        save_file(contiguous, temporary, metadata={"opsin": json.dumps(facts)})


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and facts. Only safetensors is read: a pickle (``.pt``) could run any program."""
    if not path.exists():
        raise RunError(f"{path} is missing: the run ended before its first checkpoint, or it was moved.")
    if zipped_or_pickled(path):
        raise RunError(
            f"{path} is a pickled file, which could run any program on this machine; Opsin reads safetensors only."
        )
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("opsin", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 - it is no dict
    except (SafetensorError, json.JSONDecodeError, OSError, ValueError) as error:
        raise RunError(
            f"{path} is damaged ({error}); restore it from a copy, or train anew from recipe.toml."
        ) from None


def zipped_or_pickled(path: Path) -> bool:
    """Whether a file begins like a zip archive or a pickle, as torch's ``.pt`` files do."""
    with path.open("rb") as file:
        start = file.read(2)
    return start == b"PK" or (len(start) == 2 and start[0] == 0x80 and start[1] <= 5)
