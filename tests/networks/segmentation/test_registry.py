import pytest
import timm
import torch

from opsin.errors import NetworkError
from opsin.networks.backbones import backbone_of
from opsin.networks.layer_groups import head_of, layer_groups
from opsin.networks.pretrained import OFFLINE, has_offline_weights, load_offline_weights
from opsin.networks.segmentation.registry import (
    DECODERS,
    NETWORKS,
    check_segmentation_network,
    create_segmentation_network,
    list_segmentation_networks,
)
from opsin.networks.segmentation.upsampling import UPSAMPLING

SMALL = {"fcn8": {"width": 1 / 32}}
ENCODER = "test_efficientnet"  # timm's smallest, made for tests


def assert_all_learn(network, size=(32, 32), channels=3):
    """Every parameter gets a gradient that is a number, and not all zeros."""
    torch.manual_seed(0)
    network.train()
    network(torch.randn(2, channels, *size)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("upsampling", UPSAMPLING)
def test_every_network_of_ours_maps_images_to_logits_and_learns(name, upsampling):
    torch.manual_seed(0)
    options = SMALL.get(name, {}) | {"upsampling": upsampling}
    if name == "ensemble":
        options = {"members": [{"name": member, "options": options} for member in ("conv_deconv", "unet")]}
    network = create_segmentation_network(name, 3, 1, (48, 64), options=options)
    assert network.eval()(torch.randn(1, 1, 33, 47)).shape == (1, 3, 33, 47)
    assert_all_learn(network, (64, 64), channels=1)
    assert head_of(network) is not None
    assert sum(map(len, layer_groups(network))) == len(list(network.parameters()))


@pytest.mark.parametrize("decoder", sorted(set(DECODERS) - {"unet"}))
def test_networks_of_the_library_by_name(decoder):
    network = create_segmentation_network(f"{decoder}:{ENCODER}", 2, 1, (128, 128), dropout=0.1)
    assert network.eval()(torch.randn(1, 1, 130, 129)).shape == (1, 2, 130, 129)
    assert len(list(head_of(network).parameters())) > 2


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear", "shuffle"])
@pytest.mark.parametrize("attention", [False, True])
def test_a_u_net_on_an_encoder(upsampling, attention):
    torch.manual_seed(0)
    options = {"upsampling": upsampling, "attention": attention, "widths": [16, 8, 8, 4, 4]}
    network = create_segmentation_network(f"unet:{ENCODER}", 2, 3, (64, 64), options=options)
    assert network.eval()(torch.randn(1, 3, 70, 65)).shape == (1, 2, 70, 65)
    assert_all_learn(network, (64, 64))


@pytest.mark.skipif(not has_offline_weights(), reason="the extra 'offline' is not installed")
@pytest.mark.parametrize("channels", [1, 3])
def test_an_encoder_with_the_offline_weights_sees_what_the_whole_network_sees(channels):
    name = f"unet:{OFFLINE}"
    network = create_segmentation_network(name, 2, channels, (64, 64), pretrained=True).eval()
    whole = timm.create_model(OFFLINE, in_chans=channels, num_classes=1000).eval()
    load_offline_weights(whole, channels)
    images = torch.randn(1, channels, 64, 64)
    deepest = whole.blocks(whole.bn1(whole.conv_stem(images)))
    torch.testing.assert_close(network.encoder(images)[-1], deepest)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("unett", 2, 3, (32, 32)), "did you mean 'unet'"),
        (("unets:resnet18", 2, 3, (32, 32)), "did you mean 'unet:resnet18'"),
        (("unet:resnet1818", 2, 3, (32, 32)), "no encoder 'resnet1818'"),
        (("unet:vit_tiny_patch16_224", 2, 3, (32, 32)), "cannot be created"),
    ],
)
def test_networks_that_cannot_be_made_are_explained(arguments, said):
    with pytest.raises(NetworkError) as caught:
        create_segmentation_network(*arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("unet", {"width": [8]}, "did you mean 'widths'"),
        ("unet", {"upsampling": "nearest"}, "upsampling must be one of"),
        ("unet", {"in_channels": 3}, "data.channels"),
        ("macro_unet", {"parts": ["context"]}, "parts are dilation, squeeze, attention, not 'context'"),
        (f"unet:{ENCODER}", {"upsample": "bilinear"}, "did you mean 'upsampling'"),
        (f"unet:{ENCODER}", {"upsampling": "unpooling"}, "without max pooling"),
        (f"fpn:{ENCODER}", {"wings": 2}, "cannot be created with the options"),
    ],
)
def test_wrong_options_are_explained(name, options, said):
    with pytest.raises(NetworkError, match=said):
        create_segmentation_network(name, 2, 3, (64, 64), options=options)


def test_weights_that_do_not_exist():
    with pytest.raises(NetworkError, match="no pretrained weights of unet"):
        check_segmentation_network("unet", pretrained=True)
    with pytest.raises(NetworkError, match="timm has no pretrained weights of efficientnet_b6"):
        check_segmentation_network("fpn:efficientnet_b6", pretrained=True)
    assert [backbone_of(name) for name in ("unet", "fcn8", "fpn:resnet18")] == [None, "vgg16.tv_in1k", "resnet18"]


def test_all_networks_are_listed():
    names = list_segmentation_networks()
    assert {*NETWORKS, f"unet:{OFFLINE}", f"fpn:{OFFLINE}"} <= set(names)
    assert set(list_segmentation_networks(pretrained=True)) == {"fcn8", *(name for name in names if ":" in name)}
    for name in names:
        check_segmentation_network(name)
