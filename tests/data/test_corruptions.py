from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from torchvision.transforms.v2 import functional as vision

from opsin.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt, corrupt_by
from opsin.recipe.schema import AugmentationRecipe

SIZES = [(8, 8), (16, 24), (28, 28), (96, 96)]


def pictures(number=4, channels=3, height=48, width=48):
    """Smooth color patterns with an edge in them, as in photographs, uint8 (N, C, H, W)."""
    coarse = torch.rand(number, channels, 5, 5, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)
    for index in range(number):
        top, left = index * height // 19, index * width // 23  # edges anywhere in the grid of the pixels
        smooth[index, :, top : top + height // 4, left : left + width // 3] *= 0.4
    return (smooth * 230 + 10).round().to(torch.uint8)


def names(channels):
    return [name for name, corruption in CORRUPTIONS.items() if channels == 3 or not corruption.colored]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_every_corruption_goes_farther_from_the_image_with_its_severity(channels, size):
    batch = pictures(8, channels, *size)
    for name in names(channels):
        distances = []
        for severity in (0, *SEVERITIES):
            changed = corrupt(batch, name, severity)
            assert changed.shape == batch.shape and changed.dtype == torch.uint8
            distances.append((changed.float() - batch.float()).square().mean().sqrt().item())
        assert distances[0] == 0
        assert all(b >= a for a, b in zip(distances, distances[1:], strict=False)), f"{name} {distances}"
        assert distances[-1] > 2, f"{name} {distances}"


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_images_and_float_the_same_as_uint8(name):
    batch = pictures()
    first = corrupt(batch, name, 3, seed=5)
    assert torch.equal(first, corrupt(batch, name, 3, seed=5))
    as_float = corrupt(batch.double() / 255, name, 3, seed=5)
    assert as_float.dtype == torch.float64 and as_float.min() >= 0 and as_float.max() <= 1
    assert (as_float * 255 - first).abs().max() < 0.51


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_image_of_a_batch_is_treated_for_itself_where_one_way_is_given(name):
    batch = pictures(6)
    if CORRUPTIONS[name].learned_by == ("noise",):
        pytest.skip("noise depends on the place in the batch")
    together = corrupt(batch, name, 4, way=0.3)
    alone = torch.cat([corrupt(image[None], name, 4, way=0.3) for image in batch])
    assert (together.int() - alone.int()).abs().max() <= 1


@given(severity=st.floats(0, 5), name=st.sampled_from(sorted(CORRUPTIONS)), way=st.floats(0, 0.999))
def test_parts_of_a_severity_lie_between_the_whole_ones(severity, name, way):
    corruption = CORRUPTIONS[name]
    amounts = [corruption.amount(number) for number in range(6)]
    assert amounts == [0.0, *corruption.amounts] and amounts == sorted(amounts)
    assert amounts[int(severity)] <= corruption.amount(severity) <= amounts[min(5, int(severity) + 1)]
    changed = corrupt(pictures(1), name, severity, way=way)
    assert changed.dtype == torch.uint8


def test_noise_has_the_deviation_that_it_says():
    grey = torch.full((4, 3, 64, 64), 0.5)
    deviation = corrupt(grey, "noise", 2).std().item()
    assert deviation == pytest.approx(CORRUPTIONS["noise"].amounts[1], rel=0.02)
    dark, bright = (corrupt(torch.full_like(grey, level), "shot", 1).std().item() for level in (0.2, 0.8))
    assert bright / dark == pytest.approx(2, rel=0.05)  # the root of four times the light


def test_blur_is_the_gaussian_filter_of_scipy():
    batch = pictures(2)
    sigma = CORRUPTIONS["blur"].amounts[4] * 48
    expected = ndimage.gaussian_filter(batch.numpy().astype(float), (0, 0, sigma, sigma), mode="nearest", truncate=6)
    assert np.abs(corrupt(batch, "blur", 5).numpy() - expected).max() < 3


@pytest.mark.parametrize("shape", [(50, 1, 8, 8), (3, 1, 24, 16), (4, 1, 13, 8), (3, 3, 16, 16)])
def test_jpeg_of_many_images_is_that_of_each_alone(shape):
    batch = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    alone = [corrupt(image[None], "jpeg", 3) for image in batch]
    assert torch.equal(corrupt(batch, "jpeg", 3), torch.cat(alone))


def test_jpeg_is_of_the_quality_that_it_says():
    batch = pictures(2)
    decoded = corrupt(batch, "jpeg", 3)
    for before, after in zip(batch, decoded, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(before.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=30)
        expected = np.asarray(Image.open(buffer)).astype(int)
        assert np.array_equal(after.permute(1, 2, 0).numpy(), expected)


def test_the_ways_lead_to_opposite_sides():
    batch = pictures()
    darker, brighter = corrupt(batch, "brightness", 3, way=0.9), corrupt(batch, "brightness", 3, way=0.1)
    assert (darker <= batch).all() and (brighter >= batch).all()
    red, cyan = corrupt(batch, "cast", 3, way=0.0).float(), corrupt(batch, "cast", 3, way=0.5).float()
    assert (red[:, 0] >= batch[:, 0]).all() and (red[:, 1] <= batch[:, 1]).all()
    assert (cyan[:, 0] <= batch[:, 0]).all() and (cyan[:, 2] >= batch[:, 2]).all()
    grey = batch.float().mean(1, keepdim=True).expand(-1, 3, -1, -1).round().to(torch.uint8)
    assert (corrupt(grey, "saturation", 5).int() - grey.int()).abs().max() <= 1
    spread = [corrupt(batch, "contrast", 3, way=way).float().std() for way in (0.9, 0.1)]
    assert spread[0] < batch.float().std() < spread[1]


def test_rotation_and_scale_are_those_of_torchvision():
    batch = pictures(2).float() / 255
    center = (slice(None), slice(None), slice(16, 32), slice(16, 32))
    bilinear = {"interpolation": vision.InterpolationMode.BILINEAR}
    turned = [vision.rotate(batch, angle, **bilinear)[center] for angle in (14, -14)]
    ours = corrupt(batch, "rotation", 3, way=0.1)[center]
    assert min((ours - theirs).abs().max() for theirs in turned) < 1e-4
    zoomed = [vision.affine(batch, 0, [0, 0], factor, [0, 0], **bilinear)[center] for factor in (1.28, 1 / 1.28)]
    ours = corrupt(batch, "scale", 3, way=0.1)[center]
    assert min((ours - theirs).abs().max() for theirs in zoomed) < 1e-4


def test_a_stain_of_one_dye_gets_stronger_by_the_factor():
    """Pixels of pure hematoxylin keep their hue: their optical density is multiplied, here by 2 ** 0.5."""
    density = torch.tensor([0.65, 0.70, 0.29]) * torch.linspace(0.1, 0.5, 64)[:, None]
    image = ((256 * 10**-density - 1) / 255).T.reshape(1, 3, 8, 8)
    changed = corrupt(image, "stain", 3, way=0.0)
    after = -torch.log10((changed * 255 + 1) / 256).reshape(3, 64).T
    torch.testing.assert_close(after, density * 2**0.5, atol=2e-3, rtol=0)


def test_several_corruptions_follow_each_other():
    batch = pictures()
    one = corrupt(corrupt(batch, "brightness", 2, way=0.7).double() / 255, "cast", 2, way=0.2)
    both = corrupt_by(batch, {"brightness": 2, "cast": 2}, ways={"brightness": 0.7, "cast": 0.2})
    assert (both - one * 255).abs().max() <= 1.1
    assert torch.equal(corrupt_by(batch, {"blur": 0, "jpeg": 0}, ways={}), batch)


def test_color_needs_color():
    with pytest.raises(ValueError, match="needs color"):
        corrupt(pictures(channels=1), "cast", 1)


def test_what_training_varied_is_known():
    off = AugmentationRecipe(rotation=0.0, brightness=0.0, scale=0.1)
    assert CORRUPTIONS["scale"].seen(off)
    assert not CORRUPTIONS["rotation"].seen(off) and not CORRUPTIONS["blur"].seen(off)
    assert not CORRUPTIONS["scale"].seen(AugmentationRecipe(scale=0.1, strength=0.0))
    assert CORRUPTIONS["shot"].seen(AugmentationRecipe(noise=0.05))
