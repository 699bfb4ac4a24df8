from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from opsin.data.read import read_dataset
from opsin.data.readers.labels import infer_number_task, read_labels
from opsin.errors import DataError


def read(values, name="label", task=None):
    return read_labels([str(value) for value in values], range(2, 2 + len(values)), "scans.csv", name, task)


def test_names_are_classes():
    found = read(["cat", "dog", "cat"])
    assert (found.task, found.classes, found.values.tolist(), found.note) == (
        "classification",
        ("cat", "dog"),
        [0, 1, 0],
        "",
    )


def test_many_fractions_are_values():
    found = read([1.5, 2.25, 3, *np.arange(10) / 3], "age")
    assert (found.task, found.classes) == ("regression", ("age",))
    assert found.values[:3].tolist() == [1.5, 2.25, 3.0] and "--task classification" in found.note


@pytest.mark.parametrize(
    "values, name, task, told",
    [
        (np.arange(10).repeat(5), "label", "classification", False),
        (np.arange(10).repeat(5), "count", "classification", True),
        (np.arange(100).repeat(5), "label", "classification", True),  # numbers of classes without a gap
        (np.arange(100), "label", "regression", True),  # each once
        (np.arange(18, 90).repeat(5), "age", "regression", True),
        (np.array([0.5, 1, 1.5]).repeat(9), "label", "classification", True),
    ],
)
def test_numbers_are_classes_or_values_and_doubt_is_told(values, name, task, told):
    found, note = infer_number_task(values.astype(float), name)
    assert found == task and bool(note) == told
    assert not told or "--task" in note


def test_the_task_can_be_given():
    found = read([3, 1, 2], "count", "regression")
    assert found.values.tolist() == [3, 1, 2] and found.values.dtype == np.float64 and not found.note
    assert read([0.25, 0.75] * 20, "grade", "classification").classes == ("0.25", "0.75")


def test_what_is_no_number_is_named_with_its_line():
    with pytest.raises(DataError, match=r"scans.csv, line 3: 'old' in the column 'age' is not a number"):
        read([31, "old", "n/a"], "age", "regression")


@pytest.mark.parametrize("slip", ["big", "inf", "3,5", "nan"])
def test_a_slip_among_many_amounts_is_no_class(slip):
    cells = [number / 7 for number in range(40)]
    with pytest.raises(DataError, match=f"line 9: '{slip}' in the column 'age' is not a number.*--task classification"):
        read([*cells[:7], slip, *cells[8:]], "age")
    assert read([*cells[:7], *[slip] * 3, *cells[10:]], "age").task == "classification"


@pytest.fixture
def table(tmp_path):
    generator = np.random.default_rng(0)
    for number in range(30):
        Image.fromarray(generator.integers(0, 255, (4, 4), np.uint8)).save(tmp_path / f"{number}.png")
    rows = [f"{number}.png,{number / 7:.3f},p{number // 3}" for number in range(30)]
    path = tmp_path / "faces.csv"
    path.write_text("path,age,group\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_column_of_numbers_makes_a_regression(table):
    dataset = read_dataset(table, label="age")
    assert (dataset.task, dataset.classes) == ("regression", ("age",))
    assert dataset.targets.values[7] == 1.0 and dataset.groups[4] == "p1" and "'age' contains" in dataset.notes[0]


def test_arrays_of_numbers_make_a_regression(tmp_path):
    images = np.zeros((40, 4, 4), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.linspace(0, 1, 40))
    found = read_dataset(tmp_path / "a.npz")
    assert found.task == "regression" and found.targets.values[-1] == 1.0
    np.savez(tmp_path / "b.npz", images=images, labels=np.arange(40) % 4, age=np.arange(40.0))
    assert read_dataset(tmp_path / "b.npz").task == "classification"
    assert read_dataset(tmp_path / "b.npz", label="age", task="regression").classes == ("age",)
    np.savez(tmp_path / "c.npz", images=images, labels=np.full(40, np.nan))
    with pytest.raises(DataError, match="must be finite"):
        read_dataset(tmp_path / "c.npz")


def test_folders_hold_classes_only(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("L", (4, 4), number).save(tmp_path / name / f"{number}.png")
    with pytest.raises(DataError, match="is labeled for classification and cannot be used for regression"):
        read_dataset(tmp_path, task="regression")


def many(tmp_path, text, files=24):
    for number in range(files):
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(tmp_path / f"{number}.png")
    path = tmp_path / "pets.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_cells_with_semicolons_are_several_labels(tmp_path):
    cells = ["cat;dog", "", "dog ; owl", "cat", "owl", "dog"] * 4
    path = many(tmp_path, "path,label\n" + "\n".join(f"{row}.png,{cell}" for row, cell in enumerate(cells)))
    dataset = read_dataset(path)
    assert (dataset.task, dataset.classes) == ("multilabel", ("cat", "dog", "owl"))
    assert dataset.targets.values[:3].tolist() == [[True, True, False], [False, False, False], [False, True, True]]
    assert dataset.text(2) == "dog;owl" and dataset.describe() == "3 labels, 1.2 per image"
    semicolons = many(
        tmp_path, 'path;label\n0.png;"a;b"\n1.png;a\n2.png;b\n3.png;a\n4.png;b\n5.png;c\n6.png;c\n7.png;c\n'
    )
    assert read_dataset(semicolons).classes == ("a", "b", "c")


def test_a_column_for_each_label(tmp_path):
    rows = [f"{row}.png,{row % 2},{int(row % 3 == 0)},{row}" for row in range(24)]
    path = many(tmp_path, "path,cat,dog,weight\n" + "\n".join(rows))
    found = read_dataset(path)
    assert (found.task, found.classes) == (
        "multilabel",
        ("cat", "dog"),
    ) and "cat, dog contain only 0 and 1" in found.notes[0]
    named = read_dataset(path, label="dog, cat")
    assert named.classes == ("dog", "cat") and not named.notes
    np.testing.assert_array_equal(named.targets.values[:, ::-1], found.targets.values)
    with pytest.raises(DataError, match="line 4: '2' in the column 'weight' is neither 0 nor 1"):
        read_dataset(path, label="cat,weight")
    with pytest.raises(DataError, match="no column 'label'"):
        read_dataset(path, task="regression")


def test_a_slip_in_a_column_of_a_label_is_told_and_the_column_not_left_out(tmp_path):
    rows = [[f"{row}.png", str(row % 2), str(int(row % 3 == 0)), "01012"[row % 5]] for row in range(24)]
    rows[4][2] = "2"
    path = many(tmp_path, "path,cat,dog,age\n" + "\n".join(map(",".join, rows)))
    with pytest.raises(DataError, match="line 6: '2' in the column 'dog' is neither 0 nor 1"):
        read_dataset(path)
    rows[4][2] = ""
    path = many(tmp_path, "path,cat,dog,age\n" + "\n".join(map(",".join, rows)))
    assert read_dataset(path).classes == ("cat", "dog")


def test_columns_of_which_each_image_has_one_are_classes(tmp_path):
    rows = [f"{row}.png,{int(row % 3 == 0)},{int(row % 3 == 1)},{int(row % 3 == 2)}" for row in range(24)]
    path = many(tmp_path, "image,MEL,NV,BCC\n" + "\n".join(rows))
    for label in ("label", "MEL,NV,BCC"):
        found = read_dataset(path, label=label)
        assert (found.task, found.classes) == ("classification", ("MEL", "NV", "BCC"))
        assert found.targets.values.tolist() == [row % 3 for row in range(24)] and "--task multilabel" in found.notes[0]
    assert read_dataset(path, task="multilabel").targets.values.shape == (24, 3)


def test_rows_of_zeros_and_ones_are_several_labels(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (24, 4, 4), dtype=np.uint8)
    labels = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0], [1, 1, 0]]).repeat(6, axis=0)
    np.savez(tmp_path / "a.npz", images=images, labels=labels, classes=np.array(["cat", "dog", "owl"]))
    assert read_dataset(tmp_path / "a.npz").classes == ("cat", "dog", "owl")
    np.savez(tmp_path / "b.npz", images=images, labels=np.eye(3, dtype=int).repeat(8, axis=0))
    with pytest.raises(DataError, match="or give --task multilabel"):
        read_dataset(tmp_path / "b.npz")
    assert read_dataset(tmp_path / "b.npz", task="multilabel").classes == ("label 0", "label 1", "label 2")
    np.savez(tmp_path / "c.npz", images=images, labels=labels + 1)
    with pytest.raises(DataError, match="each value must be 0 or 1"):
        read_dataset(tmp_path / "c.npz")
