import os

import numpy as np
import pytest

from opsin.data.read import read_dataset
from opsin.data.readers.folders import read_folders


@pytest.fixture
def photos(tmp_path, image_file):
    """Class folders: 10 (4 images), 9 (3 images)."""
    for number in range(4):
        image_file(tmp_path / "photos" / "10" / f"{number}.png", value=100 + number)
    for number in range(3):
        image_file(tmp_path / "photos" / "9" / f"{number}.png", value=number)
    return tmp_path / "photos"


def make(root, image_file, *names):
    for name in names:
        image_file(root / name)
    return root


def test_flat_class_folders(photos):
    dataset = read_dataset(photos)
    assert dataset.name == "photos"
    assert dataset.classes == ("9", "10")
    assert dataset.targets.values.dtype == np.int64
    assert dataset.targets.values.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert dataset.split is None and dataset.groups is None and dataset.symmetry is None and dataset.notes == ()
    assert [dataset.images.name(index) for index in range(7)][::3] == ["9/0.png", "10/0.png", "10/3.png"]
    assert [int(dataset.images.read(index)[0, 0, 0]) for index in range(7)] == [0, 1, 2, 100, 101, 102, 103]


def test_a_string_the_current_folder_and_another_working_folder(photos, monkeypatch):
    monkeypatch.chdir(photos)
    dataset = read_dataset(".")
    assert dataset.name == "photos"
    monkeypatch.chdir(photos.parent)
    assert dataset.images.read(0).shape == (4, 6, 1)
    assert dataset.images.name(0) == "9/0.png"


@pytest.mark.parametrize("words", [("train", "valid", "test"), ("Training", "validation", "testing"), ("train", "val")])
def test_given_split(tmp_path, image_file, words):
    for word in words:
        make(tmp_path, image_file, f"{word}/cat/1.png", f"{word}/cat/2.png", f"{word}/dog/deep/er/1.png")
    dataset = read_folders(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert dataset.targets.values.tolist() == [0, 0, 1] * len(words)
    assert dataset.split.tolist() == [word for word in ("train", "validation", "test")[: len(words)] for _ in range(3)]
    assert dataset.images.name(2) == f"{words[0]}/dog/deep/er/1.png"


def test_train_folder_alone_is_no_split(tmp_path, image_file):
    dataset = read_folders(make(tmp_path, image_file, "train/cat/1.png", "train/dog/1.png"))
    assert dataset.classes == ("cat", "dog") and dataset.split is None


def test_train_may_be_a_class_beside_others(tmp_path, image_file):
    dataset = read_folders(make(tmp_path, image_file, "train/1.png", "bus/1.png", "car/1.png"))
    assert dataset.classes == ("bus", "car", "train") and dataset.split is None


def test_litter_is_ignored_and_other_files_are_noted(photos, image_file):
    for name in (".DS_Store", "Thumbs.db", "9/desktop.ini", "9/.hidden.png", "__MACOSX/9/._1.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).touch()
    image_file(photos / "9" / "@eaDir" / "1.png")
    image_file(photos / ".git" / "1.png")
    assert read_dataset(photos).notes == () and len(read_dataset(photos)) == 7
    for name in ("a.txt", "9/b.csv", "9/c.heic", "10/d.xml"):
        (photos / name).touch()
    (photos / "documents").mkdir()
    image_file(photos / "overview.png")
    assert read_dataset(photos).notes == (
        "4 files that are not images were skipped (10/d.xml, 9/b.csv, 9/c.heic and 1 more).",
        "1 image outside the class folders was skipped (overview.png).",
        "1 folder without images was skipped (documents).",
    )
    assert len(read_dataset(photos)) == 7


def test_images_beside_the_classes_of_a_split_are_noted(tmp_path, image_file):
    make(tmp_path, image_file, "train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png", "test/stray.png")
    assert read_folders(tmp_path).notes == ("1 image outside the class folders was skipped (test/stray.png).",)


def test_classes_may_have_been_meant_deeper(tmp_path, image_file):
    make(tmp_path, image_file, "home/cat/1.png", "home/dog/1.png", "away/cat/1.png", "away/dog/1.png")
    assert read_folders(tmp_path).notes == (
        "All images are in subfolders of the class folders (such as away/cat); the upper folder is the class.",
    )


def test_unreadable_images_are_left_for_decoding(photos):
    (photos / "9" / "empty.jpg").touch()
    (photos / "9" / "text.JPG").write_text("no image")
    assert len(read_dataset(photos)) == 9


def test_broken_links_are_kept_and_circles_end(photos):
    try:
        (photos / "9" / "broken.png").symlink_to(photos / "gone.png")
        (photos / "9" / "circle").symlink_to(photos / "9", target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let this user make links")
    names = [read_dataset(photos).images.name(index) for index in range(len(read_dataset(photos)))]
    assert "9/broken.png" in names and len(names) == 8


def test_linked_class_folders_are_followed(photos, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    try:
        for name in ("9", "10"):
            (linked / name).symlink_to(photos / name, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let this user make links")
    assert len(read_dataset(linked)) == 7


def test_no_image_is_opened(photos, monkeypatch):
    monkeypatch.setattr("PIL.Image.open", lambda *_, **__: pytest.fail("an image was opened"))
    read_dataset(photos)


# What is refused


def test_empty_folder(tmp_path, refusal):
    sentence = refusal(read_dataset, tmp_path)
    assert sentence.startswith(f"{tmp_path} is empty; put the images of each class into a folder with the name")
    assert "path,label" in sentence
    (tmp_path / "cat").mkdir()
    assert "is empty" in refusal(read_dataset, tmp_path)


def test_no_images(tmp_path, refusal):
    (tmp_path / "cat").mkdir()
    for name in ("cat/1.heic", "cat/2.heic", "notes.txt"):
        (tmp_path / name).touch()
    assert "only other files: .heic (2), .txt (1)" in refusal(read_dataset, tmp_path)


def test_images_without_class_folders(tmp_path, image_file, refusal):
    sentence = refusal(read_dataset, make(tmp_path, image_file, "1.png", "2.png"))
    assert "contains images but no class folders" in sentence and "CSV" in sentence


def test_images_without_class_folders_in_a_part(tmp_path, image_file, refusal):
    make(tmp_path, image_file, "train/a/1.png", "train/b/1.png", "test/1.png")
    assert refusal(read_dataset, tmp_path).startswith(f"{tmp_path / 'test'} contains images but no class folders")


def test_one_class(tmp_path, image_file, refusal):
    make(tmp_path / "photos", image_file, *(f"cat/{number}.png" for number in range(5)))
    assert refusal(read_dataset, tmp_path / "photos").startswith("photos has only one class, 'cat'")
    assert len(read_dataset(tmp_path / "photos", check=False)) == 5


@pytest.mark.parametrize("levels", ["photos", "photos/all"])
def test_an_extra_level_of_folders(tmp_path, image_file, refusal, levels):
    make(tmp_path, image_file, f"{levels}/cat/1.png", f"{levels}/dog/1.png")
    sentence = refusal(read_dataset, tmp_path)
    assert sentence.endswith(
        f"{levels!r}, which contains cat, dog; if these are the classes, give {tmp_path / levels}."
    )


@pytest.mark.parametrize("number", [1, 2])
def test_a_class_with_too_few_images(photos, image_file, refusal, number):
    for index in range(number):
        image_file(photos / "rare" / f"{index}.png")
    sentence = refusal(read_dataset, photos)
    assert f"'rare' has {number} image{'s' if number > 1 else ''}, but at least 3 of each class are needed" in sentence
    assert "training, validation and test" in sentence


def test_several_classes_with_too_few_images(photos, image_file, refusal):
    for name in ("a/1.png", "a/2.png", "b/1.png", "c/1.png"):
        image_file(photos / name)
    assert "'b' has 1 image, and 2 further classes have too few, but" in refusal(read_dataset, photos)


@pytest.mark.parametrize(
    ("parts", "needed"), [(("train", "valid", "test"), 1), (("train", "test"), 2), (("train", "valid"), 2)]
)
def test_training_images_needed_beside_a_given_split(tmp_path, image_file, refusal, parts, needed):
    def fill(number):
        for part in parts:
            for name in ("cat", "dog"):
                make(tmp_path / part / name, image_file, *(f"{index}.png" for index in range(number)))

    if needed > 1:
        fill(needed - 1)
        assert f"'cat' has 1 training image, and 1 further class has too few, but at least {needed}" in refusal(
            read_dataset, tmp_path
        )
    fill(needed)
    assert len(read_dataset(tmp_path)) == 2 * needed * len(parts)


def test_odd_class_names(tmp_path, image_file, refusal):
    make(tmp_path, image_file, "train/cat/1.png", "train/dog/1.png", "test/catt/1.png", "test/dog/1.png")
    sentence = refusal(read_dataset, tmp_path)
    assert f"{tmp_path / 'test'} has the class 'catt'" in sentence and "did you mean 'cat'" in sentence


def test_missing_class(tmp_path, image_file, refusal):
    make(tmp_path, image_file, "train/cat/1.png", "train/dog/1.png", "test/dog/1.png")
    (tmp_path / "test" / "cat").mkdir()
    assert f"{tmp_path / 'test'} lacks the class 'cat'" in refusal(read_dataset, tmp_path)


def test_a_split_and_something_else(tmp_path, image_file, refusal):
    make(tmp_path, image_file, "train/cat/1.png", "test/cat/1.png", "extra/1.png")
    assert "also the folder 'extra' with images; move" in refusal(read_dataset, tmp_path)


def test_two_folders_for_the_same_part(tmp_path, image_file, refusal):
    make(tmp_path, image_file, "train/cat/1.png", "training/cat/1.png")
    assert "both 'train' and 'training', which mean the same" in refusal(read_dataset, tmp_path)


@pytest.mark.parametrize("option", ["label", "group"])
def test_class_folders_have_no_columns(photos, refusal, option):
    assert f"no {option} column 'patient'" in refusal(read_dataset, photos, **{option: "patient"})


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_folder_that_may_not_be_listed(photos, refusal):
    (photos / "9").chmod(0)
    try:
        assert "permission denied" in refusal(read_dataset, photos)
    finally:
        (photos / "9").chmod(0o755)


def test_folder_that_cannot_be_listed(photos, refusal, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert refusal(read_folders, photos).endswith("cannot be listed: Permission denied; check its permissions.")
