"""FCN-8 (Long, Shelhamer and Darrell 2015): VGG16 with convolutionalized dense layers and skip connections."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import torch
from timm.models import adapt_input_conv
from torch import Tensor, nn

from opsin.networks.segmentation.upsampling import Upsampling, initialize_bilinear, padded

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # VGG16, configuration D
DENSE = 4096  # width of VGG16's two hidden dense layers
SIDE = 7  # side of the input map of VGG16's first dense layer
DENSE_NAMES = (("pre_logits.fc1", "pre_logits.fc2"), ("classifier.0", "classifier.3"))  # timm's, torchvision's


class FCN8(nn.Module):
    """VGG16 to stride 32, dense layers as convolutions, scores at three strides added during upsampling.

    With ``upsampling="unpooling"`` the decoder is that of DeconvNet (Noh et al. 2015): step-by-step unpooling, with the
    maps of pools 4 and 3 added.

    Args:
        num_classes: Number of outputs per pixel.
        in_channels: Channels of the image.
        image_size: (height, width); any size.
        dropout: Probability of dropping a channel after each dense layer.
        pretrained: Load the ImageNet weights of VGG16.
        width: Multiplier of all channels; 1 is VGG16 with its 134 million parameters.
        upsampling: See `opsin.networks.segmentation.upsampling.Upsampling`; "transposed" has kernels 4, 4 and 16,
            initialized to bilinear interpolation, as in the paper.
    """

    backbone = "vgg16.tv_in1k"  # timm's name of torchvision's weights

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        pretrained: bool = False,
        width: float = 1.0,
        upsampling: str = "transposed",
    ):
        super().__init__()
        widths = [[max(1, round(width * channels)) for channels in stage] for stage in STAGES]
        dense = max(1, round(width * DENSE))
        channels = in_channels
        self.stages = nn.ModuleList()
        for stage in widths:
            layers: list[nn.Module] = []
            for before, after in itertools.pairwise([channels, *stage]):
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
            self.stages.append(nn.Sequential(*layers))
            channels = stage[-1]
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.dense = nn.Sequential(
            nn.Conv2d(channels, dense, SIDE, padding=SIDE // 2),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
            nn.Conv2d(dense, dense, 1),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # without batch normalization, torch's default lets activations vanish
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        if pretrained:
            from opsin.networks.pretrained import fetch_weights

            self.load_vgg16(fetch_weights(self.backbone))
        pooled = [stage[-1] for stage in widths]
        if upsampling == "unpooling":
            self.head: nn.Module = UnpooledScores(dense, pooled, num_classes)
        else:
            self.head = AddedScores(dense, pooled, num_classes, upsampling)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes, H, W)`` of images ``(N, C, H, W)``."""
        height, width = images.shape[2:]
        features, maps, places = padded(images, 2 ** len(self.stages)), [], []
        for stage in self.stages:
            features, indices = self.pool(stage(features))
            maps.append(features)
            places.append(indices)
        result: Tensor = self.head(self.dense(features), maps, places)[..., :height, :width]
        return result

    @torch.no_grad()
    def load_vgg16(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights of a VGG16, except for its last layer.

        Dense layers become convolutions: the weights ``(4096, 512 * 7 * 7)`` of the first, as ``(4096, 512, 7, 7)``,
        compute the dense layer at each position of the map; the second becomes a 1x1 convolution. For gray images the
        first weights are summed over the colors, as in timm.

        Args:
            weights: State dict of torchvision's or timm's VGG16.

        Raises:
            ValueError: They are the weights of another network, or of other widths.
        """
        own = [layer for layer in (*self.stages.modules(), *self.dense) if isinstance(layer, nn.Conv2d)]
        numbers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("features.")})
        dense = next((names for names in DENSE_NAMES if f"{names[0]}.weight" in weights), ())
        names = [*(f"features.{number}" for number in numbers), *dense]
        if len(names) != len(own):
            raise ValueError("these are not the weights of a VGG16")
        for layer, name in zip(own, names, strict=True):
            weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            if layer is own[0]:
                weight = adapt_input_conv(layer.in_channels, weight)
            if weight.numel() != layer.weight.numel():
                raise ValueError("the weights of VGG16 require its full width (width = 1)")
            layer.weight.copy_(weight.view_as(layer.weight))
            if layer.bias is not None:
                layer.bias.copy_(bias)


class AddedScores(nn.Module):
    """Scores of the dense map and of pools 4 and 3, added during upsampling by 2, 2 and 8."""

    def __init__(self, dense: int, pooled: list[int], num_classes: int, upsampling: str):
        super().__init__()
        self.scores = nn.ModuleList(nn.Conv2d(channels, num_classes, 1) for channels in (dense, pooled[3], pooled[2]))
        self.enlarge = nn.ModuleList(
            Upsampling(upsampling, num_classes, num_classes, factor, 2 * factor) for factor in (2, 2, 8)
        )
        for module in self.enlarge.modules():
            if isinstance(module, nn.ConvTranspose2d):
                initialize_bilinear(module)

    def forward(self, dense: Tensor, maps: list[Tensor], places: list[Tensor]) -> Tensor:
        """Return logits of the size of the image; ``places`` is unused."""
        scores = self.enlarge[0](self.scores[0](dense)) + self.scores[1](maps[3])
        scores = self.enlarge[1](scores) + self.scores[2](maps[2])
        result: Tensor = self.enlarge[2](scores)
        return result


class UnpooledScores(nn.Module):
    """Step-by-step unpooling with the maps of pools 4 and 3 added, then scores of the last map."""

    def __init__(self, dense: int, pooled: list[int], num_classes: int):
        super().__init__()
        outgoing = pooled[::-1]
        self.enlarge = nn.ModuleList(
            Upsampling("unpooling", before, after)
            for before, after in zip([dense, *outgoing[:-1]], outgoing, strict=True)
        )
        # After unpooling 5 and 4 the map has the resolution of pools 4 and 3, but not the channels of pool 3.
        self.fit = nn.ModuleList([nn.Identity(), nn.Conv2d(pooled[2], pooled[3], 1)])
        self.head = nn.Conv2d(pooled[0], num_classes, 1)

    def forward(self, dense: Tensor, maps: list[Tensor], places: list[Tensor]) -> Tensor:
        """Return logits of the size of the image."""
        features = dense
        for step, enlarge in enumerate(self.enlarge):
            features = enlarge(features, places[4 - step]).relu()
            if step < 2:
                features = features + self.fit[step](maps[3 - step])
        result: Tensor = self.head(features)
        return result
