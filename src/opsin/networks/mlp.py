"""Multi-layer perceptron on the flattened image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from opsin.networks.layers import check_normalization, create_activation


class MLP(nn.Module):
    """Fully connected layers with ReLU between them.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image.
        image_size: (height, width) of the image; fixed by the first layer.
        widths: Units of each hidden layer. ``(100,)`` for 28x28 gray images and ten classes has 79,510 parameters.
        dropout: Dropout probability of the hidden units.
        activation: A name from `opsin.networks.layers.ACTIVATIONS`.
        normalization: "none", or "batch" before each activation; the hidden layers then have no bias.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        widths: Sequence[int] = (100,),
        dropout: float = 0.0,
        activation: str = "relu",
        normalization: str = "none",
    ):
        super().__init__()
        check_normalization(normalization)
        sizes = [in_channels * image_size[0] * image_size[1], *widths]
        hidden: list[nn.Module] = []
        for inputs, outputs in zip(sizes, sizes[1:], strict=False):
            hidden.append(nn.Linear(inputs, outputs, bias=normalization == "none"))
            if normalization == "batch":
                hidden.append(nn.BatchNorm1d(outputs))
            hidden += [create_activation(activation), nn.Dropout(dropout)]
        self.hidden = nn.Sequential(*hidden)
        self.head = nn.Linear(sizes[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        result: Tensor = self.head(self.hidden(images.flatten(1)))
        return result
