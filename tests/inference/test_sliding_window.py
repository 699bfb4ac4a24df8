from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from opsin.inference.sliding_window import Tiling, probabilities_by_tiles
from opsin.networks.segmentation.unet import UNet


def standardize(pixels):
    return pixels.permute(0, 3, 1, 2).float() / 255


def whole(network, pixels):
    with torch.no_grad():
        probabilities = network(standardize(torch.from_numpy(pixels)[None])).softmax(dim=1)[0]
    sure, labels = probabilities.max(dim=0)
    return labels.numpy(), sure.numpy()


def predict_by_tiles(network, standardize, pixels, tiling):
    probabilities = torch.cat(list(probabilities_by_tiles(network, standardize, pixels, tiling)), dim=1)
    sure, labels = probabilities.max(dim=0)
    return labels.numpy(), sure.numpy()


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
@pytest.mark.parametrize("size", [(300, 210), (128, 128), (97, 333)])
def test_tiles_give_what_the_whole_image_gives(size, upsampling):
    torch.manual_seed(0)
    network = UNet(3, 3, (64, 64), widths=(4, 6, 8), upsampling=upsampling)
    for _ in range(30):  # so that the statistics of batch normalization are those of such pictures
        network(torch.rand(4, 3, 32, 32))
    network.eval().head.weight.data.mul_(3)
    pixels = picture(*size)
    # Two poolings by 2 and 3x3 convolutions see less than 40 pixels far.
    labels, confidence = predict_by_tiles(network, standardize, pixels, Tiling(128, 40, 16))
    expected, sure = whole(network, pixels)
    assert labels.shape == size
    assert np.abs(confidence - sure).max() < 1e-4
    agree = labels == expected
    assert agree.mean() > 0.9999
    assert len(np.unique(labels)) > 1


def test_margins_too_narrow_leave_seams():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 2, 41, padding=20), nn.BatchNorm2d(2)).eval()
    pixels = picture(256, 256)
    expected, _ = whole(network, pixels)
    wide, _ = predict_by_tiles(network, standardize, pixels, Tiling(128, 20, 16))
    narrow, _ = predict_by_tiles(network, standardize, pixels, Tiling(128, 0, 1))
    np.testing.assert_array_equal(wide, expected)
    assert (narrow != expected).any()


@settings(max_examples=60)
@given(st.integers(1, 40), st.sampled_from([64, 96, 128, 256]), st.integers(0, 40), st.integers(1, 40))
def test_tiles_cover_every_pixel_and_meet_smoothly(sides, side, margin, blend):
    if side - 2 * margin - blend < 32:
        with pytest.raises(ValueError, match="leave no room"):
            Tiling(side, margin, blend)
        return
    tiling, length = Tiling(side, margin, blend), 13 * sides
    starts = tiling.starts(length)
    assert all(start % 32 == 0 for start in starts)
    assert starts[0] == 0 and starts[-1] + side >= length
    total = np.zeros(length)
    for start in starts:
        reach = min(side, length - start)
        weights = tiling.weights(start, reach, length)
        total[start : start + reach] += weights
        if start:
            assert (weights[:margin] == 0).all()
    assert total.min() > 0
