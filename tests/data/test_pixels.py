from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from opsin.data.dataset import ArrayImages, FileImages
from opsin.data.pixels import load_pixels, memory_budget
from opsin.data.preprocessing import Preprocessing

SIZE = Preprocessing(24, 32, 3)


@pytest.fixture
def files(tmp_path):
    generator = np.random.default_rng(0)
    paths = []
    for number in range(7):
        path = tmp_path / f"{number}.png"
        Image.fromarray(generator.integers(0, 256, (40 + number, 50, 3), np.uint8)).save(path)
        paths.append(path)
    return FileImages(tmp_path, paths)


def test_memory_and_disk_hold_the_same_pixels(files, tmp_path):
    memory = load_pixels(files, SIZE, budget=10**9)
    disk = load_pixels(files, SIZE, budget=0, cache=tmp_path / "cache")
    assert memory.place == "memory"
    assert disk.place.endswith("pixels.u8")
    assert memory.images.shape == (7, 24, 32, 3)
    np.testing.assert_array_equal(memory.images.numpy(), disk.images.numpy())
    np.testing.assert_array_equal(memory.images[2].numpy(), SIZE.read(files, 2))


def test_a_second_run_decodes_only_what_changed(files, tmp_path):
    cache = tmp_path / "cache"
    assert load_pixels(files, SIZE, budget=0, cache=cache).decoded == 7
    assert load_pixels(files, SIZE, budget=0, cache=cache).decoded == 0
    Image.new("RGB", (50, 50), (200, 10, 10)).save(files.paths[3])
    os.utime(files.paths[5], ns=(1, 1))
    again = load_pixels(files, SIZE, budget=0, cache=cache)
    assert again.decoded == 2
    assert (again.images[3].numpy() == [200, 10, 10]).all()


def test_other_sizes_have_other_files(files, tmp_path):
    cache = tmp_path / "cache"
    load_pixels(files, SIZE, budget=0, cache=cache)
    other = load_pixels(files, Preprocessing(16, 16, 1), budget=0, cache=cache)
    assert other.decoded == 7
    assert len(list(cache.iterdir())) == 2


def test_a_pixel_file_that_was_cut_short_is_made_anew(files, tmp_path):
    cache = tmp_path / "cache"
    place = load_pixels(files, SIZE, budget=0, cache=cache).place
    with open(place, "r+b") as file:
        file.truncate(100)
    assert load_pixels(files, SIZE, budget=0, cache=cache).decoded == 7


def test_unreadable_images_are_named_and_looked_at_again(files, tmp_path):
    good = files.paths[1].read_bytes()
    files.paths[1].write_bytes(good[:60])
    files.paths[4].write_bytes(b"")
    for budget in (10**9, 0):
        pixels = load_pixels(files, SIZE, budget=budget, cache=tmp_path / "cache")
        assert list(pixels.unreadable) == [1, 4]
        assert pixels.unreadable[4] == "is empty (0 bytes)"
    files.paths[1].write_bytes(good)
    mended = load_pixels(files, SIZE, budget=0, cache=tmp_path / "cache")
    assert list(mended.unreadable) == [4]


def test_arrays_of_the_right_size_are_not_copied():
    array = np.zeros((5, 24, 32, 3), np.uint8)
    pixels = load_pixels(ArrayImages(array), SIZE)
    assert pixels.images.numpy().base is array or pixels.images.data_ptr() == array.ctypes.data
    assert load_pixels(ArrayImages(array), Preprocessing(8, 8, 1)).images.shape == (5, 8, 8, 1)


def test_digests_are_equal_for_equal_pixels_only():
    array = np.zeros((4, 6, 6), np.uint8)
    array[1, 2, 3] = 1
    array[3, 2, 3] = 1
    digests = load_pixels(ArrayImages(array), Preprocessing(6, 6, 1)).digests()
    assert digests[0] == digests[2] != digests[1] == digests[3]


def test_progress_ends_at_the_last_image(files):
    seen = []
    load_pixels(files, SIZE, budget=10**9, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (7, 7)


def test_memory_budget_is_what_was_asked_for():
    assert memory_budget(1.5) == 1_500_000_000
    assert memory_budget() > 0
