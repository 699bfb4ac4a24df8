import numpy as np
from PIL import Image, ImageFilter

from opsin.audit.image_quality import find_blank, find_blurred, find_colors, find_sizes


def blurred(picture, radius):
    return np.array(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def test_black_white_and_even_pictures_are_blank(make_material, noise):
    pixels = noise(30)
    pixels[3], pixels[7], pixels[11] = 2, 251, 120
    (finding,) = find_blank(make_material(pixels, np.arange(30) % 2))
    assert set(finding.images) == {"image 3", "image 7", "image 11"}
    assert finding.details == {
        "image 3": "nearly black",
        "image 7": "nearly white",
        "image 11": "one color all over",
    }
    assert finding.sentence.startswith("3 images are nearly black") and finding.severity == "warning"
    assert find_blank(make_material(noise(30), np.arange(30) % 2)) == []


def test_blurred_pictures_are_found_and_sharp_ones_are_not(make_material, noise):
    pixels = noise(60)
    for row in (5, 40):
        pixels[row] = blurred(pixels[row], 3)
    pixels[9] = 0  # blank, and not blurred
    (finding,) = find_blurred(make_material(pixels, np.arange(60) % 2))
    assert set(finding.images) == {"image 5", "image 40"}
    assert "times less detail than usual" in finding.details["image 5"]
    assert find_blurred(make_material(noise(60), np.arange(60) % 2)) == []


def test_a_class_of_soft_pictures_is_no_class_of_blurred_ones(make_material, noise):
    pixels = noise(90)
    labels = (np.arange(90) >= 60).astype(int)
    for row in range(60, 90):
        pixels[row] = blurred(pixels[row], 3)
    assert find_blurred(make_material(pixels, labels)) == []


def test_few_pictures_say_nothing_of_what_is_usual(make_material, noise):
    pixels = noise(10)
    pixels[2] = blurred(pixels[2], 4)
    shapes = [(24, 24, 3)] * 9 + [(99, 10, 1)]
    material = make_material(pixels, np.arange(10) % 2, shapes=shapes)
    assert find_blurred(material) == find_sizes(material) == find_colors(material) == []


def test_sizes_unlike_the_common_one(make_material, noise):
    shapes = [(480, 640, 3)] * 97 + [(480, 639, 3), (64, 64, 3), (640, 480, 3)]
    (finding,) = find_sizes(make_material(noise(100), np.arange(100) % 2, shapes=shapes))
    assert finding.images == ("image 97", "image 98", "image 99")
    assert finding.details["image 98"] == "64×64" and "480×640" in finding.sentence
    assert find_sizes(make_material(noise(100), np.arange(100) % 2, shapes=[(480, 640, 3)] * 100)) == []


def test_where_sizes_vary_only_far_ones_are_reported(make_material, noise):
    generator = np.random.default_rng(1)
    shapes = [(int(height), int(width), 3) for height, width in generator.integers(300, 600, (100, 2))]
    shapes[4], shapes[8] = (40, 50, 3), (100, 1500, 3)
    (finding,) = find_sizes(make_material(noise(100), np.arange(100) % 2, shapes=shapes))
    assert finding.images == ("image 4", "image 8")


def test_grey_among_color_and_color_among_grey(make_material, noise):
    pixels = noise(60)
    pixels[3] = pixels[3, :, :, :1]  # stored in color, but grey
    shapes = np.tile([24, 24, 3], (60, 1))
    shapes[5] = (24, 24, 1)
    (finding,) = find_colors(make_material(pixels, np.arange(60) % 2, shapes=shapes))
    assert finding.images == ("image 3", "image 5") and "are grey, while" in finding.sentence
    pixels = np.repeat(noise(60)[..., :1], 3, axis=3)
    pixels[3] = noise(60)[3]
    (finding,) = find_colors(make_material(pixels, np.arange(60) % 2))
    assert finding.images == ("image 3",) and "is in color, while" in finding.sentence
    pixels[:30] = noise(60)[:30]
    assert find_colors(make_material(pixels, np.arange(60) % 2)) == []


def test_what_was_kept_is_not_reported_again(make_material, noise):
    pixels = noise(30)
    pixels[3], pixels[7] = 2, 251
    (finding,) = find_blank(make_material(pixels, np.arange(30) % 2, reviewed={3: "keep"}))
    assert finding.images == ("image 7",) and finding.sentence.startswith("1 image is nearly black")
    assert find_blank(make_material(pixels, np.arange(30) % 2, reviewed={3: "keep", 7: "keep"})) == []
