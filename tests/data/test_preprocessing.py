from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from opsin.data.dataset import ArrayImages
from opsin.data.preprocessing import Preprocessing, channel_statistics


def test_squash_keeps_all_of_the_image():
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, :10] = image[:, -10:] = 255
    small = Preprocessing(20, 20, 3).fit(image)
    assert small.shape == (20, 20, 3)
    assert small[:, 0].min() == small[:, -1].min() == 255


def test_crop_takes_the_middle_undistorted():
    image = np.zeros((50, 100, 3), np.uint8)
    image[:, 25:75] = 200
    assert (Preprocessing(25, 25, 3, resize="crop").fit(image) == 200).all()


def test_pad_adds_black_bars():
    image = np.full((50, 100, 3), 200, np.uint8)
    padded = Preprocessing(40, 40, 3, resize="pad").fit(image)
    assert (padded[:10] == 0).all()
    assert (padded[-10:] == 0).all()
    assert (padded[10:30] == 200).all()


def test_grey_and_color_are_converted_both_ways():
    color = np.zeros((8, 8, 3), np.uint8)
    color[..., 0] = 255
    grey = Preprocessing(8, 8, 1).fit(color)
    assert grey.shape == (8, 8, 1)
    assert grey[0, 0, 0] == 76  # 0.299 of 255
    assert (Preprocessing(8, 8, 3).fit(grey) == 76).all()


def test_resizing_averages_rather_than_skips_pixels():
    checkerboard = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    small = Preprocessing(8, 8, 1).fit(checkerboard)
    assert abs(small.astype(int) - 127).max() <= 3


def test_what_comes_out_equals_pillow():
    image = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    expected = np.array(Image.fromarray(image).resize((30, 40), Image.Resampling.BILINEAR, reducing_gap=2.0))
    np.testing.assert_array_equal(Preprocessing(40, 30, 3).read(ArrayImages(image[None]), 0), expected)


def test_normalized_training_images_have_mean_0_and_deviation_1():
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 200, (50, 6, 5, 3)).astype(np.uint8))
    mean, std = channel_statistics(pixels, torch.arange(50))
    preprocessing = Preprocessing(6, 5, 3, mean=mean, std=std)
    images = preprocessing.normalize(preprocessing.scale(pixels))
    assert images.shape == (50, 3, 6, 5)
    assert images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(images.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(images.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_a_channel_that_never_varies_is_not_divided_by_zero():
    pixels = torch.full((4, 3, 3, 1), 7, dtype=torch.uint8)
    assert channel_statistics(pixels, torch.arange(4))[1] == (1.0,)


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_json_round_trip(resize):
    preprocessing = Preprocessing(24, 32, 1, resize, 12, (0.1307,), (0.3081,))
    stored = json.loads(json.dumps(preprocessing.to_dict() | {"classes": ["a"]}))
    assert Preprocessing.from_dict(stored) == preprocessing
