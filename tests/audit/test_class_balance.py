from dataclasses import replace

import numpy as np

from opsin.audit.class_balance import find_few, find_imbalance, find_unreadable, find_unusable


def labels(*counts):
    return np.repeat(np.arange(len(counts)), counts)


def test_unreadable_images_are_named_with_the_reason(make_material, noise):
    material = make_material(noise(4), [0, 0, 1, 1])
    assert find_unreadable(material) == []
    (finding,) = find_unreadable(replace(material, unreadable={"x/y.png": "is empty (0 bytes)"}))
    assert finding.images == ("x/y.png",) and finding.details == {"x/y.png": "is empty (0 bytes)"}
    assert finding.severity == "serious" and finding.sentence == "1 image cannot be read."


def test_data_that_cannot_be_trained_on_say_why(make_material, noise):
    (finding,) = find_unusable(make_material(noise(6), labels(5, 1)))
    assert finding.severity == "serious" and "the class 'b' has 1 image" in finding.sentence
    assert find_unusable(make_material(noise(6), labels(3, 3))) == []


def test_small_classes_are_listed_smallest_first(make_material, noise):
    material = make_material(noise(175), labels(60, 20, 45, 50), classes=("a", "b", "c", "d"))
    (finding,) = find_few(material)
    assert finding.sentence == "2 classes have fewer than 50 images: b 20, c 45."
    assert find_few(make_material(noise(100), labels(50, 50))) == []


def test_imbalance_counts_training_images(make_material, noise):
    (finding,) = find_imbalance(make_material(noise(110), labels(100, 10)))
    assert finding.severity == "warning" and "has 10.0 times as many images" in finding.sentence
    (finding,) = find_imbalance(make_material(noise(40), labels(30, 10)))
    assert finding.severity == "note"
    assert find_imbalance(make_material(noise(40), labels(29, 11))) == []
    split = np.array(["train"] * 10 + ["test"] * 20 + ["train"] * 10)
    assert find_imbalance(make_material(noise(40), labels(30, 10), split=split)) == []
