import csv
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import recall_score, roc_auc_score

import opsin
from opsin.competitions.isic_scores import PUBLISHED, IsicScores
from opsin.errors import DataError

HEADER = ("Id", "task_1", "task_2")
FOLDERS = ("melanoma", "seborrheic_keratosis", "nevus")
LIMIT = 500_000  # bytes of a page


def write(path: Path, rows: list[list[object]], header: tuple[str, ...] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([list(header), *rows])
    return path


def rows_of(values: np.ndarray, lesions: np.ndarray) -> list[list[object]]:
    """Rows whose Ids look like those of the challenge."""
    return [
        [f"data/test/{FOLDERS[lesion]}/ISIC_{number:07}.jpg", *values[number].tolist()]
        for number, lesion in enumerate(lesions)
    ]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    """Predictions like those published with the challenge's files (nearly all 0, so full of ties), and a truth."""
    random = np.random.default_rng(5)
    lesions = np.repeat([0, 1, 2], [30, 25, 95])
    truth = np.column_stack([lesions == 0, lesions == 1]).astype(float)
    values = np.where(random.random((150, 2)) < 0.7, 0.0, np.round(random.random((150, 2)) * (0.4 + truth) / 2, 2))
    predictions = write(tmp_path / "predictions.csv", rows_of(values, lesions))
    return predictions, write(tmp_path / "truth.csv", rows_of(truth.astype(int), lesions)), values, truth


def test_scores_equal_scikit_learn_with_ties(files) -> None:
    predictions, truth, values, labels = files
    scores = opsin.score_isic(predictions, truth)
    areas = [roc_auc_score(labels[:, task], values[:, task]) for task in (0, 1)]
    expected = [*areas, np.mean(areas)]
    assert [category.score.value for category in scores.categories] == pytest.approx(expected, abs=1e-12)
    for category in scores.categories:
        assert category.score.low < category.score.value < category.score.high


def test_rows_are_matched_by_id(files) -> None:
    predictions, truth, _, _ = files
    straight = opsin.score_isic(predictions, truth)
    lines = predictions.read_text(encoding="utf-8").splitlines()
    shuffled = [lines[0], *np.random.default_rng(0).permutation(lines[1:])]
    predictions.write_text("\n".join(shuffled), encoding="utf-8")
    with pytest.raises(DataError, match=r"line \d+, Id .* in this place.*--any-order"):
        opsin.score_isic(predictions, truth)
    assert opsin.score_isic(predictions, truth, any_order=True).to_dict() == straight.to_dict()


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.25, 1.0])
def test_calls_of_melanoma_are_those_at_or_above_the_threshold(files, threshold: float) -> None:
    predictions, truth, values, labels = files
    scores = opsin.score_isic(predictions, truth, threshold=threshold)
    called = values[:, 0] >= threshold
    assert scores.rates()["sensitivity"].value == pytest.approx(recall_score(labels[:, 0], called))
    assert scores.rates()["specificity"].value == pytest.approx(recall_score(labels[:, 0], called, pos_label=0))
    hits = int((called & (labels[:, 0] == 1)).sum())
    alarms = int(called.sum()) - hits
    assert scores.confusion().tolist() == [[hits, 30 - hits], [alarms, 120 - alarms]]
    text = " ".join(scores.sentences)
    assert f"{hits} of 30 melanomas were found" in text and f"False positives (type I errors): {alarms} " in text
    assert f"False negatives (type II errors): {30 - hits} " in text
    assert ("the precision is undefined" in text) == (not called.any())


def test_places_count_the_published_scores_that_are_better(files) -> None:
    assert {len(published) for published in PUBLISHED} == {23}
    assert all(list(published) == sorted(published, reverse=True) for published in PUBLISHED)
    for category, published in zip(opsin.score_isic(*files[:2]).categories, PUBLISHED, strict=True):
        assert category.place == 1 + sum(score > round(category.score.value, 3) for score in published)


def test_perfect_predictions_take_the_first_place(files) -> None:
    _, truth, _, _ = files
    scores = opsin.score_isic(truth, truth)
    assert [(category.score.value, category.score.high, category.place) for category in scores.categories] == [
        (1.0, 1.0, 1)
    ] * 3
    assert all(0.8 < category.score.low < 1 for category in scores.categories)


def replaced(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, count)


ID = "data/test/melanoma/ISIC_0000003.jpg"
BROKEN = {
    "header": (replaced("Id,task_1", "id,task_1"), r"line 1: the header must be Id,task_1,task_2, not 'id,task_1"),
    "empty file": (lambda text: "", r"line 1: the header must be"),
    "no rows": (lambda text: "Id,task_1,task_2\n", "holds no rows"),
    "too few rows": (lambda text: text.rsplit("\n", 3)[0], r"no row for Id .*, line 150 .*148 rows instead of 150"),
    "too many rows": (lambda text: text + "extra.jpg,0,0\n", r"line 152, Id extra.jpg: .*has no such Id.*151 rows"),
    "unknown Id": (replaced(ID, "other.jpg"), r"line 5, Id other.jpg: .*truth.csv has no such Id"),
    "twice": (replaced(ID, ID.replace("3.", "2.")), r"line 5: Id .*ISIC_0000002.jpg is already in line 4"),
    "empty Id": (replaced(ID, ""), "line 5: the Id is empty"),
    "no number": (lambda text: re.sub(rf"{ID},[^,]*,", f"{ID},high,", text), rf"line 5, Id {ID}: task_1 is 'high'"),
    "empty number": (lambda text: re.sub(rf"{ID},[^,]*,", f"{ID},,", text), rf"line 5, Id {ID}: task_1 is ''"),
    "above 1": (lambda text: re.sub(rf"({ID},[^,]*),[^,\r\n]*", r"\1,1.5", text), rf"line 5, Id {ID}: task_2 is 1.5;"),
    "below 0": (lambda text: re.sub(rf"{ID},[^,]*,", f"{ID},-0.1,", text), rf"line 5, Id {ID}: task_1 is -0.1;"),
    "nan": (lambda text: re.sub(rf"{ID},[^,]*,", f"{ID},nan,", text), rf"line 5, Id {ID}: task_1 is nan;"),
    "columns": (lambda text: re.sub(rf"{ID},[^,]*,", f"{ID},", text), r"line 5: expected 3 values .*found 2"),
    "a quote that never ends": (replaced(ID, f'"{ID}'), "is not a CSV file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named_with_its_row(files, case: str) -> None:
    predictions, truth, _, _ = files
    spoil, sentence = BROKEN[case]
    with predictions.open(newline="", encoding="utf-8") as file:
        text = file.read()
    predictions.write_text(spoil(text), encoding="utf-8", newline="")
    with pytest.raises(DataError, match=sentence) as error:
        opsin.score_isic(predictions, truth)
    assert str(predictions) in str(error.value) and "\n" not in str(error.value)


def test_a_truth_that_cannot_be_one_is_refused(files, tmp_path: Path) -> None:
    predictions, truth, _, _ = files
    with pytest.raises(DataError, match="line 2.*must be 0 or 1|must be 0 or 1.*Predictions come first"):
        opsin.score_isic(truth, predictions)
    both = write(tmp_path / "both.csv", [["a", 1, 1], ["b", 0, 0]])
    with pytest.raises(DataError, match="line 2, Id a: a lesion cannot be both"):
        opsin.score_isic(both, both)
    none = write(tmp_path / "none.csv", [["a", 1, 0], ["b", 0, 0]])
    with pytest.raises(DataError, match="column task_2 is the same in all 2 rows"):
        opsin.score_isic(none, none)
    with pytest.raises(DataError, match="missing.csv cannot be read"):
        opsin.score_isic(tmp_path / "missing.csv", truth)
    with pytest.raises(DataError, match="threshold is a probability"):
        opsin.score_isic(predictions, truth, threshold=1.5)


def test_files_as_spreadsheets_save_them_are_read(files, tmp_path: Path) -> None:
    predictions, truth, _, _ = files
    text = predictions.read_text(encoding="utf-8")
    saved = tmp_path / "saved.csv"
    saved.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert opsin.score_isic(saved, truth).to_dict() == opsin.score_isic(predictions, truth).to_dict()


def test_the_page_holds_everything_and_loads_nothing(files, tmp_path: Path) -> None:
    scores: IsicScores = opsin.score_isic(*files[:2], threshold=0.15)
    page = opsin.report(scores, tmp_path / "isic.html").read_text(encoding="utf-8")
    assert len(page) < LIMIT
    assert page.count("<svg") == 6 and "<script" not in page
    assert re.findall(r'(?:src|href)="(?!#)([^"]*)', page) == []
    for sentence in scores.sentences:
        assert sentence in page
    for category in scores.categories:
        assert f"{category.score.value:.3f}" in page
    assert page == opsin.report(scores, tmp_path / "again.html").read_text(encoding="utf-8")


@pytest.mark.skipif("OPSIN_DATA" not in os.environ, reason="OPSIN_DATA is not set")
def test_the_published_sample_scores_what_it_is_known_to_score() -> None:
    folder = Path(os.environ["OPSIN_DATA"]) / "isic2017"
    if not folder.exists():
        pytest.skip("OPSIN_DATA has no isic2017")
    scores = opsin.score_isic(folder / "sample_predictions.csv", folder / "ground_truth.csv")
    assert [round(category.score.value, 5) for category in scores.categories] == [0.52599, 0.60611, 0.56605]
    assert scores.confusion().tolist() == [[0, 117], [0, 483]]
