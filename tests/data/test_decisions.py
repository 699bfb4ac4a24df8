import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from opsin.data.dataset import Dataset, apply_decisions
from opsin.data.decisions import Decision, Decisions, read_decisions
from opsin.data.images import ArrayImages
from opsin.data.read import read_dataset
from opsin.data.targets import ClassTargets


@pytest.fixture
def photos(tmp_path, image_file):
    for label in ("cat", "dog"):
        for number in range(5):
            image_file(tmp_path / "photos" / label / f"{number}.png", value=number)
    return tmp_path / "photos"


def write(path, *rows, header="image,decision,label,reason"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def names(dataset):
    return [dataset.images.name(index) for index in range(len(dataset))]


def test_excluded_images_are_gone_and_relabeled_ones_have_their_new_class(photos):
    before = read_dataset(photos)
    write(photos / "decisions.csv", "cat/1.png,exclude,,a dog", "dog/3.png,relabel,cat,", "dog/0.png,keep,,dark")
    dataset = read_dataset(photos)
    assert names(dataset) == [name for name in names(before) if name != "cat/1.png"]
    of = dict(zip(names(dataset), [dataset.classes[label] for label in dataset.targets.values], strict=True))
    assert of["dog/3.png"] == "cat"
    assert all(of[name] == name.split("/")[0] for name in of if name != "dog/3.png")
    assert dataset.notes == ("1 image excluded, 1 relabeled, 1 reviewed and kept by decisions.csv.",)
    assert dataset.decisions.images("keep") == {"dog/0.png"}
    assert dataset.decisions.rows[0] == Decision("cat/1.png", "exclude", "", "a dog", 2)
    assert (photos / "cat" / "1.png").exists()


def test_the_data_set_that_was_given_stays_as_it_is(photos):
    before = read_dataset(photos)
    labels = before.targets.values.copy()
    decided = apply_decisions(before, Decisions(photos, (Decision("dog/3.png", "relabel", "cat"),)))
    assert (before.targets.values == labels).all() and before.decisions is None
    assert (decided.targets.values != labels).sum() == 1


def test_a_table_has_its_decisions_beside_it(tmp_path, image_file):
    for number in range(8):
        image_file(tmp_path / f"{number}.png", value=number)
    rows = [f"{number}.png,{'ab'[number % 2]}" for number in range(8)]
    write(tmp_path / "scans.csv", *rows, header="path,label")
    write(tmp_path / "scans.decisions.csv", "7.png,exclude,,")
    assert len(read_dataset(tmp_path / "scans.csv")) == 7
    (tmp_path / "scans.decisions.csv").rename(tmp_path / "decisions.csv")
    assert len(read_dataset(tmp_path / "scans.csv")) == 8
    assert (
        len(read_dataset(tmp_path)) == 7
    )  # the folder's table is scans.csv, not decisions.csv, which has an image column
    assert len(read_dataset(tmp_path / "scans.csv", decisions=tmp_path / "decisions.csv")) == 7


def test_named_data_take_a_file(tmp_path):
    file = write(tmp_path / "mine.csv", "image 3,exclude,,", "image 5,relabel,7,")
    digits, decided = read_dataset("digits"), read_dataset("digits", decisions=file)
    assert len(decided) == len(digits) - 1 and decided.images.name(3) == "image 4"
    assert decided.classes[decided.targets.values[4]] == "7"
    assert decided.notes[-1] == "1 image excluded, 1 relabeled by mine.csv."


def test_everything_else_of_a_sample_goes_with_it():
    data = Dataset(
        "four",
        ("a", "b"),
        ArrayImages(np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)),
        ClassTargets(np.array([0, 1, 0, 1])),
        split=np.array(["train", "train", "test", "test"]),
        groups=np.array(["p", "q", "r", "s"]),
    )
    decided = apply_decisions(data, Decisions(Path("d.csv"), (Decision("image 1", "exclude"),)))
    assert decided.split.tolist() == ["train", "test", "test"] and decided.groups.tolist() == ["p", "r", "s"]
    assert [int(decided.images.read(index).max()) for index in range(3)] == [0, 2, 3]


def test_spreadsheets_and_windows_write_it_too(photos):
    file = photos / "decisions.csv"
    file.write_text("Reason;Image;Label;Decision\r\nall wrong;cat\\2.png;dog;Relabel\r\n", encoding="utf-8-sig")
    dataset = read_dataset(photos)
    assert dataset.targets.values.tolist() == [0, 0, 1, 0, 0, 1, 1, 1, 1, 1]
    assert dataset.decisions.images("relabel") == {"cat/2.png"}


def test_no_rows_decide_nothing(photos):
    write(photos / "decisions.csv")
    assert len(read_dataset(photos)) == 10 and read_dataset(photos).notes == ()


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["cat/1.png,exclude,,", "cat/9.png,exclude,,"], "line 3: photos has no image cat/9.png (did you mean"),
        (["1.png,exclude,,"], "line 2: photos has no image 1.png (did you mean 'dog/1.png' or 'cat/1.png'"),
        (["cat/1.png,relabel,catt,"], "line 2: photos has no class 'catt' (did you mean 'cat'?)"),
        (["cat/1.png,relabel,,"], "line 2: cat/1.png is relabeled, but the column label is empty"),
        (["cat/1.png,exclud,,"], "line 2: the decision 'exclud' is unknown (did you mean 'exclude'?)"),
        (["cat/1.png,,,"], "line 2: the decision '' is unknown; write exclude, relabel or keep"),
        (["cat/1.png,keep,dog,"], "line 2: cat/1.png has a label, but the decision is 'keep'"),
        (
            ["cat/1.png,keep,,", "cat/2.png,keep,,", "cat/1.png,exclude,,"],
            "lines 2 and 4: two decisions about cat/1.png",
        ),
        ([",exclude,,"], "line 2: the column image is empty"),
        (["cat/1.png,exclude"], "line 2: 2 values, but the header has 4"),
        ([f"{label}/{n}.png,exclude,," for label in ("cat", "dog") for n in range(5)], "excludes all 10 images"),
    ],
)
def test_a_wrong_row_is_named(photos, refusal, rows, sentence):
    file = write(photos / "decisions.csv", *rows)
    said = refusal(read_dataset, photos)
    assert said.startswith(str(file)) and sentence in said


def test_a_missing_file_or_column_is_named(photos, refusal, tmp_path):
    assert "The file of decisions" in refusal(read_dataset, photos, decisions=tmp_path / "no.csv")
    write(photos / "decisions.csv", "cat/1.png,a dog", header="image,reason")
    assert "has no column 'decision'" in refusal(read_dataset, photos)


def test_too_few_images_left_of_a_class_is_said(photos, refusal):
    write(photos / "decisions.csv", *(f"cat/{number}.png,exclude,," for number in range(4)))
    assert "the class 'cat' has 1 image" in refusal(read_dataset, photos)


def test_a_file_is_read_as_it_was_written(tmp_path):
    rows = (
        Decision("a, b.png", "exclude", "", 'said "no"\nand left', 2),
        Decision("ä/c.png", "relabel", "Bär, groß", "", 4),
    )
    file = tmp_path / "decisions.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(
            [["image", "decision", "label", "reason"], *(dataclasses.astuple(r)[:4] for r in rows)]
        )
    assert read_decisions(file).rows == rows
