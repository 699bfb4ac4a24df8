"""Attribution of a network's output to pixels by four methods, computed by captum.

The explained output is the logit of a class or label, or a value. Maps are signed (positive where a pixel raises the
output, negative where it lowers it) or absolute (influence in either direction). No map proves what the network has
understood: some hardly change when its weights are randomized (Adebayo et al. 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from opsin.errors import NetworkError

METHODS = ("saliency", "integrated_gradients", "grad_cam", "occlusion")
SIGNED = frozenset({"integrated_gradients", "occlusion"})
BORDER = 0.1  # of each side


class _Settings(NamedTuple):
    """Keyword arguments of `attribute`; see there."""

    baseline: Tensor | float
    steps: int
    windows: int
    batch_size: int


@dataclass(frozen=True)
class FeatureMap:
    """Last feature map of a network with spatial dimensions.

    Attributes:
        name: Name of the module, as in ``network.named_modules()``.
        module: Module that returns ``(N, channels, height, width)``.
        height: More than 1.
        width: More than 1.
    """

    name: str
    module: nn.Module
    height: int
    width: int


def attribute(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    methods: Sequence[str] = METHODS,
    *,
    baseline: Tensor | float = 0.0,
    steps: int = 32,
    windows: int = 8,
    batch_size: int = 32,
) -> dict[str, NDArray[np.float32]]:
    """Explain the logit of a class by the pixels of an image, in evaluation mode.

    ========================  ========  ===========================================================================
    method                    values    meaning
    ========================  ========  ===========================================================================
    ``saliency``              absolute  largest absolute gradient of the logit by the channels of a pixel (Simonyan et
                                        al. 2014)
    ``integrated_gradients``  signed    part of (logit - logit of the baseline) due to a pixel, summed over its
                                        channels; all pixels together give that difference
                                        (Sundararajan et al. 2017)
    ``grad_cam``              absolute  channels of the last feature map, weighted by their mean gradients, where they
                                        support the class; upsampled bilinearly (Selvaraju et al. 2017)
    ``occlusion``             signed    fall of the logit when a square is covered by the baseline, averaged over the
                                        squares that cover a pixel (Zeiler and Fergus 2014)
    ========================  ========  ===========================================================================

    Args:
        network: Maps images to logits ``(N, classes)``; its mode is restored.
        images: float32 ``(N, C, H, W)``, normalized, on the network's device.
        targets: int64 ``(N,)``, the class whose logit is explained.
        methods: Names from `METHODS`.
        baseline: Normalized color for "nothing there": a number or ``(C, 1, 1)``; 0 is the mean color that
            normalization subtracts.
        steps: Points between baseline and image for integrated gradients.
        windows: Approximate number of half-overlapping squares along a side for occlusion.
        batch_size: Images per forward pass.

    Returns:
        Method -> float32 ``(N, H, W)``.

    Raises:
        NetworkError: "grad_cam" is requested and the network has no feature map; see `find_feature_map`.
    """
    was_training = network.training
    network.eval()
    try:
        with torch.enable_grad():
            maps = {
                method: _EXPLAIN[method](network, images, targets, _Settings(baseline, steps, windows, batch_size))
                for method in methods
            }
    finally:
        network.train(was_training)
    return {method: value.detach().float().cpu().numpy() for method, value in maps.items()}


def find_feature_map(network: nn.Module, image: Tensor) -> FeatureMap:
    """Find the feature map of Grad-CAM: the last module whose output has more than one position, on one image.

    Args:
        network: Any classifier.
        image: float32 ``(1, C, H, W)``, on its device.

    Raises:
        NetworkError: There is none, because the network works on vectors (mlp) or sequences of patches (vit), or uses
            another memory layout (swin).
    """
    found: list[FeatureMap] = []
    sequences: list[str] = []

    def watcher(name: str) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
        def watch(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            shape = output.shape if isinstance(output, Tensor) else ()
            if len(shape) == 4 and min(shape[2:]) > 1 and not isinstance(module, nn.Identity):
                found.append(FeatureMap(name, module, shape[2], shape[3]))
                sequences.clear()
            elif len(shape) == 3 and shape[1] > 1:
                sequences.append(name)

        return watch

    hooks = [module.register_forward_hook(watcher(name)) for name, module in network.named_modules() if name]
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            network(image)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    if getattr(network, "output_fmt", "NCHW") != "NCHW" or sequences:
        raise NetworkError(f"{type(network).__name__} works on image patches and has no feature map for Grad-CAM.")
    if not found:
        raise NetworkError(f"{type(network).__name__} has no convolutional feature map for Grad-CAM.")
    return found[-1]


def occlusion_window(side: int, windows: int) -> tuple[int, int, int]:
    """Return size, stride and number of the squares along a side; the last may be cut off.

    Args:
        side: Pixels.
        windows: Approximate number of squares.
    """
    stride = max(1, round(side / windows))
    size = min(2 * stride, side)
    return size, stride, math.ceil((side - size) / stride) + 1


def border_share(maps: NDArray[np.float32], part: float = BORDER) -> tuple[NDArray[np.float64], float]:
    """Return the fraction of attribution along the image border.

    Args:
        maps: float ``(N, H, W)``; absolute values count.
        part: Width of the border as a fraction of each side; at least one pixel.

    Returns:
        float64 ``(N,)``, fractions, nan if a map is all zero; and the fraction of the area, which a uniform map would
        give.
    """
    height, width = maps.shape[1:]
    rows, columns = max(1, round(part * height)), max(1, round(part * width))
    weights = np.abs(maps.astype(np.float64))
    inside = weights[:, rows : height - rows, columns : width - columns].sum(axis=(1, 2))
    whole = weights.sum(axis=(1, 2))
    share = np.divide(whole - inside, whole, out=np.full(len(maps), np.nan), where=whole > 0)
    return share, 1 - max(0, height - 2 * rows) * max(0, width - 2 * columns) / (height * width)


def _saliency(network: nn.Module, images: Tensor, targets: Tensor, settings: _Settings) -> Tensor:
    from captum.attr import Saliency

    method = Saliency(network)
    parts = [
        method.attribute(some.clone().requires_grad_(), which, abs=True)
        for some, which in zip(images.split(settings.batch_size), targets.split(settings.batch_size), strict=True)
    ]
    return torch.cat(parts).amax(dim=1)


def _integrated_gradients(network: nn.Module, images: Tensor, targets: Tensor, settings: _Settings) -> Tensor:
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(network)
    parts = [
        method.attribute(
            one.clone().requires_grad_(),
            torch.zeros_like(one) + settings.baseline,
            target=which,
            n_steps=settings.steps,
            internal_batch_size=settings.batch_size,
        )
        for one, which in zip(images.split(1), targets.split(1), strict=True)
    ]
    return torch.cat(parts).sum(dim=1)


def _grad_cam(network: nn.Module, images: Tensor, targets: Tensor, settings: _Settings) -> Tensor:
    from captum.attr import LayerAttribution, LayerGradCam

    method = LayerGradCam(network, find_feature_map(network, images[:1]).module)
    parts = [
        method.attribute(some.clone().requires_grad_(), which, relu_attributions=True)
        for some, which in zip(images.split(settings.batch_size), targets.split(settings.batch_size), strict=True)
    ]
    size = (images.shape[2], images.shape[3])
    result: Tensor = LayerAttribution.interpolate(torch.cat(parts), size, "bilinear")[:, 0]
    return result


def _occlusion(network: nn.Module, images: Tensor, targets: Tensor, settings: _Settings) -> Tensor:
    from captum.attr import Occlusion

    method, channels = Occlusion(network), images.shape[1]
    (height, down, _), (width, right, _) = (occlusion_window(side, settings.windows) for side in images.shape[2:])
    with torch.no_grad():
        parts = [
            method.attribute(
                one,
                sliding_window_shapes=(channels, height, width),
                strides=(channels, down, right),
                baselines=torch.zeros_like(one) + settings.baseline,
                target=which,
                perturbations_per_eval=settings.batch_size,
            )
            for one, which in zip(images.split(1), targets.split(1), strict=True)
        ]
    return torch.cat(parts)[:, 0]  # a square covers all channels, so all get the same value


_EXPLAIN: dict[str, Callable[[nn.Module, Tensor, Tensor, _Settings], Tensor]] = {
    "saliency": _saliency,
    "integrated_gradients": _integrated_gradients,
    "grad_cam": _grad_cam,
    "occlusion": _occlusion,
}
