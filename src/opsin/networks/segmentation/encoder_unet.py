"""U-Net with any timm network as its encoder, optionally with ImageNet weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from opsin.networks.segmentation.decoder import Decoder
from opsin.networks.segmentation.upsampling import padded


class EncoderUNet(nn.Module):
    """U-Net decoder on the multi-scale feature maps of an encoder.

    Args:
        encoder: Returns maps at strides 1, 2, 4, 8, 16 and 32 with the channels ``out_channels``; an encoder of
            segmentation-models-pytorch.
        num_classes: Number of outputs per pixel.
        dropout: Probability of dropping a channel before the last layer.
        widths: Channels of the decoder steps.
        upsampling: "transposed", "bilinear" or "shuffle"; see `opsin.networks.segmentation.upsampling.Upsampling`.
        attention: Whether the skip connections have an `opsin.networks.segmentation.decoder.AttentionGate`.
    """

    def __init__(
        self,
        encoder: Any,
        num_classes: int,
        dropout: float = 0.0,
        widths: Sequence[int] = (256, 128, 64, 32, 16),
        upsampling: str = "bilinear",
        attention: bool = False,
    ):
        super().__init__()
        if upsampling == "unpooling":
            raise ValueError(
                "these encoders downsample without max pooling, so that unpooling is impossible; use another upsampling"
            )
        self.encoder = encoder
        _, *channels = encoder.out_channels
        *fine, deepest = channels
        decoder = Decoder(deepest, [*fine[::-1], 0], widths, upsampling=upsampling, attention=attention)
        self.head = Head(decoder, dropout, nn.Conv2d(widths[-1], num_classes, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes, H, W)`` of images ``(N, C, H, W)``."""
        height, width = images.shape[2:]
        _, *fine, deepest = self.encoder(padded(images, 32))
        result: Tensor = self.head(deepest, fine)[..., :height, :width]
        return result


class Head(nn.Module):
    """Decoder and last layer: the part without pretrained weights."""

    def __init__(self, decoder: Decoder, dropout: float, last: nn.Conv2d):
        super().__init__()
        self.decoder = decoder
        self.dropout = nn.Dropout2d(dropout)
        self.last = last

    def forward(self, deepest: Tensor, fine: Sequence[Tensor]) -> Tensor:
        """Return logits from the map at stride 32 and the maps at strides 2 to 16, largest first.

        The deepest map is the first argument: it serves as the features of an image (`opsin.networks.penultimate`).
        """
        result: Tensor = self.last(self.dropout(self.decoder(deepest, [*fine[::-1], None])))
        return result
