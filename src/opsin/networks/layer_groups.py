"""Layer groups of a network, trained at different times and learning rates: the head and the groups below it."""

from __future__ import annotations

from typing import Any

from torch import nn

from opsin.errors import NetworkError


def unwrapped(network: nn.Module) -> nn.Module:
    """Return the innermost network, without wrappers for averaging, devices or head-only training."""
    while isinstance(inner := getattr(network, "module", None), nn.Module):
        network = inner
    return network


def head_of(network: nn.Module) -> nn.Module:
    """Return the head: the part that is new for each task and that is trained when the rest is frozen.

    Usually it is the last layer; some of Opsin's networks have a head of several layers. Distilled networks have two
    (deit, levit), returned as one list of modules.

    Raises:
        NetworkError: The head cannot be identified.
    """
    get = getattr(network, "get_classifier", None)
    head = get() if callable(get) else getattr(network, "head", None)
    if isinstance(head, tuple):
        head = nn.ModuleList(head)
    if not isinstance(head, nn.Module) or not any(True for _ in head.parameters()):
        raise NetworkError(f"{type(network).__name__} has no recognizable head; train it without freezing.")
    return head


def zero_last_layer(network: nn.Module) -> None:
    """Set the last layer of a network to zero, so that all classes have the same initial probability.

    timm initializes the last layer of an EfficientNet for two classes uniformly between -0.7 and 0.7 (the range depends
    on the number of classes, not of features), which gives initial losses of 5 to 14.
    """
    head = head_of(network)
    for part in head if isinstance(head, nn.ModuleList) else [head]:
        layers = [module for module in part.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
        for parameter in layers[-1].parameters() if layers else ():
            nn.init.zeros_(parameter)


def layer_groups(network: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a network in groups from the input to the output, the head last.

    The groups are those of timm's ``group_matcher``. Networks without one, including Opsin's, are grouped by their
    modules down to the second level (``stages.0``).

    Raises:
        NetworkError: The head cannot be identified.
    """
    head = list(head_of(network).parameters())
    depths, in_head = _depths(network), {id(parameter) for parameter in head}
    groups: dict[int, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if id(parameter) not in in_head:
            groups.setdefault(depths[name], []).append(parameter)
    return [*(groups[depth] for depth in sorted(groups)), head]


def _depths(network: nn.Module) -> dict[str, int]:
    """Return the index of each parameter's group, counted from the input."""
    matcher: Any = getattr(network, "group_matcher", None)
    if matcher is not None:
        from timm.models import group_parameters

        by_depth = group_parameters(network, matcher(coarse=False))
        return {name: depth for depth, names in by_depth.items() for name in names}
    numbers: dict[str, int] = {}  # modules are registered in forward order
    modules = {name: ".".join(name.split(".")[:-1][:2]) for name, _ in network.named_parameters()}
    return {name: numbers.setdefault(module, len(numbers)) for name, module in modules.items()}
