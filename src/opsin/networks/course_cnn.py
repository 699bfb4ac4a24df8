"""Three-layer CNN of introductory courses on MNIST."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from opsin.networks.layers import NON_MONOTONIC, check_normalization, create_activation


class CourseCNN(nn.Module):
    """3x3 convolutions with 8, 16 and 32 channels, ReLU, max pooling after the first two, one dense layer.

    The convolutions are padded, so that only pooling reduces the resolution. For 28x28 gray images and ten classes it
    has 80 + 1,168 + 4,640 + 15,690 = 21,578 parameters.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image.
        image_size: (height, width) of the image; fixed by the dense layer.
        dropout: Dropout probability before the dense layer.
        activation: A name from `opsin.networks.layers.ACTIVATIONS`.
        pool_before_activation: Whether pooling precedes the activation. For monotonic activations (all but gelu and
            silu) the outputs are equal and pooling first is faster. None: pool first for monotonic activations.
        normalization: "none", or "batch" after each convolution, which then has no bias.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        activation: str = "relu",
        pool_before_activation: bool | None = None,
        normalization: str = "none",
    ):
        super().__init__()
        check_normalization(normalization)
        pool_first = activation not in NON_MONOTONIC if pool_before_activation is None else pool_before_activation
        layers: list[nn.Module] = []
        for inputs, outputs, pooled in ((in_channels, 8, True), (8, 16, True), (16, 32, False)):
            layers.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=normalization == "none"))
            if normalization == "batch":
                layers.append(nn.BatchNorm2d(outputs))
            after = [create_activation(activation), *([nn.MaxPool2d(2)] if pooled else [])]
            layers += reversed(after) if pool_first else after
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(32 * (image_size[0] // 4) * (image_size[1] // 4), num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        result: Tensor = self.head(self.dropout(torch.flatten(self.features(images), 1)))
        return result
