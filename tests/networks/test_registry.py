from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from opsin.errors import NetworkError
from opsin.networks.backbones import find_weights
from opsin.networks.layer_groups import head_of, layer_groups
from opsin.networks.pretrained import OFFLINE, has_offline_weights
from opsin.networks.registry import NETWORKS, create_network, list_networks


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_of_ours_maps_images_to_logits_and_learns(name, channels):
    network = create_network(name, 4, channels, (64, 64))
    logits = network(torch.randn(2, channels, 64, 64))
    assert logits.shape == (2, 4)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", sorted(NETWORKS))
@pytest.mark.parametrize("size", [(8, 8), (28, 28), (33, 47), (128, 96)])
def test_every_network_of_ours_takes_any_size(name, size):
    assert create_network(name, 3, 1, size).eval()(torch.randn(1, 1, *size)).shape == (1, 3)


def test_parameter_counts_are_those_of_the_courses():
    count = {
        name: sum(p.numel() for p in create_network(name, 10, 1, (28, 28)).parameters())
        for name in ("course_cnn", "mlp")
    }
    assert count == {"course_cnn": 21_578, "mlp": 79_510}


def test_timm_networks_by_name():
    network = create_network("resnet10t", 5, 1, (64, 64), dropout=0.2)
    assert network(torch.randn(2, 1, 64, 64)).shape == (2, 5)
    fixed = create_network("vit_tiny_patch16_224", 5, 3, (64, 64))
    assert fixed(torch.randn(1, 3, 64, 64)).shape == (1, 5)
    assert "resnet10t" in list_networks()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("smal_resnet", 5, 1, (32, 32)), "did you mean 'small_resnet'"),
        (("efficientnetb0", 5, 3, (32, 32)), "efficientnet_b0"),
    ],
)
def test_networks_that_cannot_be_made_are_explained(arguments, said):
    with pytest.raises(NetworkError) as caught:
        create_network(*arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_options_are_explained():
    with pytest.raises(NetworkError, match="did you mean 'widths'"):
        create_network("small_resnet", 5, 1, (32, 32), options={"width": [8]})
    with pytest.raises(NetworkError, match="cannot be created with the options"):
        create_network("small_resnet", 5, 1, (32, 32), options={"widths": [8], "blocks": [1, 2]})
    with pytest.raises(NetworkError, match="resnet10t cannot be created.*nonsense"):
        create_network("resnet10t", 5, 1, (32, 32), options={"nonsense": 1})
    with pytest.raises(NetworkError, match="no pretrained weights of mlp"):
        create_network("mlp", 5, 1, (32, 32), pretrained=True)


def test_weights_that_cannot_be_fetched_are_explained_at_once(monkeypatch):
    monkeypatch.setattr("opsin.networks.pretrained._hub_answers", lambda: False)
    with pytest.raises(NetworkError, match="no connection to download them"):
        create_network("resnet18", 5, 3, (64, 64), pretrained=True)


@pytest.mark.skipif(not has_offline_weights(), reason="needs the extra `offline`")
def test_offline_weights_fill_all_but_the_head():
    torch.manual_seed(0)
    network = create_network(OFFLINE, 7, 3, (128, 128), pretrained=True)
    assert find_weights(OFFLINE) == "offline package"
    fresh = create_network(OFFLINE, 7, 3, (128, 128))
    same = [
        name
        for (name, loaded), random in zip(network.named_parameters(), fresh.parameters(), strict=True)
        if torch.equal(loaded, random) and loaded.ndim > 1
    ]
    assert same == []
    full = create_network(OFFLINE, 1000, 3, (224, 224), pretrained=True).eval()
    assert full(torch.randn(1, 3, 224, 224)).detach().std().item() > 0.2
    assert torch.equal(full.conv_stem.weight, network.conv_stem.weight)


@pytest.mark.skipif(not has_offline_weights(), reason="needs the extra `offline`")
def test_a_new_last_layer_on_pretrained_weights_begins_at_even_odds():
    images = torch.randn(4, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    fresh = create_network(OFFLINE, 2, 3, (128, 128), pretrained=True).eval()
    assert (fresh(images) == 0).all() and fresh.forward_features(images).std() > 0.1
    assert (create_network(OFFLINE, 2, 3, (128, 128), pretrained=False).eval()(images) != 0).any()
    assert (create_network(OFFLINE, 1000, 3, (128, 128), pretrained=True).eval()(images) != 0).any()


@pytest.mark.skipif(not has_offline_weights(), reason="needs the extra `offline`")
def test_offline_weights_see_a_grey_image_as_its_color_copy():
    grey = create_network(OFFLINE, 1000, 1, (128, 128), pretrained=True).eval()
    color = create_network(OFFLINE, 1000, 3, (128, 128), pretrained=True).eval()
    images = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(grey(images), color(images.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-3)


TWO_HEADS = ["deit_tiny_distilled_patch16_224", "levit_128s", "efficientformer_l1"]
WITHOUT_MATCHER = ["caformer_s18", "poolformer_s12", "pit_ti_224"]


@pytest.mark.parametrize("name", ["small_resnet", "course_cnn", "mlp", "resnet10t", *TWO_HEADS, *WITHOUT_MATCHER])
def test_layer_groups_hold_every_parameter_once_and_the_head_last(name):
    network = make(name)
    groups = layer_groups(network)
    numbers = [id(parameter) for group in groups for parameter in group]
    assert sorted(numbers) == sorted(id(parameter) for parameter in network.parameters())
    assert {id(parameter) for parameter in groups[-1]} == {id(p) for p in head_of(network).parameters()}
    assert len(groups) >= 2


def make(name):
    if name in NETWORKS:
        return create_network(name, 3, 1, (32, 32))
    with torch.device("meta"):  # shapes are enough, and nothing is computed
        return timm.create_model(name, num_classes=3)


def test_layer_groups_go_from_the_input_to_the_output():
    for name, first, last in [
        ("caformer_s18", "stem", "head.norm"),
        ("pit_ti_224", "pos_embed", "norm"),
        ("resnet10t", "conv1", "layer4"),
        ("levit_128s", "stem", "stages"),
    ]:
        network = make(name)
        name_of = {id(parameter): name for name, parameter in network.named_parameters()}
        groups = layer_groups(network)
        assert name_of[id(groups[0][0])].startswith(first)
        assert name_of[id(groups[-2][0])].startswith(last)


@pytest.mark.parametrize("name", TWO_HEADS)
def test_both_heads_of_a_distilled_network_learn_while_it_is_frozen(name):
    network = make(name)
    network.requires_grad_(False)
    head_of(network).requires_grad_(True)
    learning = {name.split(".")[0] for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert learning == {"head", "head_dist"}


@pytest.mark.parametrize("network", [nn.Sequential(nn.Linear(2, 2)), nn.ModuleDict({"head": nn.Identity()})])
def test_a_network_without_a_known_head_says_so(network):
    with pytest.raises(NetworkError, match="has no recognizable head"):
        head_of(network)


@pytest.mark.parametrize("name", ["small_resnet", "resnet10t"])
@pytest.mark.parametrize("key", ["num_classes", "pretrained", "drop_rate", "pretrained_cfg", "features_only"])
def test_what_the_recipe_decides_is_no_option(name, key):
    with pytest.raises(NetworkError, match=f"network.options cannot set '{key}' of {name}"):
        create_network(name, 5, 3, (32, 32), options={key: 1})


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("edgenext_xx_small", (8, 8), {}),
        ("resnet10t", (32, 32), {"global_pool": ""}),
        ("deit_tiny_distilled_patch16_224", (32, 32), {"img_size": 64}),
        ("mlp", (8, 8), {"widths": ["wide"]}),
        ("small_resnet", (8, 8), {"widths": []}),
    ],
)
def test_networks_that_cannot_take_the_images_are_refused_before_training(name, size, options):
    with pytest.raises(NetworkError, match=f"{name} cannot") as caught:
        create_network(name, 5, 3, size, options=options)
    assert "\n" not in str(caught.value)


def test_trying_a_network_changes_neither_it_nor_the_random_numbers_that_follow(monkeypatch):
    def make_one():
        torch.manual_seed(3)
        network = create_network("small_resnet", 3, 1, (8, 8), dropout=0.5)
        return network.state_dict(), torch.rand(5)

    state, numbers = make_one()
    assert state["stem.1.num_batches_tracked"] == 0
    assert (state["stem.1.running_mean"] == 0).all()
    monkeypatch.setattr("opsin.networks.construction.check_forward", lambda *arguments: None)
    assert torch.equal(make_one()[1], numbers)
