"""Fully convolutional residual classifier: one map per class, then global average pooling."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from opsin.networks.layers import ResidualBlock


class FullyConvolutional(nn.Module):
    """Residual stages with max pooling between them, a 1x1 convolution to one map per class, global average pooling.

    The maps localize the classes in the image (network in network, Lin et al. 2014). Any image size is accepted.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image.
        image_size: (height, width); any size.
        dropout: Probability of dropping a whole channel after each pooling and before the last layer.
        widths: Channels of the stages; each but the last is followed by 2x2 pooling.
        blocks: Residual blocks in each stage.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: int = 1,
    ):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        stages, channels = [], widths[0]
        for number, width in enumerate(widths):
            # A side of one pixel stays one: ceil_mode.
            layers: list[nn.Module] = [nn.MaxPool2d(2, ceil_mode=True), nn.Dropout2d(dropout)] if number else []
            layers += [ResidualBlock(channels if block == 0 else width, width) for block in range(blocks)]
            stages.append(nn.Sequential(*layers))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Dropout2d(dropout), nn.Conv2d(channels, num_classes, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes)`` of images ``(N, C, H, W)``: the means of the class maps."""
        result: Tensor = self.head(self.stages(self.stem(images)))
        return result
