"""Decoder of U-Nets: blocks of convolutions, attention gates, upsampling with skip connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from opsin.networks.segmentation.upsampling import Upsampling

Block = Callable[[int, int], nn.Module]


def double_convolution(in_channels: int, out_channels: int, kernel: int = 3) -> nn.Sequential:
    """Return two padded convolutions, each with batch normalization and ReLU."""
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [
            nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class AttentionGate(nn.Module):
    """Attention gate: the coarse map weights the positions of the fine map (Oktay et al. 2018, Attention U-Net).

    Args:
        coarse: Channels of the coarse map, already upsampled to the size of the fine one.
        fine: Channels of the fine map.
    """

    def __init__(self, coarse: int, fine: int):
        super().__init__()
        between = max(fine // 2, 1)
        self.coarse = nn.Conv2d(coarse, between, 1)
        self.fine = nn.Conv2d(fine, between, 1, bias=False)
        self.weight = nn.Sequential(nn.ReLU(), nn.Conv2d(between, 1, 1), nn.Sigmoid())

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Return the fine map ``(N, fine, H, W)``, each position multiplied by a weight in [0, 1]."""
        result: Tensor = fine * self.weight(self.coarse(coarse) + self.fine(fine))
        return result


class Decoder(nn.Module):
    """Steps from the coarsest to the finest map: upsample, concatenate the skip connection, convolve.

    Args:
        bottom: Channels of the coarsest map.
        skips: Channels of the skip connections, coarsest first; 0: a step without one.
        widths: Channels after each step; same length as ``skips``.
        block: Creates the convolutions of a step: ``block(in_channels, out_channels)``.
        upsampling: See `opsin.networks.segmentation.upsampling.Upsampling`.
        attention: Whether the skip connections have an `AttentionGate`.
    """

    def __init__(
        self,
        bottom: int,
        skips: Sequence[int],
        widths: Sequence[int],
        block: Block = double_convolution,
        upsampling: str = "transposed",
        attention: bool = False,
    ):
        super().__init__()
        incoming = [bottom, *widths[:-1]]
        self.enlarge = nn.ModuleList(
            Upsampling(upsampling, before, after) for before, after in zip(incoming, widths, strict=True)
        )
        self.gates = nn.ModuleList(
            AttentionGate(width, skip) if attention and skip else nn.Identity()
            for width, skip in zip(widths, skips, strict=True)
        )
        self.blocks = nn.ModuleList(block(width + skip, width) for width, skip in zip(widths, skips, strict=True))

    def forward(
        self, features: Tensor, skips: Sequence[Tensor | None], indices: Sequence[Tensor | None] | None = None
    ) -> Tensor:
        """Return ``(N, widths[-1], H, W)``.

        Args:
            features: The coarsest map.
            skips: Maps of the skip connections, coarsest first, each twice as large as the previous one.
            indices: For unpooling: indices of max pooling, coarsest first.
        """
        for step, (enlarge, gate, block) in enumerate(zip(self.enlarge, self.gates, self.blocks, strict=True)):
            features = enlarge(features, None if indices is None else indices[step])
            skip = skips[step]
            if skip is not None:
                fine = gate(features, skip) if isinstance(gate, AttentionGate) else skip
                features = torch.cat([features, fine], dim=1)
            features = block(features)
        return features
