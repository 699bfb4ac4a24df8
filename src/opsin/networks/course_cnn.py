"""The three-layer CNN that many a first course trains on MNIST."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CourseCNN(nn.Module):
    """Convolutions of 3x3 with 8, 16 and 32 channels, ReLU, max pooling after the first two, one dense layer.

    The convolutions are padded, so that pooling alone makes the image smaller. On 28x28 grey images and ten classes it
    has 80 + 1,168 + 4,640 + 15,690 = 21,578 parameters.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image.
        image_size: (height, width) of the image; fixed by the dense layer.
        dropout: Chance of a feature to be left out before the dense layer.
    """

    def __init__(self, num_classes: int, in_channels: int, image_size: tuple[int, int], dropout: float = 0.0):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(32 * (image_size[0] // 4) * (image_size[1] // 4), num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        return self.head(self.dropout(torch.flatten(self.features(images), 1)))
