"""U-Net (Ronneberger et al. 2015), with convolutions that keep the size, and its encoder from scratch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from opsin.networks.segmentation.decoder import Block, Decoder, double_convolution
from opsin.networks.segmentation.upsampling import padded


class UShape(nn.Module):
    """The body of a U-Net: blocks and max pooling down, a block at the bottom, `Decoder` up.

    Args:
        in_channels: Channels of the image.
        widths: Channels of the levels, the bottom last; each but the first halves the image.
        block: Makes the convolutions of a level: ``block(in_channels, out_channels)``.
        bottom: Follows the block at the bottom and keeps the shape; None: nothing.
        upsampling: See `opsin.networks.segmentation.upsampling.Upsampling`.
        attention: See `Decoder`.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        block: Block = double_convolution,
        bottom: nn.Module | None = None,
        upsampling: str = "transposed",
        attention: bool = False,
    ):
        super().__init__()
        *fine, deepest = widths
        self.down = nn.ModuleList(
            block(before, after) for before, after in zip([in_channels, *fine[:-1]], fine, strict=True)
        )
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.bottom = nn.Sequential(block(fine[-1], deepest), *([] if bottom is None else [bottom]))
        self.up = Decoder(deepest, fine[::-1], fine[::-1], block, upsampling, attention)

    def forward(self, images: Tensor) -> Tensor:
        """Return ``(N, widths[0], H, W)`` of images ``(N, C, H, W)`` of any size."""
        height, width = images.shape[2:]
        features = padded(images, 2 ** len(self.down))
        skips, places = [], []
        for down in self.down:
            skips.append(down(features))
            features, indices = self.pool(skips[-1])
            places.append(indices)
        return self.up(self.bottom(features), skips[::-1], places[::-1])[..., :height, :width]


class ShapedNetwork(nn.Module):
    """A U and the last layer, which makes logits of what leaves it.

    Args:
        body: The U.
        width: Channels that leave it.
        num_classes: Number of outputs for each pixel.
        dropout: Chance of a channel to be left out before the last layer.
    """

    def __init__(self, body: UShape, width: int, num_classes: int, dropout: float):
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes, H, W)`` of images ``(N, C, H, W)``."""
        return self.head(self.dropout(self.body(images)))


class UNet(ShapedNetwork):
    """U-Net from scratch.

    Args:
        num_classes: Number of outputs for each pixel.
        in_channels: Channels of the image.
        image_size: (height, width); the network takes any.
        dropout: Chance of a channel to be left out before the last layer.
        widths: Channels of the levels; the original has (64, 128, 256, 512, 1024).
        upsampling: See `opsin.networks.segmentation.upsampling.Upsampling`.
        attention: Whether `opsin.networks.segmentation.decoder.AttentionGate` weighs the encoder's maps.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        widths: Sequence[int] = (32, 64, 128, 256),
        upsampling: str = "transposed",
        attention: bool = False,
    ):
        body = UShape(in_channels, widths, upsampling=upsampling, attention=attention)
        super().__init__(body, widths[0], num_classes, dropout)
