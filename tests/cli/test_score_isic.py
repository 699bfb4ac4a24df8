import json
from pathlib import Path

import pytest

TRUTH = "Id,task_1,task_2\na,1,0\nb,0,1\nc,0,0\nd,1,0\n"
PREDICTIONS = "Id,task_1,task_2\na,0.8,0\nb,0.4,0.9\nc,0.1,0.2\nd,0.3,0.2\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.csv").write_text(TRUTH, encoding="utf-8")
    (tmp_path / "mine.csv").write_text(PREDICTIONS, encoding="utf-8")
    return tmp_path


def test_the_table_and_the_json_say_the_same(files: Path, opsin_command) -> None:
    shown = opsin_command("score-isic", "mine.csv", "truth.csv", "--threshold", "0.35")
    scores = json.loads(opsin_command("score-isic", "mine.csv", "truth.csv", "--threshold", "0.35", "--json").out)
    assert [category["value"] for category in scores["categories"]] == [0.75, 1.0, 0.875]
    for category in scores["categories"]:
        assert f"{category['value']:.5f}" in shown.out and f"{category['place']} of 24" in shown.out
    assert scores["confusion"] == [[1, 1], [1, 1]] and "1 (50.0 %)" in shown.out
    assert all(sentence in shown.out for sentence in scores["sentences"])


def test_a_file_in_another_order_is_scored_only_when_asked(files: Path, opsin_command) -> None:
    lines = PREDICTIONS.splitlines()
    (files / "mine.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]), encoding="utf-8")
    refused = opsin_command("score-isic", "mine.csv", "truth.csv")
    assert refused.code == 2 and refused.err.startswith("Error: mine.csv, line 2, Id d: truth.csv has Id a")
    scored = opsin_command("score-isic", "mine.csv", "truth.csv", "--any-order")
    assert scored.code == 0 and "0.75000" in scored.out


def test_the_page_is_written_where_asked(files: Path, opsin_command) -> None:
    shown = opsin_command("score-isic", "mine.csv", "truth.csv", "--out", "page.html")
    assert "written to page.html" in shown.out and "Skin lesions" in (files / "page.html").read_text(encoding="utf-8")
    refused = opsin_command("score-isic", "mine.csv", "truth.csv", "--out", "nowhere/page.html")
    assert refused.code == 2 and "its folder does not exist" in refused.err
