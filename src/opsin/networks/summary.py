"""Summary of a network: layers, output shapes, parameters and multiply-accumulate operations."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


class LayerSummary(TypedDict):
    """A module that owns parameters.

    Attributes:
        name: Dotted name of the module.
        type: Its class.
        output: Output shape without the batch dimension.
        parameters: Number of parameters.
        trainable: Whether any parameter is trained.
    """

    name: str
    type: str
    output: list[int]
    parameters: int
    trainable: bool


class NetworkSummary(TypedDict):
    """Size and layers of a network.

    Attributes:
        parameters: Number of parameters.
        macs: Multiply-accumulate operations per image, in matrix products and convolutions.
        input: Shape (C, H, W) of one image.
        layers: The modules that own parameters, in forward order.
    """

    parameters: int
    macs: int
    input: list[int]
    layers: list[LayerSummary]


def summarize(network: nn.Module, input_shape: tuple[int, int, int]) -> NetworkSummary:
    """Count a network's parameters layer by layer and the multiply-accumulate operations of one image.

    Args:
        network: Maps images ``(N, C, H, W)`` to logits; it is not modified.
        input_shape: (C, H, W).
    """
    network = copy.deepcopy(network).to("cpu").eval()
    layers: list[LayerSummary] = []
    hooks = []
    for name, module in network.named_modules():
        own = list(module.parameters(recurse=False))
        if own:
            hooks.append(module.register_forward_hook(_recorder(name, own, layers)))
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *input_shape))
    for hook in hooks:
        hook.remove()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {
        "parameters": parameters,
        "macs": counter.get_total_flops() // 2,
        "input": list(input_shape),
        "layers": layers,
    }


def _recorder(name: str, own: list[nn.Parameter], layers: list[LayerSummary]) -> Callable[..., None]:
    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if any(layer["name"] == name for layer in layers):
            return
        layers.append(
            {
                "name": name,
                "type": type(module).__name__,
                "output": list(output.shape[1:]) if isinstance(output, Tensor) else [],
                "parameters": sum(parameter.numel() for parameter in own),
                "trainable": any(parameter.requires_grad for parameter in own),
            }
        )

    return record
