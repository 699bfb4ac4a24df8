from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from opsin.errors import NetworkError
from opsin.inspection.attribution_methods import (
    METHODS,
    SIGNED,
    attribute,
    border_share,
    find_feature_map,
    occlusion_window,
)
from opsin.networks.registry import create_network

SIZE = (20, 24)


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def targets():
    return torch.tensor([2, 0, 3])


@pytest.fixture(scope="module", params=["course_cnn", "small_resnet", "mlp"])
def network(request):
    torch.manual_seed(5)
    options = {"widths": [6, 8, 8, 8]} if request.param == "small_resnet" else {}
    return create_network(request.param, 4, 3, SIZE, dropout=0.3, options=options)


def test_saliency_is_the_largest_absolute_gradient_of_the_channels(network, images, targets):
    maps = attribute(network.train(), images, targets, ["saliency"])["saliency"]
    assert network.training
    network.eval()
    inputs = images.clone().requires_grad_()
    network(inputs)[torch.arange(3), targets].sum().backward()
    np.testing.assert_allclose(maps, inputs.grad.abs().amax(dim=1).numpy(), rtol=1e-5, atol=1e-7)


def test_integrated_gradients_are_complete(network, images, targets):
    """Their sum is the difference that the image makes to the logit (Sundararajan et al. 2017)."""
    baseline = torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)
    maps = attribute(network, images, targets, ["integrated_gradients"], baseline=baseline, steps=256)
    network.eval()
    with torch.no_grad():
        logits, nothing = network(images), network(baseline.expand(1, 3, *SIZE))
    wanted = (logits - nothing)[torch.arange(3), targets].numpy()
    np.testing.assert_allclose(
        maps["integrated_gradients"].sum(axis=(1, 2)), wanted, atol=0.01 * max(1, abs(wanted).max())
    )


def test_occlusion_is_what_covering_each_square_costs(network, images, targets):
    baseline = torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)
    maps = attribute(network, images, targets, ["occlusion"], baseline=baseline, windows=6, batch_size=5)["occlusion"]
    network.eval()
    (height, down, rows), (width, right, columns) = (occlusion_window(side, 6) for side in SIZE)
    for image, target, found in zip(images, targets, maps, strict=True):
        total, covered = np.zeros(SIZE), np.zeros(SIZE)
        with torch.no_grad():
            before = network(image[None])[0, target].item()
            for i in range(rows):
                for j in range(columns):
                    square = (slice(i * down, i * down + height), slice(j * right, j * right + width))
                    patched = image.clone()
                    patched[(slice(None), *square)] = baseline
                    total[square] += before - network(patched[None])[0, target].item()
                    covered[square] += 1
        assert covered.min() > 0
        np.testing.assert_allclose(found, total / covered, rtol=1e-3, atol=2e-5)


def test_grad_cam_weights_the_channels_of_the_last_map(images, targets):
    torch.manual_seed(5)
    network = create_network("course_cnn", 4, 3, SIZE)
    maps = attribute(network, images, targets, ["grad_cam"])["grad_cam"]
    features = network.features(images).detach().requires_grad_()
    network.head(features.flatten(1))[torch.arange(3), targets].sum().backward()
    weights = features.grad.mean(dim=(2, 3), keepdim=True)
    cam = (weights * features).sum(dim=1, keepdim=True).relu().detach()
    wanted = nn.functional.interpolate(cam, SIZE, mode="bilinear")[:, 0].numpy()
    np.testing.assert_allclose(maps, wanted, rtol=1e-4, atol=1e-6)
    assert maps.max() > 0


def test_maps_do_not_depend_on_the_batch(images, targets):
    torch.manual_seed(5)
    network = create_network("course_cnn", 4, 3, SIZE)
    together = attribute(network, images, targets, steps=9)
    alone = attribute(network, images[1:2], targets[1:2], steps=9, batch_size=2)
    assert list(together) == list(METHODS)
    for method, maps in together.items():
        assert maps.shape == (3, *SIZE) and maps.dtype == np.float32
        assert (maps.min() < 0) == (method in SIGNED)
        np.testing.assert_allclose(maps[1], alone[method][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "size", "wanted"),
    [
        ("course_cnn", 28, ("features", 7, 7)),
        ("small_resnet", 32, ("stages", 4, 4)),
        ("resnet10t", 64, ("layer4", 2, 2)),
        ("tf_efficientnet_lite0", 64, ("bn2", 2, 2)),
        ("convnext_atto", 64, ("stages", 2, 2)),
        ("mobilenetv3_small_050", 64, ("blocks", 2, 2)),
    ],
)
def test_the_last_feature_map_of_convolutional_networks(name, size, wanted):
    found = find_feature_map(create_network(name, 2, 3, (size, size)), torch.zeros(1, 3, size, size))
    assert (found.name, found.height, found.width) == wanted


@pytest.mark.parametrize(
    ("name", "reason"),
    [("mlp", "no convolutional"), ("vit_tiny_patch16_224", "patches"), ("swin_tiny_patch4_window7_224", "patches")],
)
def test_networks_without_a_feature_map_say_why(name, reason):
    network = create_network(name, 2, 3, (64, 64))
    with pytest.raises(NetworkError, match=reason):
        attribute(network, torch.zeros(1, 3, 64, 64), torch.tensor([0]), ["grad_cam"])
    assert not any(module._forward_hooks for module in network.modules())


@given(side=st.integers(1, 300), windows=st.integers(1, 12))
def test_the_squares_cover_a_side(side, windows):
    size, stride, number = occlusion_window(side, windows)
    assert 1 <= size <= side and stride <= size
    assert (number - 1) * stride < side <= (number - 1) * stride + size
    assert number <= 2 * windows


def test_the_border_of_a_map_without_preference_has_the_share_of_its_area():
    share, area = border_share(np.ones((2, 20, 30), np.float32))
    assert area == pytest.approx(1 - 16 * 24 / 600)
    assert share == pytest.approx([area, area])


def test_the_border_of_small_images_is_one_pixel_wide_and_empty_maps_have_no_share():
    maps = np.zeros((2, 4, 4), np.float32)
    maps[0, 0, 0], maps[0, 1, 1] = -3, 1
    share, area = border_share(maps)
    assert area == 0.75 and share[0] == 0.75 and np.isnan(share[1])


@given(arrays(np.float32, (2, 7, 9), elements=st.floats(-1, 1, width=32)))
def test_the_share_of_the_border_is_a_part(maps):
    share, _ = border_share(maps)
    assert (np.isnan(share) | ((share >= 0) & (share <= 1))).all()
