import re
from pathlib import Path

import numpy as np
import pytest

import opsin
from opsin.evaluation.comparison.result import Comparison

LIMIT = 5_000_000
LABELS = np.arange(60) % 3


@pytest.fixture
def make(predicted_run):
    def build(name: str, wrong: list[int], **arguments):
        guesses = LABELS.copy()
        guesses[wrong] = (guesses[wrong] + 1) % 3
        run = predicted_run(name, LABELS, np.eye(3)[guesses] * 0.7 + 0.1, **arguments)
        pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
        run.write_thumbnails("test", np.arange(6), pixels)
        return run

    return build


def written(comparison: Comparison, path: Path) -> str:
    return opsin.report(comparison, path).read_text(encoding="utf-8")


def test_the_page_holds_everything_and_loads_nothing(make, tmp_path: Path) -> None:
    runs = [make("plain", [0, 1, 2, 40, 41, 42, 43, 44]), make("strong", [5], dropout=0.5)]
    comparison = opsin.compare(runs)
    page = written(comparison, tmp_path / "compare.html")
    assert len(page) < LIMIT and "<script" not in page
    assert re.findall(r'(?:src|href)="(?!#|data:image)([^"]*)', page) == []
    assert comparison.sentence in page and all(note in page for note in comparison.notes)
    assert page.count('class="figure"') == len(comparison.differences) + 2
    assert "network.dropout" in page and "opsin compare" in page
    assert page == written(comparison, tmp_path / "again.html")


def test_images_in_dispute_are_shown_as_far_as_there_are_pictures(make, tmp_path: Path) -> None:
    page = written(opsin.compare([make("a", [0, 1, 40]), make("b", [5], dropout=0.5)]), tmp_path / "compare.html")
    shown = set(re.findall(r"<bdi>([^<]*)</bdi>", page))
    assert shown == {"0.png", "1.png", "5.png"}  # 40.png is in dispute as well, but nobody kept a picture of it
    assert "4 of 60 images" in page
    table = re.sub(r"<[^>]+>", " ", page[page.index("Correct recipes") :])
    assert re.search(r"\ball\s+56", table) and re.search(r"only b\s+3", table) and re.search(r"only a\s+1", table)


def test_names_of_files_are_left_out_where_a_run_is_anonymous(make, tmp_path: Path) -> None:
    runs = [make("a", [0, 1]), make("b", [5], group="patient", info={"anonymous": True})]
    page = written(opsin.compare(runs), tmp_path / "compare.html")
    assert ".png" not in page and "data.group" not in page and "patient" not in page and str(tmp_path) not in page


def test_seeds_of_one_recipe_have_a_page_too(make, tmp_path: Path) -> None:
    page = written(opsin.compare([make("m-0", [0], seed=0), make("m-1", [1], seed=1)]), tmp_path / "compare.html")
    assert "These are 2 runs of one recipe" in page and 'id="disputes"' not in page and "Validation loss" in page


def test_names_that_look_like_markup_stay_text(make, tmp_path: Path) -> None:
    page = written(opsin.compare([make("<b>&a", [0]), make("c", [5], dropout=0.5)]), tmp_path / "compare.html")
    assert "<b>&a" not in page and "&lt;b&gt;&amp;a" in page
