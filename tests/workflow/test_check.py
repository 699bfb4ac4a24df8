"""The whole check, on digits with faults planted into them."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

import opsin
from opsin.audit import features as features_module
from opsin.audit.finding import KINDS, SEVERITIES
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.errors import DataError


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch):
    monkeypatch.setattr(features_module, "find_weights", lambda name: None)


@pytest.fixture
def planted(tmp_path):
    """180 digits in three classes with one fault of each kind."""
    digits = load_digits()
    folder = tmp_path / "planted"
    for number in np.flatnonzero(digits.target < 3)[:180]:
        path = folder / "zero one two".split()[digits.target[number]] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[number] * 15.9).astype(np.uint8)).save(path)
    zeros, ones = (sorted((folder / name).iterdir()) for name in ("zero", "one"))
    Image.open(zeros[0]).save(folder / "zero" / "again.bmp")  # the same pixels in another file
    Image.open(ones[0]).save(folder / "two" / "other.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "two" / "black.png")
    Image.fromarray(np.full((8, 20), 200, np.uint8)).save(folder / "two" / "wide.png")
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3).save(folder / "two" / "ramp.png")
    (folder / "one" / "cut.png").write_bytes(ones[1].read_bytes()[:60])
    return folder


def found_in(check):
    return {finding.kind: finding for finding in check.findings}


def test_every_planted_fault_is_found(planted):
    check = opsin.check(planted)
    found = found_in(check)
    assert found["unreadable"].images == ("one/cut.png",)
    assert set(found["duplicates"].images) >= {"zero/again.bmp", "zero/0000.png"}
    assert set(found["two-labels"].images) == {"two/other.png", "one/0001.png"}
    assert set(found["blank"].images) == {"two/black.png", "two/wide.png"}
    assert found["size"].images == ("two/wide.png",)
    assert not check.usable and len(check.dataset) == 185
    order = [(SEVERITIES.index(finding.severity), list(KINDS).index(finding.kind)) for finding in check.findings]
    assert order == sorted(order)
    assert check.place == planted / "decisions.csv"


def test_decisions_settle_what_was_found(planted):
    rows = [
        "one/cut.png,exclude,,",
        "zero/again.bmp,exclude,,",
        "two/other.png,relabel,one,",
        "one/0001.png,keep,,",
        "two/black.png,exclude,,",
        "two/wide.png,keep,,",
    ]
    (planted / "decisions.csv").write_text("image,decision,label,reason\n" + "\n".join(rows) + "\n", encoding="utf-8")
    check = opsin.check(planted)
    found = found_in(check)
    assert check.usable
    assert found.keys().isdisjoint({"unreadable", "two-labels", "blank", "size"})
    assert "two/wide.png" not in {name for finding in check.findings for name in finding.images}
    assert "3 images excluded, 1 relabeled, 2 reviewed and kept by decisions.csv." in check.dataset.notes


def test_labels_are_looked_at_when_asked(planted):
    names = sorted((planted / "zero").glob("0*.png"))[3:6]
    for path in names:
        path.rename(planted / "one" / f"moved-{path.name}")
    assert "label-error" not in found_in(opsin.check(planted))
    wrong = found_in(opsin.check(planted, labels=True))["label-error"]
    moved = {f"one/moved-{path.name}" for path in names}
    caught = moved & set(wrong.images)
    assert len(caught) >= 2 and len(wrong.images) <= 5
    assert {wrong.suggestions[name] for name in caught} == {"zero"}


def test_a_data_set_that_is_in_memory(few_digits):
    check = opsin.check(few_digits, labels=True)
    assert check.usable and check.place is None
    assert check.pixels.shape == (300, 8, 8, 1)


def test_given_splits_and_groups_from_names_are_checked(planted, tmp_path):
    split = tmp_path / "split"
    for part in ("train", "test"):
        for label in ("zero", "one", "two"):
            (split / part / label).mkdir(parents=True)
    for path in sorted(planted.glob("*/0*.png")):
        number = int(path.stem)
        part = "test" if number % 3 == 0 else "train"
        path.rename(split / part / path.parent.name / f"p{number // 100}_{number}.png")
    found = found_in(opsin.check(split, group_by=r"p(\d+)"))
    assert found["shared-groups"].severity == "serious"
    assert "leak" not in found


def test_what_cannot_be_read_at_all_is_an_error(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="none of its 2 images can be read"):
        opsin.check(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        opsin.check(tmp_path / "nowhere")


def test_the_page_of_a_check(planted, tmp_path):
    check = opsin.check(planted)
    text = opsin.report(check, tmp_path / "page.html").read_text(encoding="utf-8")
    facts = json.loads(text.partition('id="facts">')[2].partition("</script>")[0])
    assert "two/black.png" in facts["names"] and facts["file"] == "decisions.csv"


def test_training_writes_what_it_saw_of_the_images(planted, tmp_path):
    run = opsin.train(
        planted, network="mlp", epochs=1, out=tmp_path / "run", skip_unreadable=True, inspect=False, quiet=True
    )
    kinds = {finding["kind"]: finding for finding in run.folder.audit["findings"]}
    assert kinds["unreadable"]["images"] == ["one/cut.png"]
    assert {"duplicates", "two-labels", "blank", "size"} <= kinds.keys() and "outlier" not in kinds
    assert run.folder.audit["decisions"] is None
    report = run.report.read_text(encoding="utf-8")
    assert 'id="images"' in report and "two/black.png" in report
    hidden = opsin.report(run, anonymous=True).read_text(encoding="utf-8")
    assert 'id="images"' in hidden and "two/black.png" not in hidden


def test_decisions_are_part_of_what_a_run_is(planted, tmp_path):
    decisions = "image,decision,label,reason\none/cut.png,exclude,,\ntwo/black.png,exclude,,\n"
    (planted / "decisions.csv").write_text(decisions, encoding="utf-8")
    settings = {"network": "mlp", "epochs": 1, "inspect": False, "quiet": True}
    run = opsin.train(planted, out=tmp_path / "run", **settings)
    assert run.folder.audit["decisions"] == {"file": "decisions.csv", "exclude": 2, "relabel": 0, "keep": 0}
    names = [row.split(",")[0] for row in (run.path / "split.csv").read_text(encoding="utf-8").splitlines()]
    assert "two/black.png" not in names and "two/wide.png" in names
    assert "2 images excluded" in run.report.read_text(encoding="utf-8")
    opsin.evaluate(run, split="validation", quiet=True)
    (planted / "decisions.csv").write_text(decisions + "two/ramp.png,exclude,,\n", encoding="utf-8")
    with pytest.raises(opsin.OpsinError, match="have changed since"):
        opsin.evaluate(run, split="validation", quiet=True)
    other = tmp_path / "other.csv"
    other.write_text(decisions, encoding="utf-8")
    again = opsin.train(planted, out=tmp_path / "again", decisions=str(other), **settings)
    assert again.folder.info["data"]["fingerprint"] == run.folder.info["data"]["fingerprint"]


def test_decisions_without_a_path_to_read_from_are_refused(few_digits, tmp_path):
    with pytest.raises(DataError, match="read_dataset"):
        opsin.train(few_digits, decisions="mine.csv", network="mlp", epochs=1, out=tmp_path / "run", quiet=True)
    with pytest.raises(DataError, match="read_dataset"):
        opsin.check(few_digits, decisions="mine.csv")


@pytest.mark.parametrize("number", [2, 80])
def test_pictures_that_all_look_the_same(number):
    images = ArrayImages(np.full((number, 70, 90, 3), 90, np.uint8))
    check = opsin.check(Dataset("same", ("a", "b"), images, ClassTargets(np.arange(number) % 2)), labels=True)
    assert {"blank", "two-labels", "duplicates"} <= found_in(check).keys()
    assert check.pixels.shape[1:3] == (64, 64) and len(found_in(check)["blank"].images) == number


def test_the_page_saves_the_file_of_decisions_that_was_given(planted, tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("image,decision,label,reason\none/cut.png,exclude,,\n", encoding="utf-8")
    assert opsin.check(planted, decisions=str(mine)).place == mine


def test_near_duplicates_leaks_and_contradictions_are_told_from_copies():
    photograph = load_sample_image("china.jpg")
    tiles = [photograph[top : top + 48, left : left + 48] for top in range(0, 380, 48) for left in range(0, 590, 48)]
    pixels = np.stack([tile for tile in tiles if tile.mean(axis=2).std() > 20][:60])
    pixels[50] = pixels[3, :, ::-1]
    labels = np.arange(60) % 2
    split = np.where(np.arange(60) < 45, "train", "test")
    data = Dataset("noise", ("a", "b"), ArrayImages(pixels), ClassTargets(labels), split=split, symmetry="mirror")
    found = found_in(opsin.check(data))
    assert found["near-duplicates"].groups == (("image 3", "image 50"),)
    assert found["near-duplicates"].details["image 50"].startswith("mirrored, ")
    assert found["near-leak"].groups == found["two-labels"].groups == (("image 3", "image 50"),)
    assert "near-duplicates" not in found_in(opsin.check(data, near_duplicates=False))
