"""What a network is made of: its layers, their output shapes, parameters and multiplications."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def summarize(network: nn.Module, input_shape: tuple[int, int, int]) -> dict[str, Any]:
    """Count a network's parameters layer by layer and the multiply-accumulate operations of one image.

    Args:
        network: Maps images ``(N, C, H, W)`` to logits. It is not changed.
        input_shape: (C, H, W).

    Returns:
        ``{"parameters": int, "macs": int, "input": [C, H, W], "layers": [{"name", "type", "output", "parameters",
        "trainable"}]}``. Layers are the modules that own parameters, in the order in which they run; ``output`` is the
        shape without the batch. ``macs`` counts matrix products and convolutions.
    """
    network = copy.deepcopy(network).to("cpu").eval()
    layers: list[dict[str, Any]] = []
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


def _recorder(name: str, own: list[nn.Parameter], layers: list[dict[str, Any]]) -> Any:
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
