import math
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from opsin.data.decoding import from_array, image_size, open_image, read_image, to_array
from opsin.errors import UnreadableImageError

HEIGHT, WIDTH = 6, 9


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth_color(height, width):
    """An image that survives lossy compression."""
    row, column = np.mgrid[0:height, 0:width]
    return np.stack([255 * row / height, 255 * column / width, 128 + 0 * row], axis=-1).astype(np.uint8)


def saved(folder, image, name, **options):
    path = folder / name
    image.save(path, **options)
    assert image_size(path) == read_image(path).shape
    return path


# What is read


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.tiff", "a.webp", "a.ppm", "A.PNG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_formats_give_the_exact_pixels(tmp_path, name, channels):
    if name == "a.ppm" and channels == 1:
        name = "a.pgm"
    pixels = random_pixels(HEIGHT, WIDTH, channels)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    path = saved(tmp_path, image, name, **({"lossless": True} if name == "a.webp" else {}))
    read = read_image(path)
    assert read.shape == (HEIGHT, WIDTH, 3 if name == "a.webp" else channels)  # WebP has no grey
    np.testing.assert_array_equal(read, np.broadcast_to(pixels, read.shape))
    assert read_image(path).dtype == np.uint8


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.jfif"])
def test_jpeg_color_and_grey(tmp_path, name):
    color = smooth_color(32, 48)
    path = saved(tmp_path, Image.fromarray(color), name, quality=95, format="JPEG")
    assert np.abs(read_image(path).astype(int) - color).max() < 12
    path = saved(tmp_path, Image.fromarray(color[..., 0]), "grey" + name, quality=95, format="JPEG")
    assert read_image(path).shape == (32, 48, 1)


def test_suffix_need_not_match_the_format(tmp_path):
    pixels = random_pixels(HEIGHT, WIDTH, 3)
    Image.fromarray(pixels).save(tmp_path / "really.jpg", format="PNG")
    np.testing.assert_array_equal(read_image(tmp_path / "really.jpg"), pixels)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_rgba_lies_over_white(tmp_path, name):
    pixels = random_pixels(HEIGHT, WIDTH, 4)
    pixels[0, :, 3], pixels[1, :, 3] = 0, 255
    options = {"lossless": True, "exact": True} if name == "a.webp" else {}
    path = saved(tmp_path, Image.fromarray(pixels), name, **options)
    alpha = pixels[..., 3:] / 255.0
    expected = pixels[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(read_image(path) - expected).max() <= 1
    assert (read_image(path)[0] == 255).all()
    np.testing.assert_array_equal(read_image(path)[1], pixels[1, :, :3])


def test_grey_with_alpha_lies_over_white_and_stays_grey(tmp_path):
    pixels = random_pixels(HEIGHT, WIDTH, 2)
    path = saved(tmp_path, Image.fromarray(pixels), "a.png")
    alpha = pixels[..., 1:] / 255.0
    assert np.abs(read_image(path) - (pixels[..., :1] * alpha + 255 * (1 - alpha))).max() <= 1


def test_palette_becomes_color_and_its_transparent_entry_white(tmp_path):
    image = Image.frombytes("P", (WIDTH, HEIGHT), bytes(range(WIDTH)) * HEIGHT)
    colors = random_pixels(256, 3)
    image.putpalette(colors.tobytes())
    expected = colors[np.asarray(image)]
    np.testing.assert_array_equal(read_image(saved(tmp_path, image, "a.png")), expected)
    expected[:, 4] = 255
    for name in ("b.png", "b.gif"):
        np.testing.assert_array_equal(read_image(saved(tmp_path, image, name, transparency=4)), expected)


@pytest.mark.parametrize("mode", ["L", "1", "RGB"])
def test_single_transparent_value_becomes_white(tmp_path, mode):
    image = Image.new(mode, (WIDTH, HEIGHT), 0)
    path = saved(tmp_path, image, "a.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert read_image(path).shape == (HEIGHT, WIDTH, 3 if mode == "RGB" else 1)
    assert (read_image(path) == 255).all()


def test_transparent_value_of_16_bits_becomes_white(tmp_path):
    values = np.full((HEIGHT, WIDTH), 1000, np.uint16)
    values[0] = 0
    path = tmp_path / "a.png"
    Image.fromarray(values).save(path)
    content = path.read_bytes()
    chunk = b"tRNS" + struct.pack(">H", 1000)
    header_end = 8 + 25  # signature and IHDR
    content = content[:header_end] + struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[33:]
    path.write_bytes(content)
    assert (read_image(path)[0] == 0).all() and (read_image(path)[1:] == 255).all()


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_one_bit_is_black_and_white(tmp_path, name):
    bits = random_pixels(HEIGHT, WIDTH) > 127
    path = saved(tmp_path, Image.fromarray(bits), name)
    np.testing.assert_array_equal(read_image(path)[..., 0], np.where(bits, 255, 0))


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_becomes_rgb(tmp_path, name):
    image = Image.fromarray(smooth_color(32, 48)).convert("CMYK")
    path = saved(tmp_path, image, name)
    assert np.abs(read_image(path).astype(int) - np.asarray(image.convert("RGB"))).max() < 12


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_is_scaled(tmp_path, name):
    values = np.array([[0, 128, 129, 257 * 100, 65535]], np.uint16)
    path = saved(tmp_path, Image.fromarray(values), name)
    np.testing.assert_array_equal(read_image(path)[..., 0], [[0, 0, 1, 100, 255]])


def test_big_endian_16_bit_tiff_equals_little_endian(tmp_path):
    values = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
    big = saved(tmp_path, Image.frombytes("I;16B", (WIDTH, HEIGHT), values.astype(">u2").tobytes()), "big.tif")
    with Image.open(big) as image:
        assert image.mode == "I;16B"
    np.testing.assert_array_equal(read_image(big)[..., 0], np.round(values / 257))


@settings(max_examples=25, deadline=None)
@given(bits=st.integers(8, 16), values=st.lists(st.integers(0, 255), min_size=1, max_size=20))
def test_bits_in_use_become_the_full_range(tmp_path_factory, bits, values):
    path = tmp_path_factory.mktemp("bits") / "a.png"
    white = 2**bits - 1
    raw = np.array([[*values, white]], np.uint16)
    Image.fromarray(raw).save(path)
    np.testing.assert_array_equal(read_image(path, bits=bits)[..., 0], np.round(raw * 255.0 / white))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_as_pillow_turns_it(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / name
    Image.fromarray(smooth_color(16, 40)).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(read_image(path), expected)
    assert expected.shape == ((40, 16, 3) if orientation > 4 else (16, 40, 3))
    assert image_size(path) == expected.shape


def test_damaged_exif_does_not_cost_the_image(tmp_path):
    pixels = smooth_color(16, 40)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert image_size(tmp_path / "a.jpg") == read_image(tmp_path / "a.jpg").shape == (16, 40, 3)


@pytest.mark.parametrize("name", ["a.tif", "a.gif", "a.webp", "a.png"])
def test_first_of_several_pages(tmp_path, name):
    pages = [Image.new("RGB", (WIDTH, HEIGHT), color) for color in ("red", "blue", "green")]
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path, pages[0], name, save_all=True, append_images=pages[1:], **options)
    with Image.open(path) as image:
        assert image.n_frames == 3
    np.testing.assert_array_equal(read_image(path), np.broadcast_to([255, 0, 0], (HEIGHT, WIDTH, 3)))


def test_phone_photographs_of_several_pictures(tmp_path):
    pictures = [Image.new("RGB", (160, 80), color) for color in ("white", "black")]
    path = saved(tmp_path, pictures[0], "a.jpg", format="MPO", save_all=True, append_images=pictures[1:])
    with Image.open(path) as image:
        assert image.format == "MPO"
    assert (read_image(path) == 255).all()
    assert read_image(path, size=(20, 40)).shape == (40, 80, 3)


def test_size_is_read_without_decoding(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(random_pixels(300, 200, 3)).save(path)
    path.write_bytes(path.read_bytes()[:200])
    assert image_size(path) == (300, 200, 3)
    with pytest.raises(UnreadableImageError, match="is damaged"):
        read_image(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_an_opened_image_is_grey_or_color_of_8_bits(tmp_path, mode):
    path = saved(tmp_path, Image.new(mode, (WIDTH, HEIGHT)), "a.png")
    image = open_image(path)
    assert image.mode == ("RGB" if mode in ("P", "RGB", "RGBA") else "L")
    assert image.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(to_array(image), read_image(path))


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_and_images_are_one_and_the_same(channels):
    pixels = random_pixels(HEIGHT, WIDTH, channels)
    image = from_array(pixels)
    assert image.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(to_array(image), pixels)
    assert to_array(image).flags.writeable


# Decoding at reduced scale


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(8, 400),
    width=st.integers(8, 400),
    size=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    orientation=st.sampled_from([1, 3, 6, 8]),
)
def test_reduced_decoding_stays_well_above_the_size(tmp_path_factory, height, width, size, orientation):
    path = tmp_path_factory.mktemp("draft") / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(smooth_color(height, width)).save(path, exif=exif)
    full, reduced = read_image(path).shape, read_image(path, size=size).shape
    for axis in range(2):
        assert reduced[axis] >= min(full[axis], 1.75 * size[axis])
    scales = [[k for k in (1, 2, 4, 8) if math.ceil(full[axis] / k) == reduced[axis]] for axis in range(2)]
    assert set(scales[0]) & set(scales[1])  # the same scale on both sides


def test_reduced_decoding_is_used_where_it_helps(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth_color(800, 1600)).save(path)
    assert read_image(path, size=(100, 100)).shape == (200, 400, 3)
    assert read_image(path, size=(150, 100)).shape == (400, 800, 3)
    assert read_image(path, size=(500, 500)).shape == (800, 1600, 3)
    Image.fromarray(smooth_color(864, 1152)).save(path)
    assert read_image(path, size=(224, 224)).shape == (432, 576, 3)


def test_size_of_a_turned_photograph_is_meant_upright(tmp_path):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth_color(800, 1600)).save(path, exif=exif)
    assert read_image(path, size=(200, 100)).shape == (400, 200, 3)


def test_size_is_a_hint_that_other_formats_ignore(tmp_path):
    pixels = random_pixels(HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(read_image(saved(tmp_path, Image.fromarray(pixels), "a.png"), size=(1, 1)), pixels)


@pytest.mark.parametrize("mode", ["LAB", "YCbCr", "RGBX"])
def test_other_color_spaces_become_rgb(tmp_path, mode):
    image = Image.new(mode, (4, 4), (100, 128, 128, 0)[: len(Image.new(mode, (1, 1)).getbands())])
    path = saved(tmp_path, image, "a.tif")
    np.testing.assert_array_equal(read_image(path), np.asarray(image.convert("RGB")))


# Side effects


def test_nothing_is_printed(tmp_path, capfd):
    path = tmp_path / "a.tif"
    Image.fromarray(random_pixels(64, 64, 3)).save(path, compression="tiff_lzw")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UnreadableImageError):
        read_image(path)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_threads_leave_the_warning_filters_as_they_were(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(random_pixels(64, 64, 3)).save(path)
    before = list(warnings.filters)

    def read_many():
        for _ in range(50):
            read_image(path)

    threads = [threading.Thread(target=read_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
