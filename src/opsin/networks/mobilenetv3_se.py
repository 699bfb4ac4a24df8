"""MobileNetV3-Large with squeeze-and-excitation on its output and a head of dense layers with Swish."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class MobileNetV3SE(nn.Module):
    """The convolutions of timm's MobileNetV3-Large, and a head that reweights the 960 channels before pooling.

    The head: squeeze-and-excitation (Hu et al. 2018), global average pooling, dense layers each with batch
    normalization, Swish (Ramachandran et al. 2017) and dropout, and a last dense layer. L2
    regularization is ``training.weight_decay``. It has 19 layer groups; ``training.trainable_layers = 10`` trains the
    upper half.

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image; for gray images the first weights are summed over the colors.
        image_size: (height, width); any size.
        dropout: Dropout probability before each dense layer but the first.
        pretrained: Use ImageNet weights for the convolutions.
        widths: Units of each dense layer but the last.
        squeeze: Reduction ratio of squeeze-and-excitation.
    """

    backbone = "mobilenetv3_large_100"

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        pretrained: bool = False,
        widths: Sequence[int] = (256, 128),
        squeeze: int = 16,
    ):
        import timm
        from torchvision.ops import SqueezeExcitation

        super().__init__()
        body = timm.create_model(self.backbone, pretrained=pretrained, in_chans=in_channels, num_classes=0)
        blocks = [block for stage in body.blocks for block in stage]
        self.features = nn.Sequential(body.conv_stem, body.bn1, *blocks)
        channels = blocks[-1].conv.out_channels
        layers: list[nn.Module] = [SqueezeExcitation(channels, channels // squeeze), nn.AdaptiveAvgPool2d(1)]
        layers.append(nn.Flatten())
        for inputs, outputs in zip([channels, *widths], widths, strict=False):
            dense = nn.Linear(inputs, outputs, bias=False)
            layers += [dense, nn.BatchNorm1d(outputs), nn.SiLU(), nn.Dropout(dropout)]
        layers.append(nn.Linear([channels, *widths][-1], num_classes))
        self.head = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        result: Tensor = self.head(self.features(images))
        return result
