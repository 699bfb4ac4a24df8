"""Initial weights from another run: located, identified by a fingerprint, and loaded into a network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from opsin.data.preprocessing import Preprocessing
from opsin.errors import NetworkError, RunError
from opsin.networks.layer_groups import head_of, zero_last_layer
from opsin.runs.folder import RunFolder
from opsin.storage.safetensors import read_tensors

LEAST = 0.5  # part of the values below the head that must fit for the weights to be those of such a network


@dataclass(frozen=True)
class Source:
    """A file of weights, and the run that it lies in.

    Attributes:
        path: The safetensors file.
        folder: The run; None where the file lies elsewhere.
    """

    path: Path
    folder: RunFolder | None

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What the weights expect as input; None where it is not known."""
        return None if self.folder is None else Preprocessing.from_dict(self.folder.read("preprocessing.json"))

    @property
    def fingerprint(self) -> str:
        """The first sixteen hexadecimal digits of the file's SHA-256."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def find_source(weights: str) -> Source:
    """Find what ``network.weights`` names: the folder of a run, or a file of weights.

    Raises:
        RunError: There are none, or the run has no weights yet.
    """
    path = Path(weights)
    if not path.exists():
        raise RunError(
            f"network.weights: there is no {path}; name the folder of a run, or the best.safetensors in one."
        )
    file = path / "best.safetensors" if path.is_dir() else path
    folder = RunFolder(file.parent) if path.is_dir() or (file.parent / "run.json").exists() else None
    if not file.exists():
        raise RunError(f"network.weights: {path} has no weights yet, as none of its epochs is finished.")
    return Source(file, folder)


def begin_from(network: nn.Module, source: Source, classes: Sequence[str]) -> str:
    """Fill a network with all weights of a run that fit by name and shape.

    The head is filled where the run knows the same classes in the same order; otherwise all classes begin at even odds.

    Args:
        network: Changed in place.
        source: Where the weights are.
        classes: Class names, in the order of the network's outputs.

    Returns:
        Which weights these are, for people.

    Raises:
        NetworkError: Less than half of the network would be filled.
        RunError: The file is damaged.
    """
    stored, facts = read_tensors(source.path)
    own = network.state_dict()
    fitting = {key: value for key, value in stored.items() if key in own and own[key].shape == value.shape}
    head = _names_in_head(network)
    body = {key: value.numel() for key, value in own.items() if key not in head}
    if sum(body[key] for key in fitting if key in body) < LEAST * sum(body.values()) or not fitting:
        raise NetworkError(
            f"The weights in {source.path} are of another network: {sum(key in body for key in fitting)} of the "
            f"{len(body)} tensors below the head have a name and shape that fit {type(network).__name__}; leave out "
            "--network and --options to take over the run's own."
        )
    if source.folder is None or source.folder.classes != tuple(classes) or not head <= set(fitting):
        fitting = {key: value for key, value in fitting.items() if key not in head}
    network.load_state_dict(own | fitting)
    if not head <= set(fitting):
        zero_last_layer(network)
    name = source.path.name if source.folder is None else source.folder.name
    epoch = f", epoch {facts['epoch']}" if "epoch" in facts else ""
    return f"{name}{epoch}, {len(fitting)} of {len(own)} tensors"


def _names_in_head(network: nn.Module) -> set[str]:
    """Return the names of the head's tensors in the network's state."""
    head = head_of(network)
    parts = list(head) if isinstance(head, nn.ModuleList) else [head]
    return {
        f"{name}.{key}"
        for name, module in network.named_modules()
        if any(module is part for part in parts)
        for key in module.state_dict()
    }
