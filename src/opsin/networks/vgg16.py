"""VGG16: torchvision's convolutions with their ImageNet weights, and a choice of three heads."""

from __future__ import annotations

from torch import Tensor, nn

HEADS = ("pooled", "dense", "flattened")
BLOCKS = 5  # blocks of convolutions, each followed by pooling


class VGG16(nn.Module):
    """Thirteen 3x3 convolutions with ReLU in five blocks with pooling, and a head (Simonyan and Zisserman 2015).

    The convolutions are torchvision's ``features``, with the same names and shapes in the state dict. For training in
    three stages, each from the weights of the previous one: ``training.trainable_layers = 1`` (the head), ``4`` (also
    the three convolutions of the last block), ``0`` (all).

    Args:
        num_classes: Number of outputs.
        in_channels: Channels of the image; for gray images the first weights are summed over the colors.
        image_size: (height, width). Below 32 pixels the last pooling layers are omitted.
        dropout: Dropout probability before each dense layer of the head.
        pretrained: Use ImageNet weights for the convolutions.
        head: "pooled" (global average pooling, one dense layer), "dense" (with a hidden layer between them), or
            "flattened" (the flattened last feature map and a hidden layer, as in the original VGG16).
        head_width: Units of the hidden layer.
    """

    backbone = "vgg16.tv_in1k"  # timm's name of torchvision's weights, as safetensors

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        pretrained: bool = False,
        head: str = "pooled",
        head_width: int = 512,
    ):
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"there is no head '{head}'; choose one of {', '.join(HEADS)}")
        self.features = _create_features(in_channels, pretrained)
        kept = min(BLOCKS, min(image_size).bit_length() - 1)
        pools = [number for number, layer in enumerate(self.features) if isinstance(layer, nn.MaxPool2d)]
        for number in pools[kept:]:
            self.features[number] = nn.Identity()
        values = 512 * (image_size[0] // 2**kept) * (image_size[1] // 2**kept) if head == "flattened" else 512
        layers: list[nn.Module] = [] if head == "flattened" else [nn.AdaptiveAvgPool2d(1)]
        layers += [nn.Flatten(), nn.Dropout(dropout)]
        if head != "pooled":
            layers += [nn.Linear(values, head_width), nn.ReLU(), nn.Dropout(dropout)]
        layers.append(nn.Linear(values if head == "pooled" else head_width, num_classes))
        self.head = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        result: Tensor = self.head(self.features(images))
        return result


def _create_features(in_channels: int, pretrained: bool) -> nn.Sequential:
    from torchvision.models.vgg import cfgs, make_layers

    features = make_layers(cfgs["D"])
    for layer in features:
        if isinstance(
            layer, nn.Conv2d
        ):  # torchvision's initialization; with torch's default the network does not train
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    if pretrained:
        from opsin.networks.pretrained import fetch_weights

        stored = fetch_weights(VGG16.backbone)
        prefix = "features."
        features.load_state_dict({key.removeprefix(prefix): stored[key] for key in stored if key.startswith(prefix)})
    if in_channels != 3:
        from timm.models import adapt_input_conv

        first = nn.Conv2d(in_channels, 64, 3, padding=1)
        adapted = adapt_input_conv(in_channels, features[0].weight.data)
        first.load_state_dict({"weight": adapted, "bias": features[0].bias})
        features[0] = first
    result: nn.Sequential = features
    return result
