from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import affine_grid, grid_sample

from opsin.data.augment import Augmentation, warp
from opsin.data.targets.masks import EncodedMasks
from opsin.recipe.schema import AugmentationRecipe

NOTHING = {"rotation": 0.0, "shift": 0.0, "scale": 0.0, "shear": 0.0}


def augmentation(**ranges):
    return Augmentation(AugmentationRecipe(**(NOTHING | ranges)))


def images(number=4, channels=3, height=12, width=12):
    return torch.rand(number, channels, height, width, generator=torch.Generator().manual_seed(0))


def test_nothing_on_changes_nothing():
    batch = images()
    assert not augmentation().active
    torch.testing.assert_close(augmentation()(batch.clone()), batch)
    assert not Augmentation(AugmentationRecipe(strength=0.0, horizontal_flip=0.5, brightness=0.3)).active


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ({"horizontal_flip": 1.0}, lambda batch: batch.flip(3)),
        ({"vertical_flip": 1.0}, lambda batch: batch.flip(2)),
        ({"horizontal_flip": 1.0, "vertical_flip": 1.0}, lambda batch: batch.flip(2, 3)),
    ],
)
@pytest.mark.parametrize("shape", [(12, 12), (8, 12)])
def test_mirror_images_are_exact(ranges, expected, shape):
    batch = images(height=shape[0], width=shape[1])
    torch.testing.assert_close(augmentation(**ranges)(batch.clone()), expected(batch), atol=1e-5, rtol=0)


def test_quarter_turns_are_exact_turns():
    torch.manual_seed(0)
    batch = images(number=60)
    turned = augmentation(quarter_turns=1.0)(batch.clone())
    seen = set()
    for before, after in zip(batch, turned, strict=True):
        matches = [k for k in range(4) if torch.allclose(torch.rot90(before, k, (1, 2)), after, atol=1e-4)]
        assert len(matches) == 1
        seen.add(matches[0])
    assert seen == {1, 2, 3}


def test_a_map_moves_a_point_to_where_it_says():
    batch = torch.zeros(1, 1, 11, 11)
    batch[0, 0, 5, 8] = 1  # three pixels right of the middle
    angle = math.radians(90)
    rotation = torch.tensor([[[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0]]])
    turned = warp(batch, rotation)
    row, column = divmod(int(turned.argmax()), 11)
    assert (row, column) == (2, 5)


def test_rotation_keeps_shapes_in_images_that_are_not_square():
    """A disc stays a disc: the map is composed in pixels, not in the coordinates of the sides."""
    rows, columns = np.mgrid[:40, :80]
    disc = ((rows - 19.5) ** 2 + (columns - 39.5) ** 2 < 12**2).astype(np.float32)
    batch = torch.from_numpy(disc)[None, None].repeat(8, 1, 1, 1)
    torch.manual_seed(1)
    turned = augmentation(rotation=90.0)(batch.clone())
    middle = slice(27, 53)  # further out the turned image shows its own reflection
    assert float((turned - batch)[..., middle].abs().mean()) < 0.03


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5), st.sampled_from([1, 3]), st.floats(0, 3))
def test_values_stay_in_range_and_shape_is_kept(brightness, contrast, noise, erase, channels, strength):
    recipe = AugmentationRecipe(
        strength=strength,
        brightness=brightness,
        contrast=contrast,
        saturation=0.5,
        noise=noise,
        erase=erase,
        horizontal_flip=0.5,
    )
    batch = images(channels=channels, height=9, width=14)
    varied = Augmentation(recipe)(batch.clone())
    assert varied.shape == batch.shape
    assert float(varied.min()) >= -1e-6
    assert float(varied.max()) <= 1 + 1e-6


def test_each_image_is_varied_its_own_way_and_the_same_for_the_same_seed():
    batch = images(number=1).repeat(6, 1, 1, 1)
    vary = Augmentation(AugmentationRecipe(horizontal_flip=0.5, brightness=0.2))
    torch.manual_seed(3)
    first = vary(batch.clone())
    torch.manual_seed(3)
    again = vary(batch.clone())
    assert torch.equal(first, again)
    assert len({float(image.sum()) for image in first}) == 6


def colors_one_by_one(batch, contrast, brightness, saturation):
    """Each change after the other, as they are defined."""
    mean = batch.mean(dim=(1, 2, 3), keepdim=True)
    changed = (batch - mean) * contrast + mean + brightness
    if batch.shape[1] == 3:
        grey = (changed * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        changed = grey + (changed - grey) * saturation
    return changed.clamp(0, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ranges", [(0.2, 0.3, 0.4), (0.2, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.0, 0.4)])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_one_matrix_changes_colors_as_one_change_after_the_other(channels, ranges, layout):
    brightness, contrast, saturation = ranges
    batch = images(number=8, channels=channels, height=9, width=14).contiguous(memory_format=layout)
    torch.manual_seed(5)
    changed = augmentation(brightness=brightness, contrast=contrast, saturation=saturation)(batch.clone())
    torch.manual_seed(5)
    drawn = (torch.rand(4, 8) * 2 - 1).view(4, 8, 1, 1, 1)
    expected = colors_one_by_one(
        batch, 1 + drawn[0] * contrast, drawn[1] * brightness, 1 + drawn[2] * saturation if saturation else 1.0
    )
    torch.testing.assert_close(changed, expected, atol=1e-5, rtol=0)


def test_noise_comes_on_top_of_the_other_changes():
    batch = images(number=8)
    torch.manual_seed(5)
    changed = augmentation(brightness=0.1, noise=0.2)(batch.clone())
    torch.manual_seed(5)
    drawn = (torch.rand(4, 8) * 2 - 1).view(4, 8, 1, 1, 1)
    noise = torch.randn(8, 3, 12 * 12).view(8, 3, 12, 12) * (drawn[3] + 1) / 2 * 0.2
    torch.testing.assert_close(changed, (batch + drawn[1] * 0.1 + noise).clamp(0, 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("shape", [(12, 12), (9, 14), (1, 7)])
def test_warp_equals_the_grid_of_torch(mode, shape):
    torch.manual_seed(0)
    maps = torch.eye(2, 3).repeat(6, 1, 1) + torch.randn(6, 2, 3) * 0.2
    batch = images(number=6, height=shape[0], width=shape[1])
    grid = affine_grid(maps, list(batch.shape), align_corners=False)
    expected = grid_sample(batch, grid, mode=mode, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(warp(batch, maps, mode), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "ranges", [{}, {"rotation": 10.0}, {"brightness": 0.2}, {"noise": 0.1}, {"erase": 0.3}, {"saturation": 0.2}]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_batches_come_out_channels_last(ranges, channels):
    batch = images(channels=channels)
    assert augmentation(**ranges)(batch).is_contiguous(memory_format=torch.channels_last)
    batch = batch.contiguous(memory_format=torch.channels_last)
    assert augmentation(**ranges)(batch).is_contiguous(memory_format=torch.channels_last)


def test_the_images_given_stay_as_they_are():
    batch = images()
    before = batch.clone()
    Augmentation(AugmentationRecipe(brightness=0.3, contrast=0.3, noise=0.1, erase=0.3))(batch)
    assert torch.equal(batch, before)


def test_erase_blanks_a_square_of_the_asked_size():
    torch.manual_seed(0)
    batch = torch.ones(200, 1, 20, 20) * torch.linspace(0, 1, 20)
    blanked = (augmentation(erase=0.5)(batch.clone()) != batch).float().mean(dim=(1, 2, 3))
    assert float(blanked.max()) <= 0.26
    assert float(blanked.max()) >= 0.2


def test_strength_does_not_make_mirror_images_certain():
    torch.manual_seed(0)
    batch = images(number=400, channels=1)
    recipe = AugmentationRecipe(strength=3.0, horizontal_flip=0.5, **NOTHING)
    mirrored = torch.isclose(Augmentation(recipe)(batch.clone()), batch.flip(3), atol=1e-5).all(dim=3).all(dim=2)
    assert 0.4 < float(mirrored.float().mean()) < 0.6


GEOMETRY = [
    {"horizontal_flip": 0.5, "vertical_flip": 0.5, "quarter_turns": 0.7},
    {"rotation": 40.0, "shift": 0.1},
    {"scale": 0.4, "shear": 15.0},
    {"elastic": 0.05},
    {"horizontal_flip": 0.5, "rotation": 20.0, "scale": 0.2, "elastic": 0.03, "brightness": 0.2, "contrast": 0.3},
]


@pytest.mark.parametrize("ranges", GEOMETRY)
@pytest.mark.parametrize("shape", [(24, 24), (17, 30)])
def test_a_mask_goes_where_its_image_goes_pixel_by_pixel(ranges, shape):
    """The image's channels are its own coordinates, so that it says where each pixel has come from."""
    height, width = shape
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows / height, columns / width, 0 * rows]).expand(8, -1, -1, -1).float()
    masks = (rows * width + columns).expand(8, -1, -1)
    plain = {name: value for name, value in ranges.items() if name not in ("brightness", "contrast")}
    torch.manual_seed(5)
    moved, kept = augmentation(**plain).together(places, EncodedMasks(masks))
    torch.manual_seed(5)
    colored, same = augmentation(**ranges).together(places, EncodedMasks(masks))
    kept, same = kept.data, same.data
    torch.testing.assert_close(same, kept)  # changes of color leave the mask alone
    row, column = moved[:, 0] * height, moved[:, 1] * width
    # Away from the edge, where the reflection bends the ramps, and from ties between two pixels.
    inner = (row > 1) & (row < height - 2) & (column > 1) & (column < width - 2)
    inner &= ((row - row.floor() - 0.5).abs() > 0.01) & ((column - column.floor() - 0.5).abs() > 0.01)
    assert inner.float().mean() > 0.3
    expected = row.round() * width + column.round()
    torch.testing.assert_close(kept[inner], expected[inner].long())
    assert (kept != masks).float().mean() > 0.3
    assert kept.dtype == masks.dtype


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_masks_of_the_same_picture_stay_equal_to_it(shift):
    torch.manual_seed(0)
    masks = (torch.nn.functional.avg_pool2d(torch.rand(6, 1, 32, 32), 7, 1, 3) > 0.5)[:, 0]
    moved, kept = augmentation(rotation=30.0, shift=shift, elastic=0.04).together(
        masks[:, None].float(), EncodedMasks(masks.byte())
    )
    kept = kept.data
    sure = (moved[:, 0] < 1e-4) | (moved[:, 0] > 1 - 1e-4)  # all four neighbors are of one class, reflections too
    assert sure.float().mean() > 0.5
    torch.testing.assert_close(kept[sure].float(), moved[:, 0][sure].round())
    assert set(kept.unique().tolist()) <= {0, 1}


def test_elastic_deformation_is_smooth_and_as_large_as_asked():
    torch.manual_seed(0)
    shift = augmentation(elastic=0.05).sample_displacements(200, 40, 60, torch.device("cpu"))
    assert shift.shape == (200, 40, 60, 2)
    assert 0.06 < float(shift[:, ::13, ::19].std()) < 0.11  # positions span 2, so that 0.05 of the side is 0.1
    step = (shift[:, 1:] - shift[:, :-1]).abs().max()
    assert step < 0.12
