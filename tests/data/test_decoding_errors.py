import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from opsin.data.decoding import LARGEST, image_size, read_image
from opsin.errors import UnreadableImageError


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth_color(height, width):
    """An image that survives lossy compression."""
    row, column = np.mgrid[0:height, 0:width]
    return np.stack([255 * row / height, 255 * column / width, 128 + 0 * row], axis=-1).astype(np.uint8)


def reason(path, **options):
    with pytest.raises(UnreadableImageError) as caught:
        read_image(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and ". " not in message
    assert caught.value.path == path
    return caught.value.reason


def test_values_above_the_bits_in_use_are_refused(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 4096]], np.uint16)).save(path)
    assert (
        reason(path, bits=12)
        == "has values up to 4096, more than 12 bits can hold; increase --bits or convert the image"
    )


def test_32_bit_integers_beyond_16_bits_are_refused(tmp_path):
    Image.fromarray(np.array([[0, 70000]], np.int32)).save(tmp_path / "a.tif")
    assert "has values up to 70000, more than 16 bits can hold" in reason(tmp_path / "a.tif")
    Image.fromarray(np.array([[0, -3]], np.int32)).save(tmp_path / "b.tif")
    assert "has negative values (down to -3)" in reason(tmp_path / "b.tif")


def test_missing_file(tmp_path):
    assert reason(tmp_path / "a.jpg") == "does not exist"


def test_folder(tmp_path):
    assert reason(tmp_path) == "is a folder, not an image"


def test_empty_file(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert reason(tmp_path / "a.jpg") == "is empty (0 bytes)"


@pytest.mark.parametrize(
    "content",
    [b"just some words", b"\0" * 5000, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\x89PNG\r\n"],
    ids=["text", "zeros", "postscript", "half a signature"],
)
def test_other_files_named_as_images(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert reason(tmp_path / "a.jpg").startswith("is not a JPEG, PNG, BMP, TIFF, WebP, GIF or PNM image")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.tif", "a.webp"])
def test_truncated_files(tmp_path, name):
    path = tmp_path / name
    Image.fromarray(random_pixels(64, 64, 3)).save(path, **({"compression": "tiff_lzw"} if name == "a.tif" else {}))
    content = path.read_bytes()
    for part in (0.95, 0.5, 0.02):
        path.write_bytes(content[: int(len(content) * part)])
        assert reason(path).startswith(("is damaged", "is not a"))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(["a.jpg", "a.png", "a.bmp", "a.tif", "a.webp", "a.gif"]))
def test_flipped_bytes_give_pixels_or_one_sentence(tmp_path_factory, data, name):
    path = tmp_path_factory.mktemp("flip") / name
    Image.fromarray(smooth_color(12, 10)).save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        pixels = read_image(path)
    except UnreadableImageError as error:
        assert "\n" not in str(error)
    else:
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (1, 3)


@pytest.mark.parametrize("limit", [Image.MAX_IMAGE_PIXELS, None], ids=["pillow's check", "pillow's check off"])
def test_decompression_bomb(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    content = b"\x89PNG\r\n\x1a\n"
    for part in (chunk, data, b"IEND"):
        content += struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
    (tmp_path / "bomb.png").write_bytes(content)
    assert reason(tmp_path / "bomb.png").startswith(f"claims more than {LARGEST:,} pixels")
    with pytest.raises(UnreadableImageError, match="claims more than"):
        image_size(tmp_path / "bomb.png")


def test_large_but_allowed_image_leaks_no_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    pixels = random_pixels(10, 10)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_image(path)[..., 0], pixels)


def link(path, target):
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("this system does not let this user make links")


def test_broken_link(tmp_path):
    link(tmp_path / "a.jpg", tmp_path / "gone.jpg")
    assert reason(tmp_path / "a.jpg") == "is a broken link: its target does not exist"


def test_link_to_itself(tmp_path):
    link(tmp_path / "a.jpg", tmp_path / "a.jpg")
    assert reason(tmp_path / "a.jpg").startswith("is ")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_unreadable_permission(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (2, 2)).save(path)
    path.chmod(0)
    assert reason(path) == "cannot be read: permission denied"


def test_refused_permission(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    assert reason(tmp_path / "a.png") == "cannot be read: permission denied"


def test_name_the_system_cannot_hold(tmp_path):
    assert "\n" not in reason(tmp_path / "a\0b.jpg")


def test_floating_point_tiff(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    assert reason(tmp_path / "a.tif").startswith("has floating-point pixels")


def test_too_little_memory_is_not_blamed_on_the_file(tmp_path, monkeypatch):
    def exhaust(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image, "open", exhaust)
    with pytest.raises(MemoryError):
        read_image(tmp_path / "a.png")
