"""Ways to make a map larger, from which every segmentation network chooses by name; and padding to a multiple."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

UPSAMPLING = ("transposed", "bilinear", "shuffle", "unpooling")


class Upsampling(nn.Module):
    """Make maps larger by a whole factor.

    Args:
        kind: "transposed" (a transposed convolution: of stride 2 and kernel 3 its kernels overlap unevenly, which may
            show as a checkerboard; Odena et al. 2016), "bilinear" (interpolation, then a 3x3 convolution), "shuffle"
            (a 3x3 convolution to factor² times the channels, then sub-pixel shuffle; Shi et al. 2016, begun as
            nearest-neighbor interpolation; Aitken et al. 2017), or "unpooling" (a 3x3 convolution, then each value
            back to where max pooling took it from, zeros elsewhere; Zeiler et al. 2011).
        in_channels: Channels that come in.
        out_channels: Channels that go out; with "unpooling" those of the maps that were pooled.
        factor: How many times larger; 2 with "unpooling".
        kernel: Of "transposed" alone; left out: 3 for the factor 2, else twice the factor.
    """

    def __init__(self, kind: str, in_channels: int, out_channels: int, factor: int = 2, kernel: int | None = None):
        super().__init__()
        if kind not in UPSAMPLING:
            raise ValueError(f"upsampling must be one of {', '.join(UPSAMPLING)}, not {kind!r}")
        if kind == "unpooling" and factor != 2:
            raise ValueError("unpooling undoes max pooling by 2, and nothing else")
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
            begin_as_nearest(convolution, factor)
            self.convolution = nn.Sequential(convolution, nn.PixelShuffle(factor))
        else:
            self.convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, features: Tensor, indices: Tensor | None = None) -> Tensor:
        """Return ``(N, out_channels, factor * H, factor * W)``.

        Args:
            features: ``(N, in_channels, H, W)``.
            indices: ``(N, out_channels, H, W)``, where max pooling found each value; needed by "unpooling".
        """
        if self.kind == "bilinear":
            size = [self.factor * side for side in features.shape[2:]]
            features = functional.interpolate(features, size, mode="bilinear", align_corners=False)
        features = self.convolution(features)
        if self.kind == "unpooling":
            if indices is None:
                raise ValueError("unpooling needs to know where max pooling found its values")
            features = functional.max_unpool2d(features, indices, [2, 2])
        return features


@torch.no_grad()
def begin_as_nearest(convolution: nn.Conv2d, factor: int) -> None:
    """Give the channels that a pixel shuffle will lay side by side the same weights (Aitken et al. 2017)."""
    for parameter in (convolution.weight, convolution.bias):
        if parameter is not None:
            parameter.copy_(parameter[:: factor**2].repeat_interleave(factor**2, dim=0))


@torch.no_grad()
def begin_as_bilinear(convolution: nn.ConvTranspose2d) -> None:
    """Set a transposed convolution of the kernel ``2 * stride`` to bilinear interpolation of each channel by itself."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    distance = (torch.arange(kernel) - (kernel - 1) / 2).abs() / stride
    weights = (1 - distance).clamp(min=0)
    convolution.weight.zero_()
    for channel in range(min(convolution.in_channels, convolution.out_channels)):
        convolution.weight[channel, channel] = weights[:, None] * weights
    if convolution.bias is not None:
        convolution.bias.zero_()


def padded(images: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column of ``(N, C, H, W)`` until both sides are multiples of a number."""
    down, right = (-side % multiple for side in images.shape[2:])
    return functional.pad(images, (0, right, 0, down), mode="replicate") if down or right else images
