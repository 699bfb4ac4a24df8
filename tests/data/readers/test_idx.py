import gzip
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from opsin.data.read import read_dataset
from opsin.data.readers.idx import holds_idx, read_idx, read_idx_array


def encoded(values):
    """The format as its description has it, written independently of the reader."""
    values = np.asarray(values, np.uint8)
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def write(path, values, packed=None):
    content = encoded(values)
    packed = path.suffix == ".gz" if packed is None else packed
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def pixels(number, seed=0, side=5):
    return np.random.default_rng(seed).integers(0, 256, (number, side, side + 1), dtype=np.uint8)


def fill(folder, images="{}-images-idx3-ubyte", labels="{}-labels-idx1-ubyte", parts=("train", "t10k"), suffix=""):
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(parts):
        write(folder / (images.format(part) + suffix), pixels(4, number))
        write(folder / (labels.format(part) + suffix), [3, 10, 3, 10])
    return folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("parts", [("train", "t10k"), ("train", "test"), ("train", "val", "test")])
@pytest.mark.parametrize("separator", ["-", "."])
def test_folder(tmp_path, suffix, parts, separator):
    folder = fill(
        tmp_path / "letters",
        images=f"{{}}-images{separator}idx3-ubyte",
        labels=f"{{}}-labels{separator}idx1-ubyte",
        parts=parts,
        suffix=suffix,
    )
    dataset = read_dataset(folder)
    names = [{"t10k": "test", "val": "validation"}.get(part, part) for part in parts]
    assert dataset.name == "letters" and dataset.classes == ("3", "10")
    assert dataset.targets.values.dtype == np.int64 and dataset.targets.values.tolist() == [0, 1, 0, 1] * len(parts)
    assert dataset.split.tolist() == [name for name in names for _ in range(4)]
    np.testing.assert_array_equal(
        dataset.images.array[..., 0], np.concatenate([pixels(4, number) for number in range(len(parts))])
    )


def test_longer_names(tmp_path):
    fill(tmp_path, images="emnist-letters-{}-images-idx3-ubyte", labels="emnist-letters-{}-labels-idx1-ubyte")
    assert read_idx(tmp_path).split.tolist() == ["train"] * 4 + ["test"] * 4


@pytest.mark.parametrize("given_file", ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_one_pair_of_files(tmp_path, given_file):
    fill(tmp_path, suffix=".gz")
    dataset = read_dataset(tmp_path / given_file, check=False)
    assert len(dataset) == 4 and dataset.split is None
    np.testing.assert_array_equal(dataset.images.array[..., 0], pixels(4, 1))


def test_files_of_any_name_in_one_pair(tmp_path):
    fill(tmp_path, parts=("cells",))
    assert len(read_idx(tmp_path)) == 4 and read_idx(tmp_path).split is None


def test_unpacked_copies_beside_packed_ones(tmp_path):
    fill(tmp_path, suffix=".gz")
    fill(tmp_path)
    assert len(read_idx(tmp_path)) == 8


def test_packing_is_told_by_the_content(tmp_path):
    write(tmp_path / "train-images-idx3-ubyte.gz", pixels(4), packed=False)
    write(tmp_path / "train-labels-idx1-ubyte", [0, 1, 0, 1], packed=True)
    assert len(read_idx(tmp_path)) == 4


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=9)), packed=st.booleans())
def test_round_trip(tmp_path, values, packed):
    np.testing.assert_array_equal(read_idx_array(write(tmp_path / "a", values, packed), 3), values)
    flat = values.reshape(-1)
    np.testing.assert_array_equal(read_idx_array(write(tmp_path / "a", flat, packed), 1), flat)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=40), packed=st.booleans(), honest=st.booleans())
def test_any_bytes_are_refused_in_a_sentence(tmp_path, refusal, content, packed, honest):
    content = (bytes((0, 0, 8, 3)) if honest else b"") + content
    (tmp_path / "a").write_bytes(gzip.compress(content)[:-3] if packed else content)
    if not (len(content) >= 16 and 0 in np.frombuffer(content[4:16], ">u4")):
        refusal(read_idx_array, tmp_path / "a", 3)


def test_holds(tmp_path):
    assert not holds_idx(tmp_path) and not holds_idx(tmp_path / "missing")
    fill(tmp_path, parts=("train",))
    assert holds_idx(tmp_path) and holds_idx(tmp_path, ("train",)) and not holds_idx(tmp_path, ("train", "test"))


# What is refused


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda content: content[:-1], "is truncated: its header announces 120 values, but only 119 follow"),
        (lambda content: content + b"\0", "is too long: its header announces 120 values"),
        (lambda content: content[:10], "is truncated within its header"),
        (lambda content: b"", "is not an IDX file of images: it starts with nothing rather than 00000803"),
        (lambda content: encoded([1, 2]), "starts with 00000801 rather than 00000803"),
        (lambda content: b"\0\0\x0d\x03" + content[4:], "starts with 00000d03 rather than 00000803"),
        (lambda content: gzip.compress(content)[:-20], "is truncated or damaged"),
        (lambda content: b"\x1f\x8b\x08 no gzip at all", "is truncated or damaged"),
        (lambda content: b"\0\0\x08\x03" + b"\xff" * 12, "is truncated: its header announces"),
    ],
)
def test_faulty_files(tmp_path, refusal, change, expected):
    path = fill(tmp_path) / "train-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    sentence = refusal(read_dataset, tmp_path)
    assert sentence.startswith(str(path)) and expected in sentence


def test_missing_labels(tmp_path, refusal):
    (fill(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    sentence = refusal(read_dataset, tmp_path)
    assert f"{tmp_path / 't10k-images-idx3-ubyte'} has no counterpart t10k-labels-idx1-ubyte or t10k-l" in sentence


def test_other_number_of_labels(tmp_path, refusal):
    write(fill(tmp_path) / "train-labels-idx1-ubyte", [0, 1, 2])
    assert "contains 4 images, but train-labels-idx1-ubyte 3 labels" in refusal(read_dataset, tmp_path)


def test_other_image_size_in_test(tmp_path, refusal):
    write(fill(tmp_path) / "t10k-images-idx3-ubyte", pixels(4, side=7))
    assert "images of different sizes" in refusal(read_dataset, tmp_path)


def test_two_data_sets_in_a_folder(tmp_path, refusal):
    fill(tmp_path)
    fill(tmp_path, images="kana-{}-images-idx3-ubyte", labels="kana-{}-labels-idx1-ubyte")
    assert "keep one data set per folder" in refusal(read_dataset, tmp_path)
    fill(tmp_path / "other", parts=("train", "cells"))
    assert "not a train, validation or test" in refusal(read_dataset, tmp_path / "other")


def test_idx_has_no_columns(tmp_path, refusal):
    assert "no group column 'writer'" in refusal(read_dataset, fill(tmp_path), group="writer")


def test_file_that_cannot_be_read(tmp_path, refusal):
    assert "cannot be read" in refusal(read_idx_array, tmp_path / "missing", 3)
