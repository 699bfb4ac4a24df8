import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from opsin.data.read import read_dataset
from opsin.data.readers.arrays import read_arrays


def pixels(number, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, *(shape or (5, 4))), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    def write(**content):
        np.savez_compressed(tmp_path / "cells.npz", **content)
        return tmp_path / "cells.npz"

    return write


# Layouts


def test_images_and_labels(save):
    images = pixels(6, 5, 4, 3)
    dataset = read_dataset(save(images=images, labels=np.array([7, 10, 7, 10, 7, 10], np.int32)))
    assert dataset.name == "cells" and dataset.classes == ("7", "10")
    assert dataset.targets.values.dtype == np.int64 and dataset.targets.values.tolist() == [0, 1] * 3
    assert dataset.split is None and dataset.groups is None and dataset.notes == ()
    np.testing.assert_array_equal([dataset.images.read(index) for index in range(6)], images)


def test_groups_split_and_classes(save):
    path = save(
        images=pixels(4),
        labels=np.array([[0], [2], [0], [2]], np.uint8),
        groups=np.array([3, 3, 4, 4]),
        split=np.array(["train", "Val", "training", "test"]),
        classes=np.array(["cat", "cow", "dog"]),
    )
    dataset = read_arrays(path)
    assert dataset.classes == ("cat", "cow", "dog") and dataset.targets.values.tolist() == [0, 2, 0, 2]
    assert dataset.groups.tolist() == ["3", "3", "4", "4"]
    assert dataset.split.tolist() == ["train", "validation", "train", "test"]


@pytest.mark.parametrize(
    ("images", "labels"), [("x", "y"), ("X", "y"), ("X", "Y"), ("images", "label"), ("image", "targets")]
)
def test_names_of_a_single_piece(save, images, labels):
    dataset = read_arrays(save(**{images: pixels(3), labels: np.array(["b", "a", "b"])}))
    assert dataset.classes == ("a", "b") and dataset.targets.values.tolist() == [1, 0, 1]


@pytest.mark.parametrize("x", ["x", "X"])
def test_keras(save, x):
    train, test = pixels(4), pixels(2, seed=1)
    path = save(**{f"{x}_test": test, "y_test": [1, 0], f"{x}_train": train, "y_train": [0, 1, 0, 1]})
    dataset = read_dataset(path)
    assert dataset.split.tolist() == ["train"] * 4 + ["test"] * 2
    assert dataset.targets.values.tolist() == [0, 1, 0, 1, 1, 0]
    np.testing.assert_array_equal(dataset.images.array[..., 0], np.concatenate([train, test]))


def test_medmnist(save):
    content = {}
    for part in ("train", "val", "test"):
        content |= {f"{part}_images": pixels(2, 5, 4, 3), f"{part}_labels": np.array([[0], [1]], np.uint8)}
    dataset = read_dataset(save(**content))
    assert dataset.split.tolist() == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2
    assert dataset.targets.values.tolist() == [0, 1] * 3 and dataset.images.shape(0) == (5, 4, 3)


def test_parts_told_by_how_names_begin(save):
    content = {}
    for number, part in enumerate(("testA", "train", "testB")):
        content |= {
            f"{part}_images": pixels(3, 5, 4, 3, seed=number),
            f"{part}_masks": pixels(3),
            f"{part}_malignant": np.array([True, False, True]),
            f"{part}_patient": np.array([1, 1, number]),
        }
    dataset = read_arrays(save(**content), label="malignant", group="patient")
    assert dataset.classes == ("not malignant", "malignant")
    assert dataset.split.tolist() == ["train"] * 3 + ["test"] * 6
    assert dataset.targets.values.tolist() == [1, 0, 1] * 3
    assert dataset.groups.tolist() == ["1", "1", "1", "1", "1", "0", "1", "1", "2"]
    np.testing.assert_array_equal(dataset.images.read(0), content["train_images"][0])
    np.testing.assert_array_equal(dataset.images.read(3), content["testA_images"][0])


def test_channels_first(save):
    for channels in (1, 3):
        images = pixels(2, channels, 5, 4)
        dataset = read_arrays(save(images=images, labels=[0, 1]))
        np.testing.assert_array_equal(dataset.images.array, images.transpose(0, 2, 3, 1))


def test_booleans_without_a_name_of_their_own(save):
    assert read_arrays(save(images=pixels(2), labels=np.array([True, False]))).classes == ("False", "True")


def test_bytes_and_whole_floats_as_labels(save):
    assert read_arrays(save(images=pixels(2), labels=np.array(["ä".encode(), b"b"]))).classes == ("b", "ä")
    assert read_arrays(save(images=pixels(2), labels=np.array([1.0, 0.0]))).classes == ("0", "1")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(images=arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6)), data=st.data())
def test_floats_between_0_and_1_give_the_same_images(save, images, data):
    labels = np.array(data.draw(st.lists(st.integers(-5, 300), min_size=len(images), max_size=len(images))))
    whole = read_arrays(save(images=images, labels=labels))
    assert [int(whole.classes[label]) for label in whole.targets.values] == labels.tolist()
    for dtype in (np.float32, np.float64):
        scaled = read_arrays(save(images=images.astype(dtype) / dtype(255), labels=labels))
        np.testing.assert_array_equal(scaled.images.array, whole.images.array)
        assert scaled.notes == (
            f"Images were converted from {np.dtype(dtype)} between 0 and 1 to 8-bit values from 0 to 255.",
        )


def test_names_inside_the_zip_do_not_matter(tmp_path):
    path = tmp_path / "inside" / "cells.npz"
    path.parent.mkdir()
    np.savez(path, images=pixels(2), labels=[0, 1])
    buffer = io.BytesIO()
    np.save(buffer, pixels(1))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../escaped.npy", buffer.getvalue())
        archive.writestr("/escaped.txt", "words")
    before = sorted(tmp_path.rglob("*"))
    assert len(read_arrays(path)) == 2
    assert sorted(tmp_path.rglob("*")) == before


# What is refused


IMAGES, LABELS = pixels(4), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, "has no array of images"),
        ({"arr_0": IMAGES, "arr_1": LABELS}, "it contains arr_0, arr_1"),
        ({"images": IMAGES}, "has no array 'labels' for 'images'"),
        ({"train_images": IMAGES, "train_lables": LABELS}, "no array 'train_labels' for 'train_images' (did you"),
        ({"images": pixels(4, 5), "labels": LABELS}, "'images' has the shape (4, 5); images must be"),
        ({"images": pixels(4, 5, 4, 4), "labels": LABELS}, "'images' has the shape (4, 5, 4, 4); images must be"),
        ({"images": pixels(4, 0, 4), "labels": LABELS}, "'images' has the shape (4, 0, 4, 1); images"),
        ({"images": np.float32(4.0), "labels": LABELS}, "'images' has the shape (); images must be"),
        ({"images": IMAGES, "labels": LABELS[:3]}, "'labels' has the shape (3,), but 'images' contains 4 images"),
        ({"images": IMAGES, "labels": np.eye(4)}, "(4, 4); save labels.argmax"),
        ({"images": IMAGES, "labels": LABELS + np.inf}, "the labels must be finite numbers"),
        ({"images": IMAGES, "labels": LABELS.astype("datetime64[D]")}, "has the type datetime64[D]; save numbers"),
        ({"images": IMAGES.astype(np.uint16), "labels": LABELS}, "'images' has the type uint16; save images as uint8"),
        ({"images": IMAGES > 9, "labels": LABELS}, "'images' has the type bool; save images as uint8"),
        ({"images": IMAGES.astype(float), "labels": LABELS}, "floating-point values from"),
        ({"images": IMAGES * np.nan, "labels": LABELS}, "floating-point values from nan to nan"),
        ({"images": IMAGES, "labels": LABELS, "classes": np.array(["a"])}, "from 0 to 1, but 'classes' has 1 names"),
        ({"images": IMAGES, "labels": LABELS, "split": np.array(["train", "test", "dev", "dev"])}, "the value 'dev'"),
        ({"images": IMAGES, "labels": LABELS, "groups": [1, 2]}, "'groups' has the shape (2,), but 'images'"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, :3], "y_test": LABELS}, "all in one shape"),
        ({"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES}, "no array 'test_labels'"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "group_train": LABELS, "x_test": IMAGES, "y_test": LABELS},
            "no array 'group_test' for the groups of 'x_test'",
        ),
        ({"images": np.array([IMAGES, None], dtype=object), "labels": LABELS}, "pickles can run code"),
        ({"images": IMAGES, "labels": np.array(["a", None], dtype=object)}, "'labels' contains pickled Python objects"),
    ],
)  # fmt: skip
def test_faulty_arrays(save, refusal, content, expected):
    path = save(**content)
    sentence = refusal(read_arrays, path)
    assert sentence.startswith(str(path)) and expected in sentence


def test_unknown_names_of_the_caller(save, refusal):
    path = save(images=IMAGES, labels=LABELS, patient=LABELS)
    assert "no array 'grade' for 'images'; it contains images, labels, patient" in refusal(
        read_arrays, path, label="grade"
    )
    assert "no array 'patients' for the groups" in refusal(read_arrays, path, group="patients")
    assert "(did you mean 'patient'?)" in refusal(read_arrays, path, group="patients")


def test_pickle_named_npz_is_never_loaded(tmp_path, refusal):
    class Attack:
        def __reduce__(self):
            return pytest.fail, ("code was run",)

    path = tmp_path / "attack.npz"
    path.write_bytes(pickle.dumps(Attack()))
    assert refusal(read_arrays, path).startswith(f"{path} is not an npz file")
    np.savez(path, images=np.array([Attack()], dtype=object), labels=[0])
    assert "can run code and are never loaded" in refusal(read_arrays, path)


def test_damaged_files(save, refusal):
    path = save(images=pixels(50, 20, 20), labels=np.arange(50) % 2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert refusal(read_arrays, path) == f"{path} is not an npz file, or is cut off; save it again with numpy.savez."
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(200) + content[middle + 200 :])
    assert refusal(read_arrays, path).startswith(f"{path}: the array 'images' is damaged")
    path.write_bytes(b"")
    assert "is not an npz file" in refusal(read_arrays, path)


def test_member_that_is_no_array(tmp_path, refusal):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images", b"words")
        archive.writestr("labels", b"words")
    assert "'images' is not an array" in refusal(read_arrays, path)


def test_claimed_size_beyond_the_memory(tmp_path, refusal):
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**6, 10**3)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue())
    assert "'images'" in refusal(read_arrays, tmp_path / "a.npz")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_are_read_or_refused_in_a_sentence(tmp_path, refusal, data):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=IMAGES, labels=LABELS)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "flipped.npz"
    path.write_bytes(bytes(content))
    try:
        dataset = read_arrays(path)
    except Exception:
        refusal(read_arrays, path)
    else:
        assert len(dataset) == 4


def test_class_counts_are_checked(save, refusal):
    assert "'0' has 2 images, and 1 further class has too few" in refusal(
        read_dataset, save(images=IMAGES, labels=LABELS)
    )
    assert "has only one class" in refusal(read_dataset, save(images=IMAGES, labels=LABELS * 0))
    empty = save(images=IMAGES[:0], labels=LABELS[:0])
    assert "cells holds no images" in refusal(read_dataset, empty)


def test_file_that_cannot_be_opened(tmp_path, refusal):
    path = tmp_path / "missing.npz"
    assert refusal(read_arrays, path).startswith(f"{path} cannot be read: No such file")
