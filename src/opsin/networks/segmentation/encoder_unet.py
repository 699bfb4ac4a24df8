"""The U-Net whose way down is any network of timm's, with its ImageNet weights where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from opsin.networks.segmentation.decoder import Decoder
from opsin.networks.segmentation.upsampling import padded


class EncoderUNet(nn.Module):
    """An encoder's maps of five sizes, joined on the way up.

    Args:
        encoder: Gives maps of 1, 1/2, 1/4, 1/8, 1/16 and 1/32 of the image, whose channels are ``out_channels``, as
            those of segmentation-models-pytorch do.
        num_classes: Number of outputs for each pixel.
        dropout: Chance of a channel to be left out before the last layer.
        widths: Channels of the steps up.
        upsampling: "transposed", "bilinear" or "shuffle"; see `opsin.networks.segmentation.upsampling.Upsampling`.
        attention: Whether `opsin.networks.segmentation.decoder.AttentionGate` weighs the encoder's maps.
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
            raise ValueError("these encoders halve their maps without max pooling, so that there is nothing to undo")
        self.encoder = encoder
        _, *channels = encoder.out_channels
        *fine, deepest = channels
        decoder = Decoder(deepest, [*fine[::-1], 0], widths, upsampling=upsampling, attention=attention)
        self.head = Head(decoder, dropout, nn.Conv2d(widths[-1], num_classes, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes, H, W)`` of images ``(N, C, H, W)``."""
        height, width = images.shape[2:]
        _, *fine, deepest = self.encoder(padded(images, 32))
        return self.head(deepest, fine)[..., :height, :width]


class Head(nn.Module):
    """Everything after the encoder: what is new where the encoder's weights are not."""

    def __init__(self, decoder: Decoder, dropout: float, last: nn.Conv2d):
        super().__init__()
        self.decoder = decoder
        self.dropout = nn.Dropout2d(dropout)
        self.last = last

    def forward(self, deepest: Tensor, fine: Sequence[Tensor]) -> Tensor:
        """Return logits of the map of 1/32 of the image and those of 1/2 to 1/16, the largest first.

        The deepest map comes first: it is what is known of an image where features that enter a head are compared.
        """
        return self.last(self.dropout(self.decoder(deepest, [*fine[::-1], None])))
