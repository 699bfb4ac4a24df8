from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import normalize

from opsin.data.images import ArrayImages, FileImages
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


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
def test_files_and_arrays_become_the_same_input(tmp_path, resize, channels):
    for number, shape in enumerate([(40, 60, 3), (60, 40), (24, 32, 3), (24, 32)]):
        pixels = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        preprocessing = Preprocessing(24, 32, channels, resize)
        files = FileImages(tmp_path, [tmp_path / f"{number}.png"])
        fitted = preprocessing.fit(pixels.reshape(*shape[:2], -1))
        assert fitted.shape == (24, 32, channels)
        assert fitted.dtype == np.uint8
        np.testing.assert_array_equal(preprocessing.read(files, 0), fitted)
        np.testing.assert_array_equal(preprocessing.read(ArrayImages(pixels[None]), 0), fitted)


@pytest.mark.parametrize("height", [300, 864])
@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_reduced_decoding_is_not_seen_in_the_input(tmp_path, resize, height):
    rows, columns = np.mgrid[:height, :1152] / 40
    pixels = np.stack([np.sin(rows), np.cos(columns), np.sin(rows + columns)], axis=2) * 100 + 128
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    preprocessing = Preprocessing(224, 224, 3, resize)
    files = FileImages(tmp_path, [tmp_path / "a.jpg"])
    difference = np.abs(preprocessing.read(files, 0).astype(int) - preprocessing.fit(files.read(0)))
    assert difference.mean() < 1
    assert difference.max() < 16


@pytest.mark.parametrize(("mean", "std"), [((0.4, 0.5, 0.6), (0.2, 0.25, 0.3)), ((0.13,), (0.31,))])
def test_standardizing_at_once_equals_scaling_and_normalizing(mean, std):
    channels = len(mean)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (7, 6, 5, channels), np.uint8))
    preprocessing = Preprocessing(6, 5, channels, mean=mean, std=std)
    before = pixels.clone()
    images = preprocessing.standardize(pixels)
    assert images.shape == (7, channels, 6, 5)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(images, preprocessing.normalize(preprocessing.scale(pixels)), atol=1e-6, rtol=0)
    torch.testing.assert_close(images, normalize(pixels.permute(0, 3, 1, 2) / 255, mean, std), atol=1e-6, rtol=0)
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_normalizing_is_done_in_place_in_either_layout(layout):
    images = torch.rand(4, 3, 6, 5).contiguous(memory_format=layout)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    expected = normalize(images, mean, std)
    normalized = Preprocessing(6, 5, 3, mean=mean, std=std).normalize(images)
    torch.testing.assert_close(normalized, expected, atol=1e-6, rtol=0)
    assert normalized.data_ptr() == images.data_ptr()
    assert normalized.is_contiguous(memory_format=layout)


def test_statistics_are_those_of_the_chosen_images(monkeypatch):
    monkeypatch.setattr("opsin.data.preprocessing.CHUNK", 500)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8))
    chosen = torch.arange(3, 40, 2)
    mean, std = channel_statistics(pixels, chosen)
    values = pixels[chosen].numpy() / 255
    np.testing.assert_allclose(mean, values.mean(axis=(0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(std, values.std(axis=(0, 1, 2)), atol=1e-6)


def test_statistics_look_at_no_more_images_than_the_limit():
    pixels = torch.zeros(19, 2, 2, 1, dtype=torch.uint8)
    pixels[1::2] = 255  # every second image, from the first on, is black
    assert channel_statistics(pixels, torch.arange(19), limit=10) == ((0.0,), (1.0,))


def test_statistics_do_not_copy_all_images(monkeypatch):
    monkeypatch.setattr("opsin.data.preprocessing.CHUNK", 10_000)
    taken = []

    class Watched(torch.Tensor):
        def __getitem__(self, rows):
            chunk = super().__getitem__(rows)
            taken.append(chunk.numel())
            return chunk.as_subclass(torch.Tensor)

    channel_statistics(torch.zeros(500, 10, 10, 3, dtype=torch.uint8).as_subclass(Watched), torch.arange(500))
    assert max(taken) <= 10_000


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
