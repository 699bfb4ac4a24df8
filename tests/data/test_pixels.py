from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from opsin.data.images import ArrayImages, FileImages, SomeImages
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


def test_arrays_of_another_data_set_are_not_taken_for_these(tmp_path):
    cache, small = tmp_path / "cache", Preprocessing(4, 4, 1)
    black, white = (ArrayImages(np.full((3, 8, 8), value, np.uint8)) for value in (0, 255))
    assert (load_pixels(black, small, budget=0, cache=cache).images == 0).all()
    assert (load_pixels(white, small, budget=0, cache=cache).images == 255).all()
    assert load_pixels(black, small, budget=0, cache=cache).decoded == 0
    some = SomeImages(white, np.array([1]))
    assert (load_pixels(some, small, budget=0, cache=cache).images == 255).all()
    some = SomeImages(black, np.array([1]))
    assert (load_pixels(some, small, budget=0, cache=cache).images == 0).all()


def test_parts_of_two_folders_with_the_same_names_are_told_apart(tmp_path):
    parts = []
    for value in (10, 200):
        path = tmp_path / str(value) / "a.bmp"
        path.parent.mkdir()
        Image.new("RGB", (40, 40), (value,) * 3).save(path)
        os.utime(path, ns=(1, 1))  # same name, same size, same time
        parts.append(SomeImages(FileImages(path.parent, [path]), np.array([0])))
    for part, value in zip(parts, (10, 200), strict=True):
        assert (load_pixels(part, SIZE, budget=0, cache=tmp_path / "cache").images == value).all()


@pytest.mark.parametrize("version", ["opsin.data.pixels.CACHE_VERSION", "opsin.data.decoding.DECODER_VERSION"])
def test_another_version_decodes_anew(files, tmp_path, monkeypatch, version):
    load_pixels(files, SIZE, budget=0, cache=tmp_path / "cache")
    monkeypatch.setattr(version, 99)
    assert load_pixels(files, SIZE, budget=0, cache=tmp_path / "cache").decoded == 7


class Interrupted(BaseException):
    pass


def interrupted(files, cache, at, workers=1):
    """Decode to disk until image number ``at`` is done."""

    def stop(done, total):
        if done >= at:
            raise Interrupted

    with pytest.raises(Interrupted):
        load_pixels(files, SIZE, budget=0, cache=cache, progress=stop, workers=workers)


@pytest.fixture
def often(monkeypatch):
    """Tell of every image."""
    monkeypatch.setattr("opsin.data.pixels.REPORT_EVERY", 0.0)


@pytest.mark.parametrize("workers", [1, 3])
def test_what_was_decoded_before_an_interruption_is_kept(files, tmp_path, often, workers):
    interrupted(files, tmp_path / "cache", at=4, workers=workers)
    again = load_pixels(files, SIZE, budget=0, cache=tmp_path / "cache")
    assert again.decoded <= 3
    np.testing.assert_array_equal(again.images.numpy(), load_pixels(files, SIZE, budget=10**9).images.numpy())


def test_a_killed_process_loses_a_few_seconds_only(files, tmp_path, often, monkeypatch):
    """What is on the disk in the middle of decoding is what the next run would find after a kill."""
    cache, monkey = tmp_path / "cache", tmp_path / "killed"
    monkeypatch.setattr("opsin.data.pixels.SAVE_EVERY", 0.0)

    def copy(done, total):
        if done == 4:
            shutil.copytree(cache, monkey)

    whole = load_pixels(files, SIZE, budget=0, cache=cache, progress=copy, workers=1)
    again = load_pixels(files, SIZE, budget=0, cache=monkey)
    assert again.decoded == 3
    np.testing.assert_array_equal(again.images.numpy(), whole.images.numpy())


def test_changed_images_are_vouched_for_no_more_while_they_are_decoded(files, tmp_path, often):
    cache = tmp_path / "cache"
    load_pixels(files, SIZE, budget=0, cache=cache)
    before = files.paths[0].read_bytes(), files.paths[0].stat()
    Image.new("RGB", (50, 50), (200, 10, 10)).save(files.paths[0])
    os.utime(files.paths[1], ns=(1, 1))
    interrupted(files, cache, at=1)
    files.paths[0].write_bytes(before[0])
    os.utime(files.paths[0], ns=(before[1].st_atime_ns, before[1].st_mtime_ns))
    again = load_pixels(files, SIZE, budget=0, cache=cache)
    np.testing.assert_array_equal(again.images[0].numpy(), SIZE.read(files, 0))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-9],
        lambda content: content[:20],
        lambda content: b"",
        lambda content: b"PK" + content[2:],
        lambda content: bytes(len(content)),
        lambda content: content.replace(b"(7, 2)", b"(2, 7)"),
        lambda content: content.replace(b"<i8", b"|O8"),
    ],
)
def test_damaged_signatures_vouch_for_nothing(files, tmp_path, damage):
    cache = tmp_path / "cache"
    place = Path(load_pixels(files, SIZE, budget=0, cache=cache).place)
    signatures = place.with_name("signatures.npy")
    signatures.write_bytes(damage(signatures.read_bytes()))
    again = load_pixels(files, SIZE, budget=0, cache=cache)
    assert again.decoded == 7
    np.testing.assert_array_equal(again.images[2].numpy(), SIZE.read(files, 2))


def test_unused_folders_are_forgotten_and_used_ones_are_not(files, tmp_path):
    cache = tmp_path / "cache"
    old, day = time.time() - 40 * 86_400, 86_400
    used = Path(load_pixels(files, SIZE, budget=0, cache=cache).place).parent
    unused = Path(load_pixels(files, Preprocessing(8, 8, 1), budget=0, cache=cache).place).parent
    leftover, foreign = cache / ("0123456789abcdef" * 2)[:24], cache / "holiday photos"
    for folder in (leftover, foreign):
        folder.mkdir()
        (folder / "pixels.u8").write_bytes(b"0")
    for file in (*cache.glob("*/*"), *cache.glob("*")):
        os.utime(file, (old, old))
    assert load_pixels(files, SIZE, budget=0, cache=cache).decoded == 0
    assert set(cache.iterdir()) == {used, foreign}
    assert time.time() - used.stat().st_mtime < day
    assert not unused.exists()


def test_a_second_run_at_the_same_time_leaves_the_first_its_pixels(files, tmp_path, often):
    cache = tmp_path / "cache"
    found = []

    def second(done, total):
        if done == 3:
            found.append(load_pixels(files, SIZE, budget=0, cache=cache))

    first = load_pixels(files, SIZE, budget=0, cache=cache, progress=second, workers=1)
    expected = load_pixels(files, SIZE, budget=10**9).images.numpy()
    np.testing.assert_array_equal(first.images.numpy(), expected)
    np.testing.assert_array_equal(found[0].images.numpy(), expected)
    third = load_pixels(files, SIZE, budget=0, cache=cache)
    assert third.decoded == 0
    np.testing.assert_array_equal(third.images.numpy(), expected)


def test_a_disk_without_room_is_refused(files, tmp_path, monkeypatch, refusal):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=100))
    assert "use a smaller --image-size" in refusal(load_pixels, files, SIZE, budget=0, cache=tmp_path / "cache")


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room for a file")
def test_a_disk_that_fills_up_is_refused_rather_than_written_to(files, tmp_path, monkeypatch, refusal):
    def full(handle, offset, size):
        os.ftruncate(handle, size // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        assert "No space left" in refusal(load_pixels, files, SIZE, budget=0, cache=tmp_path / "cache")
    assert [file.stat().st_size for file in tmp_path.glob("cache/*/*")] == [0]
    assert load_pixels(files, SIZE, budget=0, cache=tmp_path / "cache").decoded == 7


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room for a file")
def test_the_room_is_reserved(files, tmp_path):
    large = Preprocessing(256, 256, 3)
    place = Path(load_pixels(files, large, budget=0, cache=tmp_path / "cache").place)
    place.unlink()
    place.with_name("signatures.npy").unlink()
    for path in files.paths:
        path.write_bytes(b"")  # nothing is written to the file
    load_pixels(files, large, budget=0, cache=tmp_path / "cache")
    assert place.stat().st_blocks * 512 >= 7 * 256 * 256 * 3


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room for a file")
def test_a_file_system_that_cannot_reserve_room_is_used_all_the_same(files, tmp_path, monkeypatch):
    def unsupported(handle, offset, size):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    assert load_pixels(files, SIZE, budget=0, cache=tmp_path / "cache").decoded == 7


def test_a_cache_that_cannot_be_made_is_refused(files, tmp_path, refusal):
    (tmp_path / "cache").write_text("a file")
    assert "set XDG_CACHE_HOME" in refusal(load_pixels, files, SIZE, budget=0, cache=tmp_path / "cache")


def test_threads_are_as_many_as_cores_that_may_be_used(files, monkeypatch):
    asked = []

    class Watched(ThreadPoolExecutor):
        def __init__(self, workers):
            asked.append(workers)
            super().__init__(workers)

    monkeypatch.setattr("opsin.data.pixels.ThreadPoolExecutor", Watched)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    load_pixels(files, SIZE, budget=10**9)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    load_pixels(files, SIZE, budget=10**9)
    load_pixels(files, SIZE, budget=10**9, workers=2)
    assert asked == [3, 1, 2]


def test_few_images_are_waited_for_at_a_time(monkeypatch):
    """While the first image takes long, the others are not all read or queued behind it."""
    images, begun, go = ArrayImages(np.zeros((500, 8, 8), np.uint8)), [], threading.Event()

    class Slow(Preprocessing):
        def read(self, images, index):
            begun.append(index)
            if index == 0:
                assert go.wait(20)
            return np.full((4, 4, 1), index % 256, np.uint8)

    result = []
    thread = threading.Thread(
        target=lambda: result.append(load_pixels(images, Slow(4, 4, 1), budget=10**9, workers=2)), daemon=True
    )
    thread.start()
    time.sleep(0.3)
    ahead = len(begun)
    go.set()
    thread.join()
    assert ahead <= 8
    np.testing.assert_array_equal(result[0].images[:, 0, 0, 0].numpy(), np.arange(500) % 256)


def test_errors_that_are_not_about_an_image_end_the_decoding(files, monkeypatch):
    def read(self, images, index):
        raise MemoryError

    monkeypatch.setattr(Preprocessing, "read", read)
    with pytest.raises(MemoryError):
        load_pixels(files, SIZE, budget=10**9)


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
