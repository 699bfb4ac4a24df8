"""Weights as safetensors files: tensors and JSON metadata, written atomically, never pickled."""

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
    """Write a network's parameters and buffers, with metadata as JSON.

    Raises:
        RunError: The disk is full; the previous file is unchanged.
    """
    write_tensors(path, dict(network.state_dict()), facts)


def load_weights(path: Path, network: nn.Module) -> dict[str, Any]:
    """Load a file of `save_weights` into a network, and return its metadata.

    Raises:
        RunError: The file is missing, damaged, or holds the weights of another network.
    """
    tensors, facts = read_tensors(path)
    fill(network, tensors, path)
    return facts


def fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy tensors into a network by name; ``path`` is their source, for the error message.

    Raises:
        RunError: Names or shapes do not match the network.
    """
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise RunError(f"{path} holds the weights of another network: {first}") from None


def write_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors by name, with metadata as JSON in the header, atomically.

    Raises:
        RunError: The disk is full; the previous file is unchanged.
    """
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with replacing(path) as temporary:
        save_file(contiguous, temporary, metadata={"opsin": json.dumps(facts)})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and metadata of a file of `write_tensors`.

    Raises:
        RunError: The file is missing or damaged, or a pickle (``.pt``), which could execute code.
    """
    if not path.exists():
        raise RunError(f"{path} is missing: the run ended before it was written, or it was moved.")
    if _is_pickle(path):
        raise RunError(
            f"{path} is a pickled file, which could run any program on this machine; Opsin reads only safetensors."
        )
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("opsin", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 - not a dict
    except (SafetensorError, json.JSONDecodeError, OSError, ValueError) as error:
        raise RunError(
            f"{path} is damaged ({error}); restore it from a backup, or train again from recipe.toml."
        ) from None


def _is_pickle(path: Path) -> bool:
    """Whether a file starts like a pickle, or like a zip archive (torch's ``.pt``)."""
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":  # start of the safetensors header, after its length
        return False
    return start[:2] == b"PK" or (len(start) > 1 and start[0] == 0x80 and start[1] <= 5)
