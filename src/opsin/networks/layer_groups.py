"""The parts of a network that learn at different times and rates: its head, and groups of layers below it."""

from __future__ import annotations

from typing import Any

from torch import nn

from opsin.errors import NetworkError


def unwrapped(network: nn.Module) -> nn.Module:
    """Return a network without what averages it, sets it up on a device or feeds its head alone."""
    while isinstance(inner := getattr(network, "module", None), nn.Module):
        network = inner
    return network


def head_of(network: nn.Module) -> nn.Module:
    """Return the head: the part that is new in each task and that a frozen network still trains.

    Of most networks it is the last layer; networks of ours may have one of several layers. Networks that learn from a
    teacher have two (deit, levit); they are returned as one list of modules.

    Raises:
        NetworkError: The network has none that is known.
    """
    get = getattr(network, "get_classifier", None)
    head = get() if callable(get) else getattr(network, "head", None)
    if isinstance(head, tuple):
        head = nn.ModuleList(head)
    if not isinstance(head, nn.Module) or not any(True for _ in head.parameters()):
        raise NetworkError(f"{type(network).__name__} has no last layer that is known; train it without freezing.")
    return head


def begin_at_even_odds(network: nn.Module) -> None:
    """Set the last layer of a network to zero, so that all classes are equally likely at first.

    timm draws the last layer of an EfficientNet for two classes from -0.7 to 0.7 (its range falls with the number of
    classes, not of features): losses of 5 to 14 on the first images, which fine-tuning has to unlearn.
    """
    head = head_of(network)
    for part in head if isinstance(head, nn.ModuleList) else [head]:
        layers = [module for module in part.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
        for parameter in layers[-1].parameters() if layers else ():
            nn.init.zeros_(parameter)


def layer_groups(network: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a network in groups from the input to the output, the head last.

    The groups are those of timm's ``group_matcher``; where a network has none, ours among them, they are its modules
    down to the second level (``stages.0``).

    Raises:
        NetworkError: The network has no head that is known.
    """
    head = list(head_of(network).parameters())
    depths, in_head = _depths(network), {id(parameter) for parameter in head}
    groups: dict[int, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if id(parameter) not in in_head:
            groups.setdefault(depths[name], []).append(parameter)
    return [*(groups[depth] for depth in sorted(groups)), head]


def _depths(network: nn.Module) -> dict[str, int]:
    """Return the number of each parameter's group, counted from the input."""
    matcher: Any = getattr(network, "group_matcher", None)
    if matcher is not None:
        from timm.models import group_parameters

        by_depth = group_parameters(network, matcher(coarse=False))
        return {name: depth for depth, names in by_depth.items() for name in names}
    numbers: dict[str, int] = {}  # by order: modules are registered as they follow each other
    modules = {name: ".".join(name.split(".")[:-1][:2]) for name, _ in network.named_parameters()}
    return {name: numbers.setdefault(module, len(numbers)) for name, module in modules.items()}
