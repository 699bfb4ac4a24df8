"""Convolutional encoder-decoder without skip connections."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from opsin.networks.segmentation.upsampling import Upsampling, padded


class ConvDeconv(nn.Module):
    """Steps of convolution, ReLU and max pooling, then as many upsampling steps with ReLU.

    Args:
        num_classes: Number of outputs per pixel.
        in_channels: Channels of the image.
        image_size: (height, width); any size.
        dropout: Probability of dropping a channel before the last layer.
        widths: Channels of the encoder steps; the decoder has the same in reverse.
        batch_normalization: Whether batch normalization follows each convolution and upsampling.
        upsampling: See `opsin.networks.segmentation.upsampling.Upsampling`.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        widths: Sequence[int] = (32, 64, 128),
        batch_normalization: bool = False,
        upsampling: str = "transposed",
    ):
        super().__init__()

        def finished(channels: int) -> nn.Sequential:
            normalization = [nn.BatchNorm2d(channels)] if batch_normalization else []
            return nn.Sequential(*normalization, nn.ReLU(inplace=True))

        self.down, self.up, self.after = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        channels = in_channels
        for width in widths:
            self.down.append(nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), finished(width)))
            channels = width
        for width in reversed(widths):
            self.up.append(Upsampling(upsampling, channels, width))
            self.after.append(finished(width))
            channels = width
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes, H, W)`` of images ``(N, C, H, W)``."""
        height, width = images.shape[2:]
        features, places = padded(images, 2 ** len(self.down)), []
        for down in self.down:
            features, indices = self.pool(down(features))
            places.append(indices)
        for up, after, indices in zip(self.up, self.after, reversed(places), strict=True):
            features = after(up(features, indices))
        result: Tensor = self.head(self.dropout(features))[..., :height, :width]
        return result
