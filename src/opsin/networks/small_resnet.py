"""Our small residual network for images up to 64 pixels: the default where nothing else is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalization, added to their input (He et al. 2016).

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        stride: 2 halves the image; the shortcut then averages 2x2 pixels before its 1x1 convolution (He et al. 2019),
            so that no pixel is ignored.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        shortcut: list[nn.Module] = []
        if stride > 1:
            shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))
        if in_channels != out_channels:
            shortcut += [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
        self.shortcut = nn.Sequential(*shortcut)
        self.activation = nn.ReLU()
        nn.init.zeros_(self.convolutions[-1].weight)  # type: ignore[arg-type]  # each block begins as its shortcut

    def forward(self, features: Tensor) -> Tensor:
        """Return ``(N, out_channels, H / stride, W / stride)``, rounded up."""
        return self.activation(self.convolutions(features) + self.shortcut(features))


class SmallResNet(nn.Module):
    """A stem, residual blocks that halve the image stage by stage, global average pooling, one dense layer.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image.
        image_size: (height, width); the network adapts to any, larger ones only begin with a coarser stem.
        widths: Channels of the stages; each but the first halves the image.
        blocks: Residual blocks of each stage.
        dropout: Chance of a feature to be left out before the dense layer.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        widths: Sequence[int] = (16, 32, 64, 128),
        blocks: Sequence[int] = (1, 1, 1, 1),
        dropout: float = 0.0,
    ):
        super().__init__()
        stride = 2 if min(image_size) >= 96 else 1
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, stride, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        stages, channels = [], widths[0]
        for number, (width, depth) in enumerate(zip(widths, blocks, strict=True)):
            stage = [
                ResidualBlock(channels if block == 0 else width, width, 2 if number and block == 0 else 1)
                for block in range(depth)
            ]
            stages.append(nn.Sequential(*stage))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        return self.head(self.dropout(self.pool(self.stages(self.stem(images))).flatten(1)))
