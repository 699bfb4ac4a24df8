"""Weights as safetensors files: tensors and a few facts, written in one step, never a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from opsin.errors import RunError
from opsin.storage.atomic import replacing


def save_weights(path: Path, network: nn.Module, **facts: Any) -> None:
    """Write a network's weights and statistics, with a few facts as JSON.

    Raises:
        RunError: The disk is full; the file that was there before is untouched.
    """
    write_tensors(path, dict(network.state_dict()), facts)


def load_weights(path: Path, network: nn.Module) -> dict[str, Any]:
    """Fill a network with what `save_weights` wrote, and return the facts.

    Raises:
        RunError: The file is missing, damaged, or of another network.
    """
    tensors, facts = read_tensors(path)
    fill(network, tensors, path)
    return facts


def fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy tensors into a network by name; ``path`` is where they come from, for the message.

    Raises:
        RunError: Names or shapes are those of another network.
    """
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise RunError(f"{path} holds the weights of another network: {first}") from None


def write_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors by name, and facts as JSON in the header, in one step.

    Raises:
        RunError: The disk is full; the file that was there before is untouched.
    """
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with replacing(path) as temporary:
        save_file(contiguous, temporary, metadata={"opsin": json.dumps(facts)})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what `write_tensors` wrote.

    Raises:
        RunError: The file is missing or damaged, or a pickle (``.pt``), which could run any program.
    """
    if not path.exists():
        raise RunError(f"{path} is missing: the run ended before it was written, or it was moved.")
    if _is_pickle(path):
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


def _is_pickle(path: Path) -> bool:
    """Whether a file begins like a pickle, or like the zip archive that torch's ``.pt`` files are."""
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":  # where the header of safetensors begins, after its length
        return False
    return start[:2] == b"PK" or (len(start) > 1 and start[0] == 0x80 and start[1] <= 5)
