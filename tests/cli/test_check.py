import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from opsin.audit import features


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """60 digits in two classes, a blank picture and a doubled one among them."""
    monkeypatch.setattr(features, "find_weights", lambda name: None)
    monkeypatch.chdir(tmp_path)
    digits = load_digits()
    for number in np.flatnonzero(digits.target < 2)[:58]:
        path = Path("photos", str(digits.target[number]), f"{number:03}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[number] * 15.9).astype(np.uint8)).save(path)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("photos/0/black.png")
    Image.open("photos/0/000.png").save("photos/0/again.png")
    return Path("photos")


def test_findings_are_printed_and_the_page_is_written(photos, opsin_command):
    result = opsin_command("check", photos)
    assert result.code == 0
    assert "photos: 60 images, 2 classes, 8×8" in result.out
    assert "warning: 1 image is nearly black, nearly white or of one color all over.\n    0/black.png" in result.out
    assert "note: 2 images show only 1 picture, with identical pixels." in result.out
    assert f"save it as {photos / 'decisions.csv'}" in result.out and "page  check.html" in result.out
    assert "0/black.png" in Path("check.html").read_text(encoding="utf-8")


def test_json_is_the_list_of_findings_and_nothing_else(photos, opsin_command):
    result = opsin_command("check", photos, "--json")
    findings = {finding["kind"]: finding for finding in json.loads(result.out)}
    assert findings["blank"]["images"] == ["0/black.png"]
    assert findings["blank"]["details"] == {"0/black.png": "nearly black"}
    assert findings["duplicates"]["groups"] == [["0/000.png", "0/again.png"]]
    assert not Path("check.html").exists()
    opsin_command("check", photos, "--json", "--out", "mine.html")
    assert Path("mine.html").exists()


def test_an_anonymous_page_names_no_file(photos, opsin_command):
    opsin_command("check", photos, "--anonymous", "--out", "page.html")
    text = Path("page.html").read_text(encoding="utf-8")
    assert not any(word in text for word in ("black.png", "photos", "again", "000.png"))


def test_data_that_training_would_refuse_end_with_2(photos, opsin_command):
    Path(photos, "1", "cut.png").write_bytes(b"\x89PNG\r\n")
    result = opsin_command("check", photos)
    assert result.code == 2 and "serious: 1 image cannot be read." in result.out
    assert "serious findings" in result.err
    Path("decided.csv").write_text("image,decision,label,reason\n1/cut.png,exclude,,\n", encoding="utf-8")
    result = opsin_command("check", photos, "--decisions", "decided.csv")
    assert result.code == 0 and "1 image excluded by decided.csv." in result.out
    assert opsin_command("check", "nowhere").code == 2


def test_wrong_columns_are_explained(photos, opsin_command):
    result = opsin_command("check", photos, "--label", "diagnosis")
    assert result.code == 2 and "no label column 'diagnosis'" in result.err
