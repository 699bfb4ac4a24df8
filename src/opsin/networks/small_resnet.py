"""Residual networks for images up to 64 pixels: the default network, and a larger one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from opsin.networks.layers import ResidualBlock


class SmallResNet(nn.Module):
    """Residual network: a stem, stages that each halve the resolution, global average pooling, one dense layer.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image.
        image_size: (height, width); from 96 pixels on, the stem has stride 2.
        widths: Channels of the stages; each but the first halves the resolution.
        blocks: Residual blocks of each stage.
        dropout: Dropout probability before the dense layer.
        separable: Whether the blocks have depthwise-separable convolutions.
        residual: Whether the blocks have shortcuts.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        widths: Sequence[int] = (16, 32, 64, 128),
        blocks: Sequence[int] = (1, 1, 1, 1),
        dropout: float = 0.0,
        separable: bool = False,
        residual: bool = True,
    ):
        super().__init__()
        stride = 2 if min(image_size) >= 96 else 1
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, stride, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        stages, channels = [], widths[0]
        for number, (width, depth) in enumerate(zip(widths, blocks, strict=True)):
            stage = [
                ResidualBlock(
                    channels if block == 0 else width,
                    width,
                    2 if number and block == 0 else 1,
                    separable=separable,
                    residual=residual,
                )
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
        result: Tensor = self.head(self.dropout(self.pool(self.stages(self.stem(images))).flatten(1)))
        return result


def separable_resnet(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    widths: Sequence[int] = (128, 256, 512),
    blocks: Sequence[int] = (3, 3, 3),
    dropout: float = 0.0,
    separable: bool = True,
    residual: bool = True,
) -> SmallResNet:
    """Create a larger `SmallResNet` with depthwise-separable convolutions, for images of about 32 pixels.

    For 100 classes and color images it has 2.2 million parameters (17.3 million with full convolutions).
    """
    return SmallResNet(num_classes, in_channels, image_size, widths, blocks, dropout, separable, residual)
