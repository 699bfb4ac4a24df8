import json
import lzma
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from opsin.cli import app
from opsin.errors import DataError
from opsin.lessons import sources
from opsin.lessons.digits import teach_digits, train_digits
from opsin.lessons.perceptron import teach_perceptron
from opsin.lessons.sentiment import teach_sentiment

ROW = {"Miles_per_Gallon": 20, "Cylinders": 4, "Displacement": 100, "Horsepower": 90, "Weight_in_lbs": 2000}
ROW |= {"Acceleration": 15, "Year": "1975-01-01", "Origin": "Japan"}


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No data root and no cache: only what comes with packages is here."""
    monkeypatch.delenv("OPSIN_DATA", raising=False)
    monkeypatch.setattr("opsin.storage.cache.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.chdir(tmp_path)


def make_cars(path, number=60):
    generator = np.random.default_rng(0)
    rows = []
    for _ in range(number):
        weight = generator.uniform(1800, 4500)
        new = {"Weight_in_lbs": weight, "Horsepower": weight / 30 + generator.normal(), "Year": "1976-01-01"}
        new |= {"Displacement": generator.uniform(80, 400), "Acceleration": generator.uniform(9, 20)}
        new |= {"Miles_per_Gallon": generator.uniform(10, 40), "Cylinders": int(generator.choice([4, 6, 8]))}
        rows.append(ROW | new | {"Origin": str(generator.choice(["USA", "Europe", "Japan"]))})
    rows[0]["Horsepower"] = None
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def make_reviews(folder, number=400):
    folder.mkdir()
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, number)
    noise = [f"n{k}" for k in range(40)] + ["excellent", "terrible"]
    texts = [
        " ".join([*generator.choice(noise[:40], 12), *(["excellent", "fine"] if label else ["terrible", "poor"])])
        for label in labels
    ]
    with lzma.open(folder / "reviews.txt.xz", "wt", encoding="utf-8") as file:
        file.write("\n".join(texts) + "\n")
    words = np.where(labels == 1, "POSITIVE", "negative")
    (folder / "labels.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return folder


def teach(*arguments):
    return CliRunner().invoke(app, ["lesson", *map(str, arguments)], prog_name="opsin", catch_exceptions=False)


def check_page(path):
    page = path.read_text(encoding="utf-8")
    assert "<svg" in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert page.count("<section") == page.count("</section>") > 2
    return page


def test_the_lesson_on_perceptrons(tmp_path):
    result = teach("perceptron", "--out", tmp_path / "p.html")
    assert result.exit_code == 0
    assert "0.88" in result.output
    assert "0 of 100 points" in result.output
    assert "Four gates" in check_page(tmp_path / "p.html")


def test_clouds_that_overlap_are_told_of():
    lesson = teach_perceptron(points=40, seed=2)
    text = " ".join(line for line in lesson.lines() if isinstance(line, str))
    assert "the first without mistakes" in text


def test_the_lesson_on_regression(tmp_path):
    result = teach("regression", "--data", make_cars(tmp_path / "cars.json"), "--out", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    assert "1 of 60 cars lack a value" in result.output
    assert "weight" in check_page(tmp_path / "r.html")


def test_the_lesson_on_digits(tmp_path, nowhere):
    result = teach("digits", "--epochs", "5", "--out", tmp_path / "d.html")
    assert result.exit_code == 0, result.output
    assert "64-100-10" in result.output
    assert check_page(tmp_path / "d.html").count("<image") == 30  # ten units, then twenty hidden ones


def test_a_hidden_layer_reads_more_digits(nowhere):
    chosen, tested, source = sources.find_digits()
    assert len(chosen.X) + len(chosen.new_X) == len(tested.X) + len(chosen.new_X) == 1437
    softmax, hidden = (train_digits(chosen, tested, units, epochs=60) for units in ((), (100,)))
    assert hidden.test.value > softmax.test.value > 0.9
    assert hidden.test.n == 360
    assert "1,437" in source
    lesson = teach_digits(chosen, tested, source, epochs=2)
    assert lesson.questions


def test_the_lesson_on_reviews(tmp_path):
    folder = make_reviews(tmp_path / "reviews")
    lesson = teach_sentiment(*sources.find_reviews(folder))
    text = " ".join(line for line in lesson.lines() if isinstance(line, str))
    assert "400 film reviews, the last 80 held out" in text
    table = next(table for part in lesson.parts for table in part.tables if table.columns[0] == "step")
    assert [row[0][0] for row in table.rows] == list("3456")
    assert float(table.rows[2][6].split("%")[0]) > 90  # of held-out reviews, in step 5
    assert "excellent" in lesson.write_page(tmp_path / "s.html").read_text(encoding="utf-8")
    check_page(tmp_path / "s.html")


def test_missing_data_are_asked_for_in_one_sentence(nowhere, monkeypatch):
    monkeypatch.setattr(sources, "_vega_cars", lambda: None)
    for lesson, words in (("regression", "pip install vega-datasets"), ("sentiment", "put reviews.txt and labels.txt")):
        result = teach(lesson)
        assert result.exit_code == 2
        assert words in result.output
        assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "labels", "words"),
    [
        ("a\nb\n", "positive\n", "2 reviews but 1 labels"),
        ("a\n", "so-so\n", "positive or negative, not 'so-so'"),
        (
            "a\nb\nc\n",
            "positive\nnegative\npositive\n",
            "2 positive and 1 negative reviews; the lesson needs at least 20",
        ),
        ("a\n" * 30, "positive\n" * 30, "30 positive and 0 negative reviews"),
    ],
)
def test_reviews_that_do_not_fit_their_labels(tmp_path, text, labels, words):
    (tmp_path / "reviews.txt").write_text(text, encoding="utf-8")
    (tmp_path / "labels.txt").write_text(labels, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        sources.find_reviews(tmp_path)


def test_reviews_of_very_few_words_are_taught_without_a_map(tmp_path):
    lesson = teach_sentiment(["good film"] * 30 + ["bad film"] * 30, [1] * 30 + [0] * 30, "60 reviews")
    text = lesson.write_page(tmp_path / "s.html").read_text(encoding="utf-8")
    assert "Learned word vectors" in text
    lesson = teach_sentiment(["film"] * 60, [0, 1] * 30, "60 reviews")
    assert "A map of words" not in lesson.write_page(tmp_path / "s.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [], "holds 0 cars without missing values; the lesson needs at least 20"),
        (lambda rows: rows[:5], "holds 4 cars"),
        (lambda rows: [rows[0], *([*row[:3], "", *row[4:]] for row in rows[1:])], "holds 0 cars"),
        (
            lambda rows: [rows[0], *([*row[:3], "90", *row[4:]] for row in rows[1:])],
            "all cars have the same horsepower",
        ),
    ],
)
def test_cars_that_teach_nothing(tmp_path, change, said):
    names = ["mpg", "cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "origin"]
    values = np.random.default_rng(0).integers(1, 100, (40, 8))
    rows = change([names, *(list(map(str, row)) for row in values)])
    (tmp_path / "cars.csv").write_text("\n".join(",".join(row) for row in rows), encoding="utf-8")
    with pytest.raises(DataError, match=said):
        sources.find_cars(tmp_path)


def test_a_file_without_cars(tmp_path):
    (tmp_path / "cars.json").write_text('{"a": 1}', encoding="utf-8")
    with pytest.raises(DataError, match="holds no cars"):
        sources.find_cars(tmp_path / "cars.json")
    with pytest.raises(DataError, match="cannot be opened"):
        sources.find_cars(tmp_path / "none.json")
