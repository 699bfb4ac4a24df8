from __future__ import annotations

import re

import numpy as np
import pytest

from opsin.data.dataset import Dataset
from opsin.data.splitting.from_recipe import apply_split_settings, groups_from_names
from opsin.data.targets import ClassTargets
from opsin.errors import DataError, RecipeError
from opsin.recipe.schema import SplitRecipe

NAMES = [f"{kind}/patient_{number % 4}/image_{number}.png" for number, kind in enumerate(["sick", "well"] * 8)]


class NamedImages:
    """Images of which only the names matter."""

    def __init__(self, names):
        self.names = names

    def __len__(self):
        return len(self.names)

    def name(self, index):
        return self.names[index]


def scans(**fields):
    return Dataset("scans", ("sick", "well"), NamedImages(NAMES), ClassTargets(np.arange(16) % 2), **fields)


@pytest.mark.parametrize(
    ("how", "groups"),
    [
        (r"patient_(\d+)", ["0", "1"]),
        (r"patient_\d+", ["patient_0", "patient_1"]),
        (r"(sick|well)/patient_(\d+)", ["sick 0", "well 1"]),
        (r"(?:sick|well)/patient_(\d+)/(x)?", ["0", "1"]),
        ("folder:1", ["sick", "well"]),
        ("folder:2", ["patient_0", "patient_1"]),
        ("folder:-1", ["patient_0", "patient_1"]),
    ],
)
def test_groups_are_found_in_names(how, groups):
    assert groups_from_names(NAMES[:2], how).tolist() == groups
    assert apply_split_settings(scans(), SplitRecipe(group_by=how)).groups[:2].tolist() == groups


def test_the_folders_of_an_absolute_name_are_counted_from_its_top():
    assert groups_from_names(["/disk/patient 1/a.png"], "folder:2").tolist() == ["patient 1"]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (r"image_(1\d)", "10 images have no match for it in the name, for example 'sick/patient_0/image_0.png'"),
        (r"image_(?!15)\d+", "1 image has no match for it in the name, for example 'well/patient_3/image_15.png'"),
        ("folder:3", "16 images have no folder 3 in the name"),
        ("folder:0", "16 images have no folder 0 in the name"),
        ("folder:-3", "16 images have no folder -3 in the name"),
        (r"image_\d+(x)?", "16 images have no match for it"),  # brackets that match nothing are no group
    ],
)
def test_names_without_a_group_are_counted_with_an_example(how, sentence):
    with pytest.raises(DataError, match=re.escape(sentence)):
        groups_from_names(NAMES, how)


def test_a_pattern_that_is_none_is_explained():
    with pytest.raises(RecipeError, match=r"is not a valid regular expression \(missing \)"):
        groups_from_names(NAMES, "patient_(")


def test_groups_from_names_take_the_place_of_a_column_with_a_note():
    dataset = apply_split_settings(scans(groups=np.array(["only"] * 16)), SplitRecipe(group_by="folder:2"))
    assert set(dataset.groups) == {f"patient_{number}" for number in range(4)}
    assert "not from the data" in dataset.notes[0]


GIVEN = np.array(["train"] * 12 + ["test"] * 4)


def test_the_given_split_is_kept_unless_the_recipe_asks_for_another():
    assert apply_split_settings(scans(split=GIVEN), SplitRecipe()).split is GIVEN
    assert apply_split_settings(scans(split=GIVEN), SplitRecipe()).notes == ()
    for recipe in (SplitRecipe(given=False), SplitRecipe(folds=5)):
        dataset = apply_split_settings(scans(split=GIVEN), recipe)
        assert dataset.split is None
        assert "is not used" in dataset.notes[0]
    assert apply_split_settings(scans(), SplitRecipe(folds=5)).notes == ()


def test_groups_that_are_left_out_are_the_test_split_and_nothing_else_is():
    dataset = apply_split_settings(
        scans(split=GIVEN), SplitRecipe(group_by="folder:2", test_groups=("patient_1", "patient_3"))
    )
    tested = np.isin(dataset.groups, ["patient_1", "patient_3"])
    assert (dataset.split[tested] == "test").all() and (dataset.split[~tested] == "train").all()
    numbered = scans(groups=np.arange(16) % 4)
    assert (apply_split_settings(numbered, SplitRecipe(test_groups=("3",))).split == "test").sum() == 4


def test_groups_to_leave_out_must_be_there():
    with pytest.raises(RecipeError, match=r"no group 'patient_9' \(did you mean .*its 4 groups are patient_0, "):
        apply_split_settings(scans(), SplitRecipe(group_by="folder:2", test_groups=("patient_1", "patient_9")))
    with pytest.raises(RecipeError, match="has no groups; define them with --group"):
        apply_split_settings(scans(), SplitRecipe(test_groups=("patient_1",)))


def write_split(path, rows, header="image,class,split"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


WORDS = ["train"] * 8 + ["Valid"] * 4 + ["testing"] * 3 + ["unused"]
ROWS = [f"{name},x,{word}" for name, word in zip(NAMES, WORDS, strict=True)]


def test_a_split_file_says_where_each_image_goes_in_any_order(tmp_path):
    file = write_split(tmp_path / "split.csv", ROWS[::-1])
    for where in (file, str(tmp_path)):
        split = apply_split_settings(scans(split=GIVEN), SplitRecipe(file=where)).split
        assert split.tolist() == ["train"] * 8 + ["validation"] * 4 + ["test"] * 3 + ["unused"]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (ROWS[1:], "lacks 1 image of scans, for example 'sick/patient_0/image_0.png'"),
        (ROWS[2:], "lacks 2 images of scans, for example"),
        ([*ROWS, "sick/patient_0/image_00.png,x,train"], "lists 1 image that scans does not contain, for example"),
        ([*ROWS, "a,x,train", "b,x,test"], "lists 2 images that scans does not contain, for example 'a'"),
        ([*ROWS, ROWS[3]], "lists the image well/patient_3/image_3.png twice"),
        ([*ROWS[:-1], ROWS[-1].replace("unused", "tset")], "line 17: the split 'tset' is unknown"),
        ([*ROWS[:-1], ROWS[-1].replace("unused", "")], "line 17: the column 'split' is empty"),
    ],
)
def test_a_split_file_that_does_not_fit_is_explained(tmp_path, rows, sentence):
    file = write_split(tmp_path / "mine.csv", rows)
    with pytest.raises(DataError, match=re.escape(sentence)):
        apply_split_settings(scans(), SplitRecipe(file=file))


def test_a_split_file_needs_its_columns(tmp_path):
    with pytest.raises(DataError, match="has no column 'split'"):
        apply_split_settings(scans(), SplitRecipe(file=write_split(tmp_path / "a.csv", ["a,b"], "image,class")))
    with pytest.raises(DataError, match="has no column of image files"):
        apply_split_settings(scans(), SplitRecipe(file=write_split(tmp_path / "b.csv", ["a,b"], "name,split")))
    with pytest.raises(DataError, match=r"none\.csv cannot be read: No such file"):
        apply_split_settings(scans(), SplitRecipe(file=str(tmp_path / "none.csv")))


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"folds": 5, "test_groups": ("a",)}, "Give either split.test_groups or split.folds"),
        ({"folds": 5, "file": "a.csv"}, "Give either split.file or split.folds"),
        ({"folds": 1}, "split.folds must be 0 (no folds) or at least 2"),
        ({"folds": 3, "fold": 3}, "There is no fold 3; the folds are 0 to 2"),
        ({"fold": 1}, "There is no fold 1; set the number of folds with split.folds"),
    ],
)
def test_contradictions_are_refused(keys, sentence):
    with pytest.raises(RecipeError, match=re.escape(sentence)):
        apply_split_settings(scans(), SplitRecipe(**keys))
