from __future__ import annotations

import io

import numpy as np
from PIL import Image

from opsin.metrics.segmentation import VOID
from opsin.tasks.segmentation import drawing

CLASSES = ("background", "gland", "fat")


def test_every_class_has_a_color_of_its_own_and_the_background_none():
    for number in (2, 5, 30):
        colors = drawing.class_colors(["background", *map(str, range(number))])
        assert not colors[0].any() and len(np.unique(colors, axis=0)) == number + 1
    assert drawing.class_colors(["soil", "sky"]).any(axis=1).all()


def test_a_mask_lies_over_its_image():
    colors = drawing.class_colors(CLASSES)
    image = np.full((2, 3, 1), 100, np.uint8)
    mask = np.array([[0, 1, 2], [0, VOID, 1]], np.uint8)
    shown = drawing.overlay(image, mask, colors)
    np.testing.assert_array_equal(shown[mask == 0], 100)
    expected = np.round((1 - drawing.STRENGTH) * 100 + drawing.STRENGTH * colors[1].astype(float))
    np.testing.assert_array_equal(shown[0, 1], expected)
    np.testing.assert_array_equal(shown[0, 1], shown[1, 2])
    assert len(np.unique(shown[1, 1])) == 1  # void is grey


def test_errors_are_missed_or_false_alarms():
    image = np.full((1, 5, 3), 100, np.uint8)
    truth, found = np.array([[0, 0, 1, 1, VOID]], np.uint8), np.array([[0, 1, 0, 1, 1]], np.uint8)
    shown = drawing.error_map(image, truth, found, 2)[0]
    assert tuple(shown[1]) == drawing.FALSE_ALARM and tuple(shown[2]) == drawing.MISSED
    assert tuple(shown[0]) == tuple(shown[3]) == (200, 200, 200) and tuple(shown[4]) == drawing.UNKNOWN
    several = drawing.error_map(image, truth, found, 3)[0]
    assert tuple(several[1]) == tuple(several[2]) == drawing.FALSE_ALARM


def test_a_strip_shows_image_truth_prediction_and_errors():
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    truth, found = np.zeros((10, 15), np.uint8), np.ones((10, 15), np.uint8)
    picture = drawing.strip(image, truth, found, drawing.class_colors(CLASSES))
    gap = (picture.shape[1] - 4 * 30) // 3
    np.testing.assert_array_equal(picture[:, :30], image)
    np.testing.assert_array_equal(picture[:, 30 + gap : 60 + gap], image)
    assert (picture[:, -30:] == drawing.FALSE_ALARM).all()


def test_saved_masks_are_class_numbers_in_color():
    mask = np.array([[0, 1, 2], [2, VOID, 0]], np.uint8)
    buffer = io.BytesIO()
    drawing.paletted(mask, drawing.class_colors(CLASSES)).save(buffer, "PNG")
    with Image.open(buffer) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), mask)
        assert image.convert("RGB").getpixel((1, 0)) == tuple(drawing.class_colors(CLASSES)[1])
