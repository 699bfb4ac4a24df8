"""Registry of segmentation networks, created by name."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from opsin.errors import NetworkError, nearest
from opsin.networks.construction import check_forward, create_own, refuse_reserved
from opsin.networks.ensemble import Ensemble, create_members
from opsin.networks.pretrained import OFFLINE, find_weights_of, require_weights
from opsin.networks.registry import create_network, list_networks, pretrained_name
from opsin.networks.segmentation.conv_deconv import ConvDeconv
from opsin.networks.segmentation.dual_unet import DualUNet, MacroUNet, MicroUNet
from opsin.networks.segmentation.encoder_unet import EncoderUNet
from opsin.networks.segmentation.fcn8 import FCN8
from opsin.networks.segmentation.unet import UNet
from opsin.networks.segmentation.upsampling import padded


def create_segmentation_ensemble(
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    dropout: float = 0.0,
    members: Sequence[Mapping[str, Any]] = ({"name": "conv_deconv"},) * 2,
    average: str = "probabilities",
) -> Ensemble:
    """Create an ensemble of networks; each member has its own dropout, ``dropout`` is ignored."""
    networks = create_members(create_segmentation_network, members, num_classes, in_channels, image_size)
    return Ensemble(networks, in_channels, average)


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "conv_deconv": ConvDeconv,
    "unet": UNet,
    "fcn8": FCN8,
    "macro_unet": MacroUNet,
    "micro_unet": MicroUNet,
    "dual_unet": DualUNet,
    "ensemble": create_segmentation_ensemble,
}

# Decoders in names such as unet:resnet34. The U-Net is Opsin's; all others are classes of segmentation-models-pytorch.
DECODERS = {
    "unet": "",
    "unetplusplus": "UnetPlusPlus",
    "manet": "MAnet",
    "linknet": "Linknet",
    "fpn": "FPN",
    "pspnet": "PSPNet",
    "deeplabv3": "DeepLabV3",
    "deeplabv3plus": "DeepLabV3Plus",
    "pan": "PAN",
    "upernet": "UPerNet",
    "segformer": "Segformer",
}

ENCODER_STRIDE = 32  # the input of an encoder is padded to a multiple of it


def list_segmentation_networks(pretrained: bool = False) -> list[str]:
    """Return the names of all networks: Opsin's, then each decoder with the encoder of the offline weights.

    Args:
        pretrained: Only networks with ImageNet weights.
    """
    names = [*NETWORKS, *(f"{decoder}:{OFFLINE}" for decoder in DECODERS)]
    return [name for name in names if not pretrained or backbone_of(name) is not None]


def backbone_of(name: str) -> str | None:
    """Return the timm name of the encoder with ImageNet weights, or None."""
    if name in NETWORKS:
        return getattr(NETWORKS[name], "backbone", None)
    return pretrained_name(name.rpartition(":")[2])


def create_segmentation_network(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    pretrained: bool = False,
    dropout: float = 0.0,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Create a network that maps images ``(N, in_channels, H, W)`` to logits ``(N, num_classes, H, W)``.

    Args:
        name: One of `NETWORKS`, or DECODER:ENCODER such as ``unet:tf_efficientnet_lite0``.
        num_classes: Number of outputs per pixel.
        in_channels: 1 or 3.
        image_size: (height, width) of the training images; the network accepts any size.
        pretrained: Load ImageNet weights of the encoder.
        dropout: Dropout probability before the last layer.
        options: Additional arguments of the constructor.

    Raises:
        NetworkError: The name is unknown (the nearest are suggested), an option does not exist or is set by another
            key of the recipe, the image size is not supported, or the weights are not available.
    """
    options = dict(options or {})
    check_segmentation_network(name, pretrained)
    refuse_reserved(name, options)
    if pretrained:
        require_weights(name, backbone_of(name) or name)
    if name in NETWORKS:
        network = create_own(NETWORKS[name], name, num_classes, in_channels, image_size, pretrained, dropout, options)
    else:
        network = _create_with_encoder(name, num_classes, in_channels, pretrained, dropout, options)
    check_forward(network, name, (num_classes, *image_size), in_channels, image_size)
    return network


def check_segmentation_network(name: str, pretrained: bool = False) -> None:
    """Check that a network of this name exists and, if requested, has pretrained weights.

    Raises:
        NetworkError: It does not; the nearest names are suggested.
    """
    import timm

    if name in NETWORKS:
        if pretrained and backbone_of(name) is None:
            raise NetworkError(
                f"There are no pretrained weights of {name}; remove --pretrained, or use unet:{OFFLINE}."
            )
        return
    decoder, colon, encoder = name.partition(":")
    if not colon or decoder not in DECODERS:
        known = [*NETWORKS, *(f"{decoder}:{encoder or OFFLINE}" for decoder in DECODERS)]
        raise NetworkError(
            f"There is no network '{name}' for segmentation{nearest(name, known)}; choose {', '.join(NETWORKS)}, "
            f"or one of {', '.join(DECODERS)} with a timm encoder, as in unet:{OFFLINE}."
        )
    if not timm.is_model(encoder):
        raise NetworkError(
            f"There is no encoder '{encoder}'{nearest(encoder, list_networks())}; any timm network will do."
        )
    if pretrained and backbone_of(name) is None:
        raise NetworkError(
            f"timm has no pretrained weights of {encoder}; remove --pretrained, or choose another encoder."
        )


def _create_with_encoder(
    name: str, num_classes: int, in_channels: int, pretrained: bool, dropout: float, options: dict[str, Any]
) -> nn.Module:
    decoder, _, encoder = name.partition(":")
    offline = pretrained and find_weights_of(encoder) == "offline package"
    fetched = True if pretrained and not offline else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if decoder == "unet":
                network: nn.Module = _own_decoder(encoder, num_classes, in_channels, fetched, dropout, options)
            else:
                network = LibraryNetwork(
                    DECODERS[decoder], encoder, num_classes, in_channels, fetched, dropout, options
                )
    except NetworkError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
        raise NetworkError(f"{name} cannot be created with the options {options}: {reason}.") from None
    if offline:
        _load_encoder(network.encoder.model, encoder, in_channels)  # type: ignore[union-attr, arg-type]
    return network


def _own_decoder(
    encoder: str, num_classes: int, in_channels: int, fetched: bool | None, dropout: float, options: dict[str, Any]
) -> EncoderUNet:
    from segmentation_models_pytorch.encoders import get_encoder

    known = set(inspect.signature(EncoderUNet).parameters) - {"encoder", "num_classes", "dropout"}
    for key in options:
        if key not in known:
            raise NetworkError(
                f"unet:{encoder} has no option '{key}'{nearest(key, known)}; its options: {', '.join(sorted(known))}."
            )
    maps = get_encoder(f"tu-{encoder}", in_channels=in_channels, weights=fetched)
    return EncoderUNet(maps, num_classes, dropout, **options)


def _load_encoder(encoder: nn.Module, name: str, in_channels: int) -> None:
    """Load the weights of an encoder from the whole network, which has the same tensor names."""
    whole = create_network(name, 1000, in_channels, (224, 224), pretrained=True).state_dict()
    encoder.load_state_dict({key: whole[key] for key in encoder.state_dict()})


class LibraryNetwork(nn.Module):
    """A network of segmentation-models-pytorch, for images of any size.

    Args:
        kind: Name of the class.
        encoder: Name of a timm network.
        num_classes: Number of outputs per pixel.
        in_channels: Channels of the image.
        pretrained: True downloads ImageNet weights; None does not.
        dropout: Probability of dropping a channel before the last layer.
        options: Additional arguments of the class.
    """

    def __init__(
        self,
        kind: str,
        encoder: str,
        num_classes: int,
        in_channels: int,
        pretrained: bool | None,
        dropout: float,
        options: Mapping[str, Any],
    ):
        super().__init__()
        import segmentation_models_pytorch as library

        model = getattr(library, kind)(
            f"tu-{encoder}", encoder_weights=pretrained, in_channels=in_channels, classes=num_classes, **options
        )
        self.encoder = model.encoder
        self.head = LibraryHead(model.decoder, dropout, model.segmentation_head)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes, H, W)`` of images ``(N, C, H, W)``."""
        height, width = images.shape[2:]
        maps = self.encoder(padded(images, ENCODER_STRIDE))
        result: Tensor = self.head(maps[-1], maps)[..., :height, :width]
        return result


class LibraryHead(nn.Module):
    """Decoder and last layer of a network of segmentation-models-pytorch."""

    def __init__(self, decoder: nn.Module, dropout: float, last: nn.Module):
        super().__init__()
        self.decoder = decoder
        self.dropout = nn.Dropout2d(dropout)
        self.last = last

    def forward(self, deepest: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return logits from the encoder's maps; the deepest is also the first argument (see `encoder_unet.Head`)."""
        result: Tensor = self.last(self.dropout(self.decoder(maps)))
        return result
