from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn
from sklearn.datasets import load_digits, load_sample_image

from opsin.data.near_duplicates.alignment import (
    POSES,
    align,
    apply_pose,
    transform,
    transform_window,
    transform_windows,
)
from opsin.data.near_duplicates.find import find_near_duplicates
from opsin.data.near_duplicates.search import ALONG, LEAF, WINDOWS, Index

SIDE = 48


def cut(generator, number, side=SIDE):
    """Return pieces of photographs that overlap nowhere."""
    photographs = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    pieces = [
        photograph[top : top + side, left : left + side]
        for photograph in photographs
        for top in range(0, photograph.shape[0] - side + 1, side)
        for left in range(0, photograph.shape[1] - side + 1, side)
    ]
    pieces = [piece for piece in pieces if piece.mean(axis=2).std() > 15]
    return np.stack([pieces[index] for index in generator.choice(len(pieces), number, replace=False)])


def resize(image, size, box=None):
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC, box=box))


def halved(image, generator):
    return resize(resize(image, (image.shape[1] // 2, image.shape[0] // 2)), image.shape[1::-1])


def recompressed(image, generator):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=int(generator.integers(30, 96)))
    return np.asarray(Image.open(buffer))


def brightened(image, generator):
    return (image * generator.uniform(0.9, 1.1) + generator.uniform(-15, 15)).clip(0, 255).astype(np.uint8)


def cropped(image, generator):
    height, width = image.shape[:2]
    tall, wide = height * generator.uniform(0.9, 0.97), width * generator.uniform(0.9, 0.97)
    top, left = generator.uniform(0, height - tall), generator.uniform(0, width - wide)
    return resize(image, (width, height), (left, top, left + wide, top + tall))


def mirrored(image, generator):
    return image[:, ::-1] if generator.random() < 0.5 else image[::-1]


def turned(image, generator):
    return np.rot90(image, generator.integers(1, 4))


CHANGES = {
    "exact": (lambda image, generator: image, "exact"),
    "halved": (halved, "resized or recompressed"),
    "recompressed": (recompressed, "resized or recompressed"),
    "brightened": (brightened, "resized or recompressed"),
    "cropped": (cropped, "cropped"),
    "mirrored": (mirrored, "mirrored"),
    "turned": (turned, "turned"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_of_photographs_are_found_and_nothing_else(change):
    generator = np.random.default_rng(0)
    images = cut(generator, 90)
    function, kind = CHANGES[change]
    copies = np.stack([function(image, generator) for image in images[:30]])
    found = find_near_duplicates(np.concatenate([images, copies]), mirrored=True)
    assert ((found.pairs[:, 0] < 30) & (found.pairs[:, 1] == found.pairs[:, 0] + 90)).all()
    assert len(found.pairs) >= (29 if kind == "cropped" else 30)
    assert (found.kinds == kind).mean() > 0.9
    assert found.count == (0 if kind == "exact" else 2 * len(found.pairs))
    assert ((found.similarity > 0.9) & (found.similarity <= 1)).all()


def test_mirror_images_are_others_where_they_mean_something_else():
    generator = np.random.default_rng(1)
    images = cut(generator, 40)
    changed = np.stack([function(image, generator) for image in images[:10] for function in (mirrored, turned)])
    assert not len(find_near_duplicates(np.concatenate([images, changed]), mirrored=False).pairs)


def test_copies_of_copies_come_into_one_group():
    generator = np.random.default_rng(2)
    images = cut(generator, 30)
    functions = (halved, recompressed, brightened, mirrored)
    copies = [np.stack([function(image, generator) for image in images[:4]]) for function in functions]
    groups = find_near_duplicates(np.concatenate([images, *copies]), mirrored=True).groups(46)
    for index in range(4):
        assert (np.flatnonzero(groups == groups[index]) == [index, *(30 + index + 4 * np.arange(4))]).all()
    assert len(np.unique(groups)) == 30


def test_as_many_copies_as_a_zealous_augmentation_makes_come_into_one_group():
    generator = np.random.default_rng(3)
    images = cut(generator, 60)
    copies = [recompressed(brightened(image, generator), generator) for _ in range(13) for image in images]
    groups = find_near_duplicates(np.concatenate([images, np.stack(copies)]), mirrored=False).groups(840)
    largest = [np.unique(column, return_counts=True)[1].max() for column in groups.reshape(14, 60).T]
    assert np.mean(largest) / 14 > 0.9
    assert all(len(np.unique(np.flatnonzero(groups == group) % 60)) == 1 for group in np.unique(groups))


def larger_digits():
    digits = load_digits().images * (255 / 16)
    return np.stack([resize(digit.astype(np.uint8), (28, 28)) for digit in digits])[..., None]


def test_handwritten_digits_are_told_apart_and_their_copies_found():
    generator = np.random.default_rng(4)
    images = larger_digits()
    copies = np.stack([recompressed(image[..., 0], generator) for image in images[:100]])[..., None]
    found = find_near_duplicates(np.concatenate([images, copies]), mirrored=False)
    number = len(images)
    planted = (found.pairs[:, 1] == found.pairs[:, 0] + number) & (found.pairs[:, 1] >= number)
    assert planted.sum() >= 95
    assert (~planted).sum() <= 3


def test_order_changes_nothing():
    generator = np.random.default_rng(5)
    images = cut(generator, 60)
    images = np.concatenate([images, np.stack([cropped(image, generator) for image in images[:20]]), images[:3]])
    order = generator.permutation(len(images))
    straight, shuffled = (find_near_duplicates(array, mirrored=True) for array in (images, images[order]))
    again = {tuple(sorted(pair)) for pair in order[shuffled.pairs].tolist() if pair}
    exact = {tuple(sorted(pair)) for pair in straight.pairs[straight.kinds == "exact"].tolist()}
    assert len(again) == len(straight.pairs) == 23
    assert exact == {(index, 80 + index) for index in range(3)} <= again
    groups, others = straight.groups(83), shuffled.groups(83)
    assert ((groups[order, None] == groups[order]) == (others[:, None] == others)).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(8, 40), st.integers(8, 40), st.sampled_from([1, 3]))
def test_noise_matches_exactly_what_equals_it(seed, number, height, width, channels):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (number, height, width, channels), dtype=np.uint8)
    source = generator.integers(0, number, 5)
    found = find_near_duplicates(np.concatenate([images, images[source]]), mirrored=True)
    assert (found.kinds == "exact").all()
    assert (found.groups(number + 5)[number:] == found.groups(number + 5)[source]).all()
    assert len(np.unique(found.groups(number + 5))) == number


def test_constant_images_match_only_when_equal():
    levels = np.array([0, 0, 1, 2, 128, 128, 255])
    images = np.broadcast_to(levels[:, None, None, None], (7, 32, 32, 3)).astype(np.uint8)
    found = find_near_duplicates(images, mirrored=True)
    assert found.pairs.tolist() == [[0, 1], [4, 5]] and found.count == 0
    speckled = np.random.default_rng(0).integers(0, 3, (20, 32, 32, 1), dtype=np.uint8)
    assert not len(find_near_duplicates(speckled, mirrored=True).pairs)


def test_smooth_pictures_have_too_little_content_to_be_sure():
    rows, columns = np.mgrid[:48, :48] / 47
    generator = np.random.default_rng(6)
    slopes = generator.uniform(-1, 1, (30, 2))
    images = np.stack([128 + 60 * (a * (rows - 0.5) + b * (columns - 0.5)) for a, b in slopes])
    assert not len(find_near_duplicates(images[..., None].astype(np.uint8), mirrored=True).pairs)


def test_the_same_shape_in_another_color_is_another_picture():
    images = cut(np.random.default_rng(7), 60)
    swapped = images[..., ::-1]
    most_colorful = np.abs(images.astype(int) - swapped).mean(axis=(1, 2, 3)).argsort()[-8:]
    assert not len(find_near_duplicates(np.concatenate([images, swapped[most_colorful]]), mirrored=False).pairs)


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_few_images(number):
    generator = np.random.default_rng(8)
    images = cut(generator, number)
    assert not len(find_near_duplicates(images, mirrored=True).pairs)
    both = np.concatenate([images, recompressed(images[0], generator)[None]])
    assert find_near_duplicates(both, mirrored=True).pairs.tolist() == [[0, number]]


def test_tiny_images_are_compared_for_equality_only():
    images = load_digits().images[:50, ..., None].astype(np.uint8) * 15
    found = find_near_duplicates(np.concatenate([images, images[:2], images[2:4] + 1]), mirrored=False)
    assert found.pairs.tolist() == [[0, 50], [1, 51]]


def test_memory_mapped_images_of_any_shape_and_progress(tmp_path):
    generator = np.random.default_rng(9)
    images = np.concatenate([cut(generator, 20)[:, :40], cut(generator, 20)[:1, :40]])
    images[20] = halved(images[4], generator)
    np.save(tmp_path / "images.npy", images)
    told = []
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    found = find_near_duplicates(mapped, mirrored=True, progress=lambda done, total: told.append((done, total)))
    assert found.pairs.tolist() == [[4, 20]]
    assert told == sorted(told) and told[-1][0] == told[-1][1]


# The parts, against independent references.


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(8, 40))
def test_coefficients_hold_the_mean_square_and_tend_to_the_discrete_cosine_transform(seed, height, width):
    picture = np.random.default_rng(seed).uniform(0, 255, (1, height, width)).astype(np.float32)
    coefficients = transform(torch.from_numpy(picture), 8)[0].numpy()
    # The integral of a cosine over a pixel is its value in the middle times a factor near 1 (sinc).
    reference = dctn(picture[0], norm="ortho")[:8, :8] / math.sqrt(height * width)
    factors = (np.sinc(np.arange(8) / 2 / side) for side in (height, width))
    np.testing.assert_allclose(coefficients, reference * np.outer(*factors), atol=1e-3)


@pytest.mark.parametrize("pose", range(len(POSES)))
def test_a_pose_of_coefficients_is_that_of_the_image(pose):
    picture = torch.rand(3, 24, 24)
    up, left, over = POSES[pose]
    changed = picture.mT if over else picture
    changed = changed.flip([axis for axis, reverse in ((1, up), (2, left)) if reverse])
    torch.testing.assert_close(apply_pose(transform(picture, 9), pose), transform(changed, 9), atol=1e-5, rtol=0)


def test_windows_along_both_axes_are_the_windows():
    picture = torch.rand(2, 20, 30)
    one_by_one = torch.stack([transform_window(picture, 8, margins[None]) for margins in WINDOWS], 1)
    torch.testing.assert_close(transform_windows(picture, 8, ALONG), one_by_one)


def test_a_window_is_found_from_near_it():
    generator = np.random.default_rng(10)
    grey = torch.from_numpy(cut(generator, 20).mean(axis=3).astype(np.float32))
    margins = torch.tensor([[0.03, 0.05, 0.06, 0.02]]).expand(20, 4)
    weights = torch.ones(20, 12, 12)
    weights[:, 0, 0] = 0
    others = 0.9 * transform_window(grey, 12, margins)
    found, dissimilarity, contrast = align(grey, others, margins - 0.02, weights, steps=6)
    torch.testing.assert_close(found, margins, atol=2e-3, rtol=0)
    torch.testing.assert_close(contrast, torch.full((20,), 0.9), atol=0.02, rtol=0)
    assert dissimilarity.max() < 1e-3


def test_an_index_finds_what_brute_force_finds():
    generator = np.random.default_rng(11)
    sketches = generator.normal(0, 20, (3000, 16)).astype(np.float32)
    wanted = sketches[:500] + generator.normal(0, 1, (500, 16)).astype(np.float32)
    index = Index(sketches)
    assert max(map(len, index.buckets)) <= LEAF and sorted(np.concatenate(index.buckets)) == list(range(3000))
    rows, found, distances = index.find(wanted, index.choose_reach(wanted), 60.0, 3)
    brute = ((wanted[:, None] - sketches) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances, brute[rows, found], atol=0.05)
    there = {(row, column) for row, column in np.argwhere(brute < 60).tolist()}
    assert len(there & set(zip(rows.tolist(), found.tolist(), strict=True))) >= 0.97 * len(there) > 400


def test_an_index_of_equal_sketches_keeps_its_buckets_small():
    assert max(map(len, Index(np.zeros((5000, 4), np.float32)).buckets)) <= LEAF
