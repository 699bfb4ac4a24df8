"""U-Net (Ronneberger et al. 2015) with padded convolutions, trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from opsin.networks.segmentation.decoder import Block, Decoder, double_convolution
from opsin.networks.segmentation.upsampling import padded


class UShape(nn.Module):
    """Body of a U-Net: blocks with max pooling, a bottom block, and a `Decoder`.

    Args:
        in_channels: Channels of the image.
        widths: Channels of the levels, bottom last; each but the first halves the resolution.
        block: Creates the convolutions of a level: ``block(in_channels, out_channels)``.
        bottom: Shape-preserving module after the bottom block; None: nothing.
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
        result: Tensor = self.up(self.bottom(features), skips[::-1], places[::-1])[..., :height, :width]
        return result


class ShapedNetwork(nn.Module):
    """U-Net body with a last layer.

    Args:
        body: The body.
        width: Output channels of the body.
        num_classes: Number of outputs per pixel.
        dropout: Probability of dropping a channel before the last layer.
    """

    def __init__(self, body: UShape, width: int, num_classes: int, dropout: float):
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes, H, W)`` of images ``(N, C, H, W)``."""
        result: Tensor = self.head(self.dropout(self.body(images)))
        return result


class UNet(ShapedNetwork):
    """U-Net without pretrained weights.

    Args:
        num_classes: Number of outputs per pixel.
        in_channels: Channels of the image.
        image_size: (height, width); any size.
        dropout: Probability of dropping a channel before the last layer.
        widths: Channels of the levels; the original has (64, 128, 256, 512, 1024).
        upsampling: See `opsin.networks.segmentation.upsampling.Upsampling`.
        attention: Whether the skip connections have an `opsin.networks.segmentation.decoder.AttentionGate`.
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
