"""The simplest network that names pixels: convolutions down, transposed convolutions up, nothing in between."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from opsin.networks.segmentation.upsampling import Upsampling, padded


class ConvDeconv(nn.Module):
    """Convolution, ReLU and max pooling to ever smaller maps, then as many enlarging steps with ReLU.

    Args:
        num_classes: Number of outputs for each pixel.
        in_channels: Channels of the image.
        image_size: (height, width); the network takes any.
        dropout: Chance of a channel to be left out before the last layer.
        widths: Channels of the steps down; those up are the same in reverse.
        batch_normalization: After every convolution and every enlarging step.
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
        return self.head(self.dropout(features))[..., :height, :width]
