import numpy as np
import pytest

from opsin.errors import DataError
from opsin.evaluation.reader_study import read_readers
from opsin.statistics.bootstrap import wilson

NAMES = ["a/one.png", "a/two.png", "b/two.png", "b/three.png", "b/four.png"]
LABELS = np.array([1, 1, 0, 0, 0])
CLASSES = ["benign", "malignant"]


@pytest.fixture
def read(tmp_path):
    def read(text, classes=CLASSES, positive="malignant", groups=None):
        path = tmp_path / "readers.csv"
        path.write_text(text, encoding="utf-8")
        return read_readers(path, NAMES, LABELS, classes, positive, groups)

    return read


def test_points_are_taken_as_given(read):
    first, second = read("Reader;Sensitivity;Specificity\nDr. A;0.8;0.95\nDr. B;1;0\n")
    assert (first.name, first.label, first.sensitivity.value, first.specificity.value) == ("Dr. A", 1, 0.8, 0.95)
    assert np.isnan(first.sensitivity.low) and second.specificity.value == 0


def test_calls_are_counted_on_the_images_that_were_read(read):
    text = "reader,image,call\nA,one,malignant\nA,a/two.png,benign\nA,three.png,benign\nB,b/two.png,malignant\n"
    first, second = read(text)
    assert (first.name, first.sensitivity, first.specificity) == ("A", wilson(1, 2), wilson(1, 1))
    assert second.specificity == wilson(0, 1) and np.isnan(second.sensitivity.value)
    benign = read(text, positive="benign")[0]
    assert (benign.label, benign.sensitivity, benign.specificity) == (0, wilson(1, 1), wilson(1, 2))


def test_of_many_classes_each_is_looked_for(read):
    readers = read("reader,image,call\nA,one,malignant\nA,three,other\n", [*CLASSES, "other"], None)
    assert [(reader.label, reader.sensitivity.value) for reader in readers[:2]] == [(0, 0), (1, 1)]
    assert [reader.specificity for reader in readers] == [wilson(1, 1), wilson(1, 1), wilson(1, 2)]
    (point,) = read("reader,class,sensitivity,specificity\nA,benign,0.5,0.5\n", positive=None)
    assert point.label == 0


def test_calls_on_images_of_groups_have_intervals_of_groups(read):
    text = "reader,image,call\n" + "".join(f"A,{name},benign\n" for name in NAMES)
    (reader,) = read(text, groups=np.array(["p", "p", "q", "q", "r"]))
    assert "2 groups: indicative" in reader.specificity.method


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reader,sensitivity\nA,1\n", "has no column 'specificity'"),
        ("reader,sensitivity,specificity\nA,1.2,0\n,1,1\nC,x,1\n", "line 2 has '1.2' instead of a number from 0 to 1"),
        ("reader,sensitivity,specificity\nA,1.2,0\n,1,1\nC,x,1\n", "line 3 names no reader, line 4 has 'x'"),
        ("reader,sensitivity,specificity\nA,nan,0\n", "line 2 has 'nan'"),
        ("reader,sensitivity,specificity,class\nA,1,0,malign\n", "line 2 is about 'malign'"),
        ("reader,image,call\nA,one,bengin\n", "line 2 calls 'one' 'bengin', which is not a class"),
        ("reader,image,call\nA,two,benign\n", "line 2 is about 'two', which is not the name of exactly one test image"),
        ("reader,image,call\nA,five,benign\n", "not the name of exactly one test image"),
        ("reader,image,call\nA,one,benign\nA,one.png,benign\n", "line 3 has a second call of 'A'"),
        ("reader,image,call\n" + "A,five,benign\n" * 9, "and 4 more; correct or remove these rows"),
        ("", "is empty"),
    ],
)
def test_wrong_rows_are_named_in_one_sentence(read, text, said):
    with pytest.raises(DataError) as caught:
        read(text)
    assert said in str(caught.value) and "\n" not in str(caught.value)
