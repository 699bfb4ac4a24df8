"""The table of networks that name pixels, and making one of them by name."""

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
    """Make an ensemble of segmentation networks that are trained or filled together; ``dropout`` is each member's own."""
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

# What follows an encoder of timm's in names such as unet:resnet34. Ours is the U-Net; all others are classes of
# segmentation-models-pytorch.
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

ENCODER_STRIDE = 32  # both sides of what enters an encoder are multiples of it


def list_segmentation_networks(pretrained: bool = False) -> list[str]:
    """Return the names of all networks for masks: ours, then the decoders, each on the encoder of the offline weights.

    Args:
        pretrained: Only those with ImageNet weights.
    """
    names = [*NETWORKS, *(f"{decoder}:{OFFLINE}" for decoder in DECODERS)]
    return [name for name in names if not pretrained or backbone_of(name) is not None]


def backbone_of(name: str) -> str | None:
    """Return timm's name of the encoder whose ImageNet weights a network can start from, or None."""
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
    """Make a network that maps images ``(N, in_channels, H, W)`` to logits ``(N, num_classes, H, W)``.

    Args:
        name: One of ours, or DECODER:ENCODER such as ``unet:tf_efficientnet_lite0``.
        num_classes: Number of outputs for each pixel.
        in_channels: 1 or 3.
        image_size: (height, width) of the images it is trained on; it takes others too.
        pretrained: Begin from an encoder with ImageNet weights.
        dropout: Before the last layer.
        options: Further arguments of the constructor.

    Raises:
        NetworkError: The name is unknown (the nearest are shown), an option does not exist or is not the network's to
            decide, the network cannot take this image size, or its weights cannot be had.
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
    """Raise unless there is a network of this name, and pretrained weights of it where they are asked for.

    Raises:
        NetworkError: There is not; the nearest names are shown.
    """
    import timm

    if name in NETWORKS:
        if pretrained and backbone_of(name) is None:
            raise NetworkError(
                f"There are no pretrained weights of {name}: leave out --pretrained, or take unet:{OFFLINE}."
            )
        return
    decoder, colon, encoder = name.partition(":")
    if not colon or decoder not in DECODERS:
        known = [*NETWORKS, *(f"{decoder}:{encoder or OFFLINE}" for decoder in DECODERS)]
        raise NetworkError(
            f"There is no network '{name}' for segmentation{nearest(name, known)}; there are {', '.join(NETWORKS)}, "
            f"and {', '.join(DECODERS)} before a network of timm's, as in unet:{OFFLINE}."
        )
    if not timm.is_model(encoder):
        raise NetworkError(f"There is no encoder '{encoder}'{nearest(encoder, list_networks())}: it is one of timm's.")
    if pretrained and backbone_of(name) is None:
        raise NetworkError(f"timm has no pretrained weights of {encoder}: leave out --pretrained, or take another one.")


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
        raise NetworkError(f"{name} cannot be made with the options {options}: {reason}.") from None
    if offline:
        _fill(network.encoder.model, encoder, in_channels)  # type: ignore[union-attr, arg-type]
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


def _fill(encoder: nn.Module, name: str, in_channels: int) -> None:
    """Fill an encoder from the whole network, whose tensors have the same names."""
    whole = create_network(name, 1000, in_channels, (224, 224), pretrained=True).state_dict()
    encoder.load_state_dict({key: whole[key] for key in encoder.state_dict()})


class LibraryNetwork(nn.Module):
    """A network of segmentation-models-pytorch, for images of any size.

    Args:
        kind: The class.
        encoder: A network of timm's.
        num_classes: Number of outputs for each pixel.
        in_channels: Channels of the image.
        pretrained: True fetches ImageNet weights; None does not.
        dropout: Chance of a channel to be left out before the last layer.
        options: Further arguments of the class.
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
        return self.head(maps[-1], maps)[..., :height, :width]


class LibraryHead(nn.Module):
    """Everything after the encoder of a network of segmentation-models-pytorch."""

    def __init__(self, decoder: nn.Module, dropout: float, last: nn.Module):
        super().__init__()
        self.decoder = decoder
        self.dropout = nn.Dropout2d(dropout)
        self.last = last

    def forward(self, deepest: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return logits of the encoder's maps, the last of which is given first; see `encoder_unet.Head`."""
        return self.last(self.dropout(self.decoder(maps)))
