import csv
from pathlib import Path

import numpy as np
import pytest

from opsin.competitions.submissions import parse_columns, plan_submission
from opsin.errors import DataError
from opsin.tasks.classification.answers import ClassAnswers
from opsin.tasks.classification.predictions import Classifications

LESIONS = ("Melanoma", "nevus", "seborrheic_keratosis")
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]], np.float32)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def images(*names: str) -> list[Path]:
    return [Path(name) for name in names]


def test_isic_follows_the_order_of_the_sample(tmp_path: Path) -> None:
    sample = write(tmp_path / "sample.csv", "Id,task_1,task_2\nd/b/2.jpg,0,0\nd/a/1.jpg,,\nd/c/3.jpg,0,0\n")
    given = images("/x/d/a/1.jpg", "/x/d/b/2.jpg", "elsewhere/3.jpg", "elsewhere/4.jpg")
    plan = plan_submission("isic", given, LESIONS, sample=sample)
    assert plan.images == [given[1], given[0], given[2]] and plan.left_over == 1
    predictions = Classifications(PROBABILITIES)
    plan.write(tmp_path / "out.csv", LESIONS, predictions, ClassAnswers(predictions, LESIONS))
    rows = read(tmp_path / "out.csv")
    assert rows[0] == ["Id", "task_1", "task_2"]
    assert [row[0] for row in rows[1:]] == ["d/b/2.jpg", "d/a/1.jpg", "d/c/3.jpg"]
    np.testing.assert_allclose(np.array(rows[1:])[:, 1:].astype(float), PROBABILITIES[:, [0, 2]], rtol=1e-6)
    assert plan.describe() == "Id: id, task_1: probability of Melanoma, task_2: probability of seborrheic_keratosis"


def test_the_same_name_in_two_folders_is_told_apart_by_its_path(tmp_path: Path) -> None:
    sample = write(tmp_path / "sample.csv", "id,label\ndog\\1.jpg,0\ncat/1.jpg,0\n")
    plan = plan_submission("kaggle", images("p/cat/1.jpg", "p/dog/1.jpg"), ("cat", "dog"), sample=sample)
    assert plan.images == images("p/dog/1.jpg", "p/cat/1.jpg")


def test_ids_may_lack_the_suffix(tmp_path: Path) -> None:
    sample = write(tmp_path / "sample.csv", "id,label\n2,0\n1,0\n")
    plan = plan_submission("kaggle", images("p/1.jpg", "p/2.jpg"), ("cat", "dog"), sample=sample)
    assert plan.images == images("p/2.jpg", "p/1.jpg") and plan.ids == ["2", "1"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("", [["id", "label"], ["1.png", "cat"], ["2.png", "dog"]]),
        ("id=image,label=species", [["image", "species"], ["1.png", "cat"], ["2.png", "dog"]]),
        ("label=dog", [["id", "label"], ["1.png", "0.25"], ["2.png", "0.75"]]),
        ("id=image,chance=dog", [["image", "chance"], ["1.png", "0.25"], ["2.png", "0.75"]]),
        ("a=cat,b=dog", [["id", "a", "b"], ["1.png", "0.75", "0.25"], ["2.png", "0.25", "0.75"]]),
    ],
)
def test_kaggle_names_its_columns(columns: str, expected: list, tmp_path: Path) -> None:
    plan = plan_submission("kaggle", images("p/1.png", "p/2.png"), ("cat", "dog"), columns=parse_columns(columns))
    values = Classifications(np.array([[0.75, 0.25], [0.25, 0.75]], np.float32))
    plan.write(tmp_path / "out.csv", ("cat", "dog"), values, ClassAnswers(values, ("cat", "dog")))
    assert read(tmp_path / "out.csv") == expected


@pytest.mark.parametrize(
    ("header", "contents"),
    [
        ("image_id,target", [("id", ""), ("label", "")]),
        ("image_id,DOG,cat", [("id", ""), ("probability", "dog"), ("probability", "cat")]),
        ("image_id,dog", [("id", ""), ("probability", "dog")]),
    ],
)
def test_kaggle_takes_its_columns_from_the_sample(header: str, contents: list, tmp_path: Path) -> None:
    commas = "," * header.count(",")
    sample = write(tmp_path / "sample.csv", f"{header}\n1.png{commas}\n")
    plan = plan_submission("kaggle", images("1.png"), ("cat", "dog"), sample=sample)
    assert list(plan.columns) == header.split(",") and list(plan.columns.values()) == contents


def test_a_class_name_may_hold_commas_and_equal_signs() -> None:
    assert parse_columns("a=1, 2, or 3,b=x=y") == {"a": "1, 2, or 3", "b": "x=y"}
    assert parse_columns("") == {}


BROKEN = {
    "no sample": ("isic", None, "", "needs --sample"),
    "no such class": ("isic", "Id,task_1,task_2\n1.jpg,0,0\n", "task_1=melanona", "no class 'melanona'.*Melanoma, n"),
    "no such task": ("isic", "Id,task_1,task_2\n1.jpg,0,0\n", "task_3=nevus", "task_1 and task_2"),
    "other columns": ("isic", "image,melanoma\n1.jpg,0\n", "", "has the columns image, melanoma, but"),
    "no image": ("isic", "Id,task_1,task_2\n9.jpg,0,0\n", "", "line 2, Id 9.jpg: none of the 3 given images"),
    "two images": ("isic", "Id,task_1,task_2\n1.jpg,0,0\n", "", "line 2, Id 1.jpg: ambiguous, a.1.jpg and b.1.jpg"),
    "one image for two": ("isic", "Id,task_1,task_2\nx/2.jpg,0,0\ny/2.jpg,0,0\n", "", "line 3, Id y/2.jpg.*Id x/2.jpg"),
    "twice": ("isic", "Id,task_1,task_2\n2.jpg,0,0\n2.jpg,0,0\n", "", "line 3: Id 2.jpg is already in line 2"),
    "empty": ("kaggle", "", "", "is not a sample file"),
    "columns of no class": ("kaggle", "id,a,b\n2.jpg,0,0\n", "", "not classes of the run"),
    "column too many": ("kaggle", "id,a\n2.jpg,0\n", "a=nevus,b=nevus", "has the columns id, a, but .* id, a, b"),
    "a quote that never ends": ("kaggle", 'id,a\n"2.jpg,0\n', "", "is not a CSV file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_said_before_anything_is_predicted(case: str, tmp_path: Path) -> None:
    form, text, columns, sentence = BROKEN[case]
    sample = None if text is None else write(tmp_path / "sample.csv", text)
    with pytest.raises(DataError, match=sentence):
        given = images("a/1.jpg", "b/1.jpg", "a/2.jpg")
        plan_submission(form, given, LESIONS, sample=sample, columns=parse_columns(columns))


@pytest.mark.parametrize("text", ["task_1", "=nevus", "task_1="])
def test_columns_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="write COLUMN=CLASS"):
        parse_columns(text)
