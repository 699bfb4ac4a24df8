import csv
import io
import re
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsin.data.read import read_dataset
from opsin.data.readers.table import read_table


@pytest.fixture
def folder(tmp_path, image_file):
    for number in range(8):
        image_file(tmp_path / "images" / f"{number}.png", value=number)
    return tmp_path


def write(folder, text, name="labels.csv", encoding="utf-8"):
    (folder / name).write_text(text, encoding=encoding, newline="")
    return folder / name


def rows(*labels, header="path,label"):
    return "\n".join([header, *(f"images/{number}.png,{label}" for number, label in enumerate(labels))]) + "\n"


def test_paths_and_labels(folder):
    dataset = read_dataset(write(folder, rows("dog", "cat", "dog", "cat", "dog", "cat")))
    assert dataset.name == "labels" and dataset.classes == ("cat", "dog")
    assert dataset.targets.values.tolist() == [1, 0, 1, 0, 1, 0]
    assert dataset.split is None and dataset.groups is None and dataset.notes == ()
    assert dataset.images.name(3) == "images/3.png" and dataset.images.read(3).max() == 3


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_dialects(folder, delimiter, encoding, newline):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline)
    lines = [["Path", 'label, or "class"'], ["images/0.png", "Bär, groß"], ["images/1.png", "cat"], [], ["", ""]]
    writer.writerows(lines)
    dataset = read_table(write(folder, text.getvalue(), encoding=encoding), label='label, or "class"')
    assert dataset.classes == ("Bär, groß", "cat") and len(dataset) == 2


def test_commas_inside_values_do_not_mislead(folder):
    dataset = read_table(write(folder, "path;label, of 2, or 3\nimages/0.png;a, b\n"), label="label, of 2, or 3")
    assert dataset.classes == ("a, b",)


@pytest.mark.parametrize("name", ["path", "image", "file", "filename", "filepath", "FilePath", " image "])
def test_names_of_the_path_column(folder, name):
    assert len(read_table(write(folder, rows("a", "b", header=f"{name},label")))) == 2


def test_split_and_groups(folder):
    text = "label,patient,SPLIT,path\n" + "".join(
        f"c{number % 2},p{number // 2},{split},images/{number}.png\n"
        for number, split in enumerate(["train", "Train", "VAL", "valid", "validation", "test", "testing", "training"])
    )
    dataset = read_table(write(folder, text), group="patient")
    assert dataset.split.tolist() == ["train"] * 2 + ["validation"] * 3 + ["test"] * 2 + ["train"]
    assert dataset.groups.tolist() == ["p0", "p0", "p1", "p1", "p2", "p2", "p3", "p3"]


def test_group_column_is_used_where_it_is(folder):
    text = "path,label,group\nimages/0.png,a,x\nimages/1.png,b,y\n"
    assert read_table(write(folder, text)).groups.tolist() == ["x", "y"]
    assert read_table(write(folder, rows("a", "b"))).groups is None


def test_empty_split_column_is_none(folder):
    assert read_table(write(folder, "path,label,split\nimages/0.png,a,\nimages/1.png,b,\n")).split is None


def test_other_label_column(folder):
    text = "path,label,grade\nimages/0.png,a,10\nimages/1.png,a,9\n"
    assert read_table(write(folder, text), label="grade").classes == ("9", "10")


def test_absolute_backslash_and_parent_paths(folder):
    text = f"path,label\n{folder / 'images' / '0.png'},a\nimages\\1.png,b\n../{folder.name}/images/2.png,b\n"
    dataset = read_table(write(folder, text))
    assert [int(dataset.images.read(index).max()) for index in range(3)] == [0, 1, 2]
    assert dataset.images.name(0) == "images/0.png"


def test_other_working_folder(folder, monkeypatch):
    write(folder, rows("a", "b"))
    monkeypatch.chdir(folder)
    dataset = read_table((folder / "labels.csv").relative_to(folder))
    monkeypatch.chdir(folder.parent)
    assert dataset.images.name(1) == "images/1.png" and dataset.images.read(1).max() == 1


words = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).map(str.strip).filter(bool)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=st.lists(words, min_size=1, max_size=8), groups=st.lists(words, min_size=8, max_size=8))
def test_round_trip_of_any_words(folder, labels, groups):
    with (folder / "any.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group"])
        writer.writerows([f"images/{number}.png", label, groups[number]] for number, label in enumerate(labels))
    dataset = read_table(folder / "any.csv", task="classification")
    assert [dataset.classes[label] for label in dataset.targets.values] == labels
    assert dataset.groups.tolist() == groups[: len(labels)]
    assert set(dataset.classes) == set(labels)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=string.ascii_letters[:4] + '",;\t\n\r path,label\0é', max_size=60))
def test_any_text_is_read_or_refused_in_a_sentence(folder, refusal, text):
    refusal(read_table, write(folder, text, name="noise.csv"))


# What is refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("path,label\n", "has no rows below its header"),
        (rows("a", "", "b", ""), ", line 3: the column 'label' is empty (and in 1 further row)"),
        ("path,label\nimages/0.png,a\n,b\n", ", line 3: the column 'path' is empty"),
        (rows("a", "b", header="picture,label"), "has no column of image files (path, image, file, filename or"),
        (
            rows("a", "b", header="path,lable"),
            "has no column 'label' (did you mean 'lable'?); its columns are path, la",
        ),
        ("path,label\nimages/0.png,a\nimages/1.png\n", ", line 3: 1 values, but the header has 2"),
        ("path,label,label\nimages/0.png,a,a\n", "has two columns named 'label'"),
        ("path,label\nimages/0.png,a\n\nimages/0.png,b\n", ", lines 2 and 4: both list images/0.png"),
        ("path,label\nimages/0.png,a\nimages/./0.png,b\n", ", lines 2 and 3: both list"),
        ("path,label,split\nimages/0.png,a,train\nimages/1.png,b,dev\n", ", line 3: the split 'dev' is unknown"),
        ("path,label,split\nimages/0.png,a,train\nimages/1.png,b,\n", ", line 3: the column 'split' is empty"),
        ("path,label,group\nimages/0.png,a,x\nimages/1.png,b,\n", ", line 3: the column 'group' is empty"),
        ('path,label\nimages/0.png,"a\n', ", line 2: unexpected end of data; check the quotation marks"),
        ("path,label\0\n", "is not a text file"),
    ],
)
def test_faulty_tables(folder, refusal, text, expected):
    sentence = refusal(read_table, write(folder, text))
    assert sentence.startswith(f"{folder / 'labels.csv'}{'' if expected[0] == ',' else ' '}{expected}")


def test_line_numbers_count_lines_inside_quotation_marks(folder, refusal):
    text = 'path,label\nimages/0.png,"two\nlines"\nimages/1.png,\n'
    assert ", line 4: the column 'label' is empty" in refusal(read_table, write(folder, text))


def test_missing_files(folder, refusal):
    text = "path,label\nimages/0.png,a\nimages/O1.png,b\nimages/x.png,b\nelsewhere/y.png,b\n"
    sentence = refusal(read_table, write(folder, text))
    assert f", line 3: the file {folder / 'images' / 'O1.png'} does not exist (did you mean '1.png'" in sentence
    assert "(and in 2 further rows)" in sentence


def test_missing_suffix(folder, refusal):
    sentence = refusal(read_table, write(folder, "path,label\nimages/0,a\n"))
    assert sentence.endswith(
        "does not exist (did you mean '0.png'?); paths are relative to the folder of the CSV file."
    )


def test_broken_links_are_left_for_decoding(folder):
    try:
        (folder / "images" / "broken.png").symlink_to(folder / "gone.png")
    except OSError:
        pytest.skip("this system does not let this user make links")
    assert len(read_table(write(folder, "path,label\nimages/broken.png,a\n"))) == 1


def test_unknown_group_column(folder, refusal):
    text = "path,label,patient_id\nimages/0.png,a,x\n"
    sentence = refusal(read_table, write(folder, text), group="patient")
    assert "no column 'patient' (did you mean 'patient_id'?)" in sentence


def test_other_encodings(folder, refusal):
    sentence = refusal(read_table, write(folder, "path,label\nimages/0.png,Bär\n", encoding="latin-1"))
    assert re.search(r"is not UTF-8 text \(invalid byte at position 2[45]\)", sentence)
    assert "is not UTF-8 text" in refusal(read_table, write(folder, rows("a"), encoding="utf-16"))


def test_class_counts_are_checked(folder, refusal):
    path = write(folder, rows("a", "a", "a", "b"))
    assert "the class 'b' has 1 image" in refusal(read_dataset, path)
    assert "has only one class" in refusal(read_dataset, write(folder, rows("a", "a", "a")))


def test_names_of_images_as_labels(folder, image_file, refusal):
    for number in range(12):
        image_file(folder / "images" / f"{number}.png")
    sentence = refusal(read_dataset, write(folder, rows(*(f"image {number}" for number in range(12)))))
    assert "check that the labels are classes rather than numbers" in sentence
