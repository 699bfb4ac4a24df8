import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.data import read as reading
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.read import check_classes, detect, read_dataset
from opsin.data.readers.common import join_some, join_words, natural_key, number_labels, split_of
from opsin.data.targets import ClassTargets


@pytest.fixture
def photos(tmp_path, image_file):
    for name in ("cat", "dog"):
        for number in range(3):
            image_file(tmp_path / "photos" / name / f"{number}.png", value=number)
    return tmp_path / "photos"


def table(path, rows=(("cat/0.png", "a"), ("cat/1.png", "b")), header="path,label"):
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]), encoding="utf-8")
    return path


# Which format it is


def test_class_folders(photos):
    assert detect(photos) == ("class folders", photos, ())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", "CSV"),
        ("a.TSV", "CSV"),
        ("a.npz", "npz"),
        ("train-images-idx3-ubyte.gz", "IDX"),
        ("t10k-labels.idx1-ubyte", "IDX"),
    ],
)
def test_files(tmp_path, name, expected):
    (tmp_path / name).touch()
    assert detect(tmp_path / name).format == expected


def test_every_format_has_a_reader():
    assert set(reading.READERS) == {"class folders", "CSV", "npz", "IDX", "CIFAR"}


@pytest.mark.parametrize("place", ["images/{}.png", "{}.png"])
def test_folder_of_images_and_one_table(tmp_path, image_file, place):
    names = [place.format(number) for number in range(6)]
    for name in names:
        image_file(tmp_path / name)
    table(tmp_path / "labels.csv", [(name, "ab"[number % 2]) for number, name in enumerate(names)])
    dataset = read_dataset(tmp_path)
    assert dataset.classes == ("a", "b") and dataset.name == "labels"
    assert dataset.notes == ("Images and labels are read from labels.csv in the folder.",)


def test_table_without_label_is_explained_rather_than_ignored(tmp_path, image_file, refusal):
    image_file(tmp_path / "images" / "0.png")
    table(tmp_path / "labels.csv", [("images/0.png", "a")], header="path,class")
    assert "labels.csv has no column 'label'" in refusal(read_dataset, tmp_path)


def test_class_folders_beside_a_table_of_something_else(photos):
    table(photos / "notes.csv", [("cat", "soft")], header="animal,fur")
    dataset = read_dataset(photos)
    assert dataset.classes == ("cat", "dog") and "notes.csv" in dataset.notes[0]


def test_class_folders_beside_a_table_of_images_are_ambiguous(photos, refusal):
    path = table(photos / "predictions.csv")
    sentence = refusal(read_dataset, photos)
    assert "class folders (cat, dog) and predictions.csv" in sentence and f"give {path} to use its labels" in sentence


@pytest.mark.parametrize("option", ["label", "group"])
def test_a_column_of_the_callers_decides_for_the_table(photos, option):
    path = table(photos / "labels.csv", header=f"path,{'label,x' if option == 'group' else 'x'}",
                 rows=[("cat/0.png", "a", "p1")[: 3 if option == "group" else 2]])  # fmt: skip
    assert detect(photos, **{option: "x"})[:2] == ("CSV", path)


def test_several_tables(tmp_path, image_file, refusal):
    image_file(tmp_path / "0.png")
    for name in ("a.csv", "b.csv"):
        table(tmp_path / name, [("0.png", "a")])
    sentence = refusal(read_dataset, tmp_path)
    assert sentence.endswith(f"give one of them: {tmp_path / 'a.csv'}, {tmp_path / 'b.csv'}.")
    table(tmp_path / "a.csv", [("1", "2")], header="epoch,loss")
    assert detect(tmp_path)[:2] == ("CSV", tmp_path / "b.csv")


def test_nested_class_folders_beside_a_table(tmp_path, image_file, refusal):
    for name in ("all/cat/1.png", "all/dog/1.png"):
        image_file(tmp_path / name)
    table(tmp_path / "notes.csv", [("cat", "soft")], header="animal,fur")
    assert f"give {tmp_path / 'all'}" in refusal(read_dataset, tmp_path)


def test_folder_with_one_npz(tmp_path):
    np.savez(tmp_path / "cells.npz", images=np.zeros((6, 4, 4), np.uint8), labels=np.arange(6) % 2)
    dataset = read_dataset(tmp_path)
    assert dataset.name == "cells" and dataset.notes == ("The data are read from cells.npz in the folder.",)


def test_path_wins_over_name(tmp_path, image_file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cat", "dog"):
        for number in range(3):
            image_file(tmp_path / "digits" / name / f"{number}.png")
    assert read_dataset("digits").classes == ("cat", "dog")


def test_named_data_set():
    dataset = read_dataset("digits")
    assert dataset.name == "digits" and len(dataset) == 1797 and dataset.symmetry == "none"


def test_home_folder(photos, monkeypatch):
    monkeypatch.setenv("HOME", str(photos.parent))
    monkeypatch.setenv("USERPROFILE", str(photos.parent))
    assert read_dataset("~/photos").classes == ("cat", "dog")


# What is refused


@pytest.mark.parametrize("source", ["", " "])
def test_nothing_given(source, refusal):
    assert refusal(read_dataset, source).startswith(
        "The path of the data is empty; give a folder of class folders, a CSV file"
    )


def test_unknown_names(tmp_path, photos, refusal, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refusal(read_dataset, "fashion_mnist").startswith("fashion_mnist does not exist (did you mean 'fashion-mni")
    assert "(did you mean 'photos'?)" in refusal(read_dataset, "photo/")
    assert "(did you mean 'photos'?)" in refusal(read_dataset, tmp_path / "photoss")
    assert f"(nor does the folder {tmp_path / 'gone'})" in refusal(read_dataset, tmp_path / "gone" / "photos")
    assert "opsin datasets" in refusal(read_dataset, "qqqq")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "is a single image"),
        ("a.tar.gz", "is an archive; unpack it"),
        ("a.zip", "is an archive; unpack it"),
        ("a.xlsx", "is a spreadsheet; save it as 'CSV UTF-8'"),
        ("a.pkl", "has an unknown format; give a folder of class folders, a CSV file, an npz file"),
    ],
)
def test_other_files(tmp_path, refusal, name, expected):
    (tmp_path / name).touch()
    assert refusal(read_dataset, tmp_path / name).startswith(f"{tmp_path / name} {expected}")


def test_broken_link(tmp_path, refusal):
    try:
        (tmp_path / "photos").symlink_to(tmp_path / "gone")
    except OSError:
        pytest.skip("this system does not let this user make links")
    assert "is a broken link" in refusal(read_dataset, tmp_path / "photos")


# Whether it can be trained on


def dataset(labels, classes, split=None):
    images = ArrayImages(np.zeros((len(labels), 2, 2), np.uint8))
    return Dataset(
        "cells", classes, images, ClassTargets(np.array(labels, np.int64)), None if split is None else np.array(split)
    )


def test_split_without_training_images(refusal):
    assert "no training images, only test and validation" in refusal(
        check_classes, dataset([0, 1], ("a", "b"), ["test", "validation"])
    )


def test_class_without_any_image(refusal):
    assert "the class 'b' has no images, but at least 3" in refusal(check_classes, dataset([0] * 4, ("a", "b")))


def test_one_class_or_none(refusal):
    assert "has only one class, 'a'" in refusal(check_classes, dataset([0] * 4, ("a",)))
    assert "holds no images" in refusal(dataset, [], ("a",))


@given(
    counts=st.lists(st.integers(0, 5), min_size=2, max_size=4).filter(any),
    given_parts=st.sets(st.sampled_from(["validation", "test"])),
)
def test_each_class_can_be_in_each_part(counts, given_parts):
    """Enough images are asked for exactly where handing one to each missing part would leave none to train on."""
    classes = tuple("abcd"[: len(counts)])
    labels = np.repeat(np.arange(len(counts)), counts).tolist()
    split = ["train"] * len(labels)
    for part in given_parts:
        labels += range(len(counts))
        split += [part] * len(counts)
    possible = all(count - (2 - len(given_parts)) >= 1 for count in counts)
    data = dataset(labels, classes, split if given_parts else None)
    if possible:
        check_classes(data)
    else:
        with pytest.raises(reading.DataError):
            check_classes(data)


# Words


def test_natural_order():
    words = ["grade 10", "grade 9", "Cat", "cat", "dog", "2b", "10", "9", ""]
    assert sorted(words, key=natural_key) == ["", "2b", "9", "10", "Cat", "cat", "dog", "grade 9", "grade 10"]


@given(st.lists(st.text(max_size=4)))
def test_natural_order_is_an_order(words):
    assert sorted(words, key=natural_key) == sorted(reversed(words), key=natural_key)


@given(st.lists(st.integers(-20, 200).map(str) | st.text("abäß1 ", min_size=1, max_size=3), min_size=1))
def test_numbered_labels_name_the_same_classes(words):
    labels, classes = number_labels(words)
    assert [classes[label] for label in labels] == words
    assert set(classes) == set(words) and list(classes) == sorted(classes, key=natural_key)


def test_words():
    assert split_of(" Valid ") == "validation" and split_of("dev") is None
    assert join_some("abcd") == "a, b, c and 1 more" and join_some("abc") == "a, b, c" and join_some([]) == ""
    assert join_words(["a"]) == "a" and join_words(["a", "b"], "or") == "a or b" and join_words("abc") == "a, b and c"
