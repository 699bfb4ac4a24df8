"""Upsampling layers by name, shared by all segmentation networks, and padding to a multiple."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

UPSAMPLING = ("transposed", "bilinear", "shuffle", "unpooling")


class Upsampling(nn.Module):
    """Upsampling by an integer factor.

    Args:
        kind: "transposed" (transposed convolution; with stride 2 and kernel 3 its kernels overlap unevenly, which can
            cause checkerboard artifacts; Odena et al. 2016), "bilinear" (interpolation, then a 3x3 convolution),
            "shuffle" (a 3x3 convolution to factor² times the channels, then sub-pixel shuffle; Shi et al. 2016,
            initialized to nearest-neighbor interpolation; Aitken et al. 2017), or "unpooling" (a 3x3 convolution, then
            max unpooling; Zeiler et al. 2011).
        in_channels: Input channels.
        out_channels: Output channels; for "unpooling" those of the pooled maps.
        factor: Upsampling factor; 2 for "unpooling".
        kernel: Kernel size of "transposed"; default: 3 for a factor of 2, else twice the factor.
    """

    def __init__(self, kind: str, in_channels: int, out_channels: int, factor: int = 2, kernel: int | None = None):
        super().__init__()
        if kind not in UPSAMPLING:
            raise ValueError(f"upsampling must be one of {', '.join(UPSAMPLING)}, not {kind!r}")
        if kind == "unpooling" and factor != 2:
            raise ValueError("unpooling only inverts max pooling by 2; the factor must be 2")
        self.kind = kind
        self.factor = factor
        if kind == "transposed":
            kernel = kernel or (3 if factor == 2 else 2 * factor)
            padding = math.ceil((kernel - factor) / 2)
            self.convolution: nn.Module = nn.ConvTranspose2d(
                in_channels, out_channels, kernel, factor, padding, output_padding=factor + 2 * padding - kernel
            )
        elif kind == "shuffle":
            convolution = nn.Conv2d(in_channels, out_channels * factor**2, 3, padding=1)
            initialize_nearest(convolution, factor)
            self.convolution = nn.Sequential(convolution, nn.PixelShuffle(factor))
        else:
            self.convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, features: Tensor, indices: Tensor | None = None) -> Tensor:
        """Return ``(N, out_channels, factor * H, factor * W)``.

        Args:
            features: ``(N, in_channels, H, W)``.
            indices: ``(N, out_channels, H, W)``, indices of max pooling; required for "unpooling".
        """
        if self.kind == "bilinear":
            size = [self.factor * side for side in features.shape[2:]]
            features = functional.interpolate(features, size, mode="bilinear", align_corners=False)
        features = self.convolution(features)
        if self.kind == "unpooling":
            if indices is None:
                raise ValueError("unpooling needs the indices of max pooling")
            features = functional.max_unpool2d(features, indices, [2, 2])
        return features


@torch.no_grad()
def initialize_nearest(convolution: nn.Conv2d, factor: int) -> None:
    """Initialize a pixel-shuffle convolution to nearest-neighbor interpolation (Aitken et al. 2017)."""
    for parameter in (convolution.weight, convolution.bias):
        if parameter is not None:
            parameter.copy_(parameter[:: factor**2].repeat_interleave(factor**2, dim=0))


@torch.no_grad()
def initialize_bilinear(convolution: nn.ConvTranspose2d) -> None:
    """Initialize a transposed convolution with kernel ``2 * stride`` to bilinear interpolation of each channel."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    distance = (torch.arange(kernel) - (kernel - 1) / 2).abs() / stride
    weights = (1 - distance).clamp(min=0)
    convolution.weight.zero_()
    for channel in range(min(convolution.in_channels, convolution.out_channels)):
        convolution.weight[channel, channel] = weights[:, None] * weights
    if convolution.bias is not None:
        convolution.bias.zero_()


def padded(images: Tensor, multiple: int) -> Tensor:
    """Pad ``(N, C, H, W)`` at the bottom and right to multiples of a number, replicating the last row and column."""
    down, right = (-side % multiple for side in images.shape[2:])
    return functional.pad(images, (0, right, 0, down), mode="replicate") if down or right else images
