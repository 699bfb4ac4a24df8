"""What single networks of ours promise, against torchvision, timm or by hand; that all of them run: test_table.py."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from opsin.errors import NetworkError
from opsin.networks.backbones import find_weights, input_statistics
from opsin.networks.layers import ACTIVATIONS
from opsin.networks.registry import create_network


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"gelu", "silu"}))
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_pooling_before_an_activation_that_never_falls_changes_nothing(name, normalization):
    options = {"activation": name, "normalization": normalization}
    after = create_network("course_cnn", 5, 1, (28, 28), options=options | {"pool_before_activation": False})
    quick = create_network("course_cnn", 5, 1, (28, 28), options=options)
    before = create_network("course_cnn", 5, 1, (28, 28), options=options | {"pool_before_activation": True})
    before.load_state_dict(after.state_dict())
    order = [type(layer) for layer in before.features]
    assert order.index(nn.MaxPool2d) < order.index(type(ACTIVATIONS[name]()))
    assert [type(layer) for layer in quick.features] == order
    falling = create_network("course_cnn", 5, 1, (28, 28), options={"activation": "gelu"})
    assert [type(layer) for layer in falling.features][1:3] == [nn.GELU, nn.MaxPool2d]
    images = torch.randn(4, 1, 28, 28)
    torch.testing.assert_close(before(images), after(images))


def test_options_of_the_course_cnn_and_the_mlp():
    plain = create_network("course_cnn", 10, 1, (28, 28))
    batch = create_network("course_cnn", 10, 1, (28, 28), options={"normalization": "batch"})
    assert (count(plain), count(batch)) == (21_578, 21_578 + 8 + 16 + 32)  # a factor each; the shift is the bias
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in batch.modules()) == 3
    mlp = create_network("mlp", 10, 1, (28, 28), options={"activation": "sigmoid", "normalization": "batch"})
    assert [type(layer) for layer in mlp.hidden] == [nn.Linear, nn.BatchNorm1d, nn.Sigmoid, nn.Dropout]
    assert count(mlp) == 79_510 + 100


@pytest.mark.parametrize("name", ["course_cnn", "mlp"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"activation": "rely"}, "no activation 'rely'; choose one of relu"),
        ({"normalization": "layer"}, "choose one of none, batch"),
    ],
)
def test_options_that_do_not_exist_are_explained(name, options, said):
    with pytest.raises(NetworkError, match=said):
        create_network(name, 10, 1, (28, 28), options=options)


def test_separable_resnet_switches_its_convolutions_and_shortcuts():
    network = create_network("separable_resnet", 100, 3, (32, 32))
    assert count(network) < 5_000_000
    # By hand: a block of stage one has two times 9 weights a channel and one for each pair of channels.
    assert sum(p.numel() for p in network.stages[0][1].parameters() if p.ndim > 1) == 2 * (9 * 128 + 128**2)
    small = {"widths": [16, 32], "blocks": [1, 1]}
    full = create_network("separable_resnet", 100, 3, (32, 32), options={"separable": False} | small)
    assert sum(p.numel() for p in full.stages[0].parameters() if p.ndim > 1) == 2 * 9 * 16**2
    plain = create_network("separable_resnet", 5, 3, (32, 32), options={"residual": False} | small)
    assert not any("shortcut" in key for key in plain.state_dict())
    assert plain(torch.randn(3, 3, 32, 32)).std(dim=0).min() > 0  # an image still gets through


def test_the_fully_convolutional_network_sees_each_class_in_each_place():
    network = create_network("fully_convolutional", 3, 3, (32, 32), options={"widths": [8, 16]}).eval()
    images = torch.randn(2, 3, 48, 80)  # not the size it was made for
    maps = network.head[:2](network.stages(network.stem(images)))
    assert maps.shape == (2, 3, 24, 40)
    torch.testing.assert_close(network(images), maps.flatten(2).mean(dim=2))


@pytest.fixture(scope="module")
def vgg():
    return create_network("vgg16", 4, 3, (64, 64)).eval()


def test_vgg16_has_torchvision_s_features(vgg):
    from torchvision.models import vgg16

    with torch.device("meta"):  # the 120 million weights of its dense layers are not needed
        reference = vgg16().features
    assert {key: value.shape for key, value in reference.state_dict().items()} == {
        key: value.shape for key, value in vgg.features.state_dict().items()
    }
    reference.load_state_dict(vgg.features.state_dict(), assign=True)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(vgg.features(images), reference(images))
        assert vgg.features(images).std() > 0.05  # random weights let an image through


@pytest.mark.parametrize(("head", "layers"), [("pooled", [(4, 512)]), ("dense", [(32, 512), (4, 32)])])
def test_vgg16_takes_one_of_three_heads(head, layers):
    with torch.device("meta"):
        network = create_network_unchecked(head)
        flattened = create_network_unchecked("flattened")
    assert [tuple(p.shape) for p in network.head.parameters() if p.ndim > 1] == layers
    assert [tuple(p.shape) for p in flattened.head.parameters() if p.ndim > 1] == [(32, 512 * 2 * 3), (4, 32)]
    with pytest.raises(NetworkError, match="no head 'big'; choose one of pooled, dense, flattened"):
        create_network("vgg16", 4, 3, (64, 64), options={"head": "big"})


def create_network_unchecked(head):
    from opsin.networks.vgg16 import VGG16

    return VGG16(4, 3, (64, 100), head=head, head_width=32)


def test_vgg16_begins_from_torchvision_s_weights(vgg, monkeypatch):
    stored = {f"features.{key}": value + 1 for key, value in vgg.features.state_dict().items()}
    stored["head.fc.weight"] = torch.zeros(1000, 4096)
    monkeypatch.setattr("opsin.networks.pretrained.find_weights_of", lambda backbone: "timm's cache")
    monkeypatch.setattr("opsin.networks.pretrained.fetch_weights", lambda backbone: dict(stored))
    color = create_network("vgg16", 4, 3, (32, 32), pretrained=True)
    for key, value in color.features.state_dict().items():
        assert torch.equal(value, stored[f"features.{key}"])
    assert (color.head[-1].weight == 0).all()  # all classes equally likely
    grey = create_network("vgg16", 4, 1, (32, 32), pretrained=True)
    torch.testing.assert_close(grey.features[0].weight, stored["features.0.weight"].sum(dim=1, keepdim=True))


def test_mobilenetv3_se_has_timm_s_convolutions_and_no_layer_that_does_nothing():
    network = create_network("mobilenetv3_se", 8, 3, (64, 64), dropout=0.3).eval()
    reference = timm.create_model("mobilenetv3_large_100", num_classes=0).eval()
    values = network.features.state_dict().values()
    names = [key for key in reference.state_dict() if not key.startswith("conv_head")]
    reference.load_state_dict(dict(zip(names, values, strict=True)), strict=False)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network.features(images), reference.forward_features(images))
    kinds = [type(layer).__name__ for layer in network.head]
    dense = ["Linear", "BatchNorm1d", "SiLU", "Dropout"]
    assert kinds == ["SqueezeExcitation", "AdaptiveAvgPool2d", "Flatten", *dense, *dense, "Linear"]


def test_networks_built_on_others_expect_their_input():
    assert input_statistics("vgg16") == input_statistics("resnet18") == input_statistics("mobilenetv3_se")
    assert find_weights("course_cnn") is None
    with pytest.raises(NetworkError, match="no pretrained weights of separable_resnet"):
        create_network("separable_resnet", 5, 3, (32, 32), pretrained=True)
