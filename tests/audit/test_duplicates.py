from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.audit.context import group_equal, group_linked
from opsin.audit.duplicates import find_duplicates, find_leaks, find_near_copies, find_two_labels


def copies(noise, *pairs, number=12):
    pixels = noise(number)
    for of, at in pairs:
        pixels[at] = pixels[of]
    return pixels


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20))
def test_alike_groups_equal_keys(keys):
    places = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    expected = sorted(group for group in places.values() if len(group) > 1)
    assert [group.tolist() for group in group_equal(np.array(keys))] == expected


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]), max_size=12))
def test_linked_groups_are_what_pairs_join(pairs):
    groups = [{place} for place in range(10)]
    for first, second in pairs:
        one = next(group for group in groups if first in group)
        other = next(group for group in groups if second in group)
        if one is not other:
            one |= other
            groups.remove(other)
    expected = sorted(sorted(group) for group in groups if len(group) > 1)
    assert [group.tolist() for group in group_linked(10, np.array(pairs, np.int64).reshape(-1, 2))] == expected


def test_duplicates_are_groups(make_material, noise):
    pixels = copies(noise, (0, 4), (0, 9), (1, 2), number=60)
    (finding,) = find_duplicates(make_material(pixels, np.zeros(60, int)))
    assert finding.groups == (("image 0", "image 4", "image 9"), ("image 1", "image 2"))
    assert finding.sentence == "5 images show only 2 pictures, with identical pixels." and finding.severity == "note"
    assert find_duplicates(make_material(noise(12), np.zeros(12, int))) == []


def test_many_duplicates_are_a_warning(make_material, noise):
    (finding,) = find_duplicates(make_material(copies(noise, (0, 1), (2, 3)), np.zeros(12, int)))
    assert finding.severity == "warning"


def test_a_kept_image_stays_in_its_group_and_out_of_the_list(make_material, noise):
    pixels = copies(noise, (0, 4), (0, 9), (1, 2))
    material = make_material(pixels, np.zeros(12, int), reviewed={0: "keep", 1: "keep", 2: "keep"})
    (finding,) = find_duplicates(material)
    assert finding.groups == (("image 0", "image 4", "image 9"),) and finding.images == ("image 4", "image 9")


def test_near_duplicates_say_how_they_differ(make_material, noise):
    near = [(0, 5, "cropped"), (5, 7, "turned"), (1, 2, "mirrored"), (3, 4, "exact")]
    (finding,) = find_near_copies(make_material(copies(noise, (3, 4)), np.zeros(12, int), near=near))
    assert finding.groups == (("image 0", "image 5", "image 7"), ("image 1", "image 2"))  # 3 and 4 are equal
    assert finding.details == {
        "image 5": "cropped, 97 % similar to image 0",
        "image 7": "turned, 97 % similar to image 5",
        "image 2": "mirrored, 97 % similar to image 1",
    }
    assert "1 cropped, 1 mirrored, 1 turned" in finding.sentence


def test_one_picture_under_two_labels(make_material, noise):
    labels = [0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0]
    near = [(1, 4, "cropped"), (6, 8, "cropped"), (0, 3, "exact")]
    (finding,) = find_two_labels(make_material(copies(noise, (0, 3), (2, 6)), labels, near=near))
    assert finding.groups == (("image 0", "image 3"), ("image 1", "image 4"))
    assert finding.details["image 4"] == "labeled b"
    assert finding.sentence == (
        "2 pictures occur under different labels (4 images; 1 of the pictures only as near-duplicates)."
    )
    assert find_two_labels(make_material(copies(noise, (0, 1)), labels)) == []


def test_leaks_between_the_parts_of_a_given_split(make_material, noise):
    split = np.array(["train"] * 6 + ["validation"] * 3 + ["test"] * 3)
    near = [(4, 10, "cropped"), (5, 4, "turned")]
    material = make_material(
        copies(noise, (0, 6), (1, 9), (2, 3)),
        np.arange(12) % 2,
        near=near,
        split=split,
        groups=np.array([*"pqrrstuvwpxy"]),
    )
    exact, almost, groups = find_leaks(material)
    assert exact.groups == (("image 0", "image 6"), ("image 1", "image 9")) and exact.severity == "serious"
    assert "(1 in train and validation, 1 in train and test)" in exact.sentence
    assert exact.details["image 9"] == "in test"
    assert almost.groups == (("image 4", "image 10"),) and "(1 in train and test)" in almost.sentence
    assert groups.images == ("image 0", "image 9") and groups.sentence.startswith("1 of 10 groups has images")
    assert find_leaks(make_material(copies(noise, (0, 6)), np.arange(12) % 2)) == []


@pytest.mark.parametrize(("tested", "severity"), [(100, "serious"), (101, "warning")])
def test_a_leak_that_can_hardly_move_a_score_is_not_serious(make_material, noise, tested, severity):
    split = np.array(["train"] * 3 + ["validation"] + ["test"] * tested)
    near = [(0, 10, "cropped")]
    (found,) = find_leaks(make_material(noise(len(split), side=6), np.arange(len(split)) % 2, split=split, near=near))
    assert found.severity == severity


def test_unused_images_leak_nowhere(make_material, noise):
    split = np.array(["train"] * 6 + ["validation"] * 3 + ["test"] * 2 + ["unused"])
    material = make_material(
        copies(noise, (0, 11)),
        np.arange(12) % 2,
        split=split,
        groups=np.array([*"pqrstuvwxyzp"]),
        near=[(1, 11, "cropped")],
    )
    assert find_leaks(material) == []
