from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages, FileImages, SomeImages
from opsin.data.targets import ClassTargets

IMAGES = ArrayImages(np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8))


def dataset(labels=(0, 1, 0, 1), classes=("cat", "dog"), images=IMAGES, **options):
    return Dataset("pets", classes, images, ClassTargets(np.asarray(labels)), **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64, np.int64])
def test_labels_of_any_integer_type_are_kept_as_int64(dtype):
    made = dataset(np.array([0, 1, 0, 1], dtype))
    assert made.targets.values.dtype == np.int64
    assert made.counts().tolist() == [2, 2]


@pytest.mark.parametrize(
    "labels", [[0.0, 1.0, 0.0, 1.0], ["0", "1", "0", "1"], [True, False, True, True], [[0, 1]] * 4]
)
def test_labels_that_are_no_integers_are_refused(refusal, labels):
    assert "pets: labels must be integers" in refusal(dataset, labels)


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_without_a_class_are_refused(refusal, label):
    assert refusal(dataset, [0, 1, 0, label]) == "pets: labels must lie between 0 and 1."


def test_unknown_split_words_are_refused(refusal):
    sentence = refusal(dataset, split=np.array(["train", "train", "test", "valid"]))
    assert "not 'valid'" in sentence
    assert "train, validation or test" in sentence
    assert "did you mean 'validation'" in refusal(dataset, split=np.array(["train", "test", "test", "validations"]))
    dataset(split=np.array(["train", "validation", "test", "test"]))


def test_no_images_are_refused(refusal):
    empty = ArrayImages(np.zeros((0, 5, 6, 3), np.uint8))
    assert "pets holds no images" in refusal(dataset, np.zeros(0, np.int64), images=empty)
    assert "pets holds no images" in refusal(dataset().subset, np.zeros(0, np.int64))


def test_classes_of_the_same_name_are_refused(refusal):
    assert "the class 'cat' is named twice" in refusal(dataset, classes=("cat", "dog", "cat"))


@pytest.mark.parametrize("what", ["split", "groups"])
def test_one_of_each_for_each_image(refusal, what):
    assert f"4 images but 3 {what}" in refusal(dataset, **{what: np.array(["test"] * 3)})


def test_a_subset_keeps_names_pixels_and_labels():
    some = dataset(groups=np.array(list("abcd"))).subset(np.array([3, 0]))
    assert [some.images.name(index) for index in range(2)] == ["image 3", "image 0"]
    assert some.targets.values.tolist() == [1, 0]
    assert some.groups.tolist() == ["d", "a"]
    for index, row in enumerate([3, 0]):
        np.testing.assert_array_equal(some.images.read(index), IMAGES.array[row])
        np.testing.assert_array_equal(np.asarray(some.images.open(index)), IMAGES.array[row])
        assert some.images.signature(index) == IMAGES.signature(row)
        assert some.images.shape(index) == (5, 6, 3)


def test_signatures_and_identity_of_arrays_are_those_of_their_pixels():
    copy, other = IMAGES.array.copy(), IMAGES.array.copy()
    other[2, 1, 1, 1] ^= 1
    same, other = ArrayImages(copy), ArrayImages(other)
    signatures = [IMAGES.signature(index) for index in range(4)]
    assert len(set(signatures)) == 4
    assert [same.signature(index) for index in range(4)] == signatures
    assert [other.signature(index) == signatures[index] for index in range(4)] == [True, True, False, True]
    assert all(0 <= part < 2**63 for signature in signatures for part in signature)
    assert IMAGES.identity() == same.identity() != other.identity()
    assert ArrayImages(IMAGES.array[:, :, ::-1]).signature(0) != signatures[0]
    assert SomeImages(IMAGES, np.array([1])).identity() == IMAGES.identity()


def test_files_are_told_apart_by_their_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = FileImages(Path("photos"), [Path("photos/a.png")])
    assert here.identity() == FileImages(tmp_path / "photos", []).identity() == os.path.abspath("photos")
    assert here.identity() != FileImages(tmp_path / "other", []).identity()
    assert SomeImages(here, np.array([0])).identity() == here.identity()


def test_opening_and_reading_a_file_give_the_same_pixels(tmp_path):
    Image.fromarray(IMAGES.array[0]).save(tmp_path / "a.png")
    files = FileImages(tmp_path, [tmp_path / "a.png"])
    np.testing.assert_array_equal(np.asarray(files.open(0)), IMAGES.array[0])
    np.testing.assert_array_equal(files.read(0), IMAGES.array[0])
