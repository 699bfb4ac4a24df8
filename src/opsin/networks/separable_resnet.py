"""Our residual network of depthwise-separable convolutions, for images of about 32 pixels and training from scratch."""

from __future__ import annotations

from torch import Tensor, nn

from opsin.networks.layers import ResidualBlock


class SeparableResNet(nn.Module):
    """Three stages of residual blocks whose convolutions are depthwise-separable, global average pooling, one layer.

    The second and third stage halve the image and double the channels. With 100 classes and color images it has 2.2
    million parameters, with full convolutions 17.3 million.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image.
        image_size: (height, width); the network adapts to any, from 96 pixels on with a stem that halves the image.
        dropout: Chance of a feature to be left out before the last layer.
        width: Channels of the first stage.
        depth: Blocks in each stage.
        separable: False takes full convolutions.
        residual: False leaves the shortcuts out.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        width: int = 128,
        depth: int = 3,
        separable: bool = True,
        residual: bool = True,
    ):
        super().__init__()
        stride = 2 if min(image_size) >= 96 else 1
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        blocks, channels = [], width
        for stage in range(3):
            for block in range(depth):
                halves = stage > 0 and block == 0
                blocks.append(
                    ResidualBlock(
                        channels, width * 2**stage, 2 if halves else 1, separable=separable, residual=residual
                    )
                )
                channels = width * 2**stage
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        return self.head(self.dropout(self.pool(self.blocks(self.stem(images))).flatten(1)))
