from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import opsin
from opsin.data.targets import ClassTargets
from opsin.errors import DataError
from opsin.inference.predictor import PredictedImages
from opsin.recipe.recipe import Recipe
from opsin.runs.folder import RunFolder
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications
from opsin.workflow.find_groups import find_groups
from opsin.workflow.predict import UNLIKE, UNSURE, answer, threshold_for

CLASSES = ("cat", "dog")


def found(cats: list[float], unlike: list[float] | None = None) -> PredictedImages:
    probabilities = np.array([[cat, 1 - cat] for cat in cats], np.float32)
    names = [f"patient {row // 2}/{row}.png" for row in range(len(cats))]
    return PredictedImages(names, Classifications(probabilities), unlike and np.array(unlike, np.float32), {})


def labels(answers) -> list[str]:
    return [answers.said.label(row, answers.answered[row]) for row in range(len(answers))]


def test_unlike_images_are_warned_of_and_answered_unless_it_abstains() -> None:
    images = found([0.9, 0.2, 0.6], [0.5, 1.5, 0.9])
    answers = answer(images, "classification", CLASSES)
    assert labels(answers) == ["cat", "dog", "cat"]
    assert answers.warnings == ["", UNLIKE, ""]
    assert answers.strange == f"1 of 3 images is {UNLIKE}"
    assert labels(answer(images, "classification", CLASSES, abstain=True)) == ["cat", "", "cat"]


def test_what_is_not_sure_enough_is_left_open() -> None:
    answers = answer(found([0.9, 0.2, 0.6], [0.5, 1.5, 0.9]), "classification", CLASSES, least=0.8)
    assert labels(answers) == ["cat", "dog", ""]
    assert answers.warnings == ["", UNLIKE, UNSURE]
    both = answer(found([0.6], [2.0]), "classification", CLASSES, least=0.8)
    assert both.warnings == [f"{UNLIKE}; {UNSURE}"]
    assert labels(answer(found([0.6, 0.9]), "classification", CLASSES, abstain=True, least=0.8)) == ["", "cat"]


def test_a_run_that_knows_nothing_of_unlike_images_warns_of_none() -> None:
    answers = answer(found([0.9, 0.2]), "classification", CLASSES, abstain=True)
    assert labels(answers) == ["cat", "dog"]
    assert answers.strange == ""
    assert answers.entries()[0]["unlike"] is None


def test_groups_are_answered_from_all_their_images() -> None:
    groups = np.array(["b", "b", "a", "a"])
    images = found([0.9, 0.4, 0.1, 0.3], [0.5, 0.7, 3.0, 0.9])
    answers = answer(images, "classification", CLASSES, groups=groups)
    assert (answers.names, labels(answers)) == (["a", "b"], ["dog", "cat"])
    np.testing.assert_allclose(answers.predictions.probabilities[:, 0], [0.2, 0.65], atol=1e-6)
    assert answers.images.tolist() == [2, 2]
    assert answers.warnings == [f"1 of 2 images is {UNLIKE}", ""]
    np.testing.assert_allclose(answers.unlike, [1.95, 0.6], rtol=1e-6)


def test_groups_that_abstain_are_answered_from_the_ordinary_images_alone() -> None:
    groups = np.array(["b", "b", "a", "a"])
    answers = answer(
        found([0.9, 0.4, 0.1, 0.3], [0.5, 0.7, 3.0, 0.9]), "classification", CLASSES, groups=groups, abstain=True
    )
    np.testing.assert_allclose(answers.predictions.probabilities[:, 0], [0.3, 0.65], atol=1e-6)
    answers = answer(
        found([0.9, 0.4, 0.1, 0.3], [0.5, 0.7, 3.0, 2.0]), "classification", CLASSES, groups=groups, abstain=True
    )
    assert labels(answers) == ["", "cat"]
    assert answers.warnings == [UNLIKE, ""]


def test_the_table_and_the_entries_say_the_same(tmp_path: Path) -> None:
    images = found([0.9, 0.2, 0.6, 0.7], [0.5, 1.5, 0.9, 0.25])
    plain = answer(images, "classification", CLASSES, abstain=True, least=0.65)
    pooled = answer(images, "classification", CLASSES, groups=np.array(["x", "x", "y", "y"]), least=0.6)
    for answers in (plain, pooled):
        answers.write(tmp_path / "answers.csv")
        with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row, entry in zip(rows, answers.entries(), strict=True):
            assert row[answers.subject] == entry[answers.subject]
            assert (row["predicted"] or None) == entry["class"]
            assert (row["warning"] or None) == entry["warning"]
            assert row.get("images") == (str(entry["images"]) if "images" in entry else None)
            assert float(row["unlike"]) == pytest.approx(entry["unlike"], rel=1e-3)
            assert np.float32(row["p(dog)"]) == np.float32(entry["probabilities"]["dog"])
            assert np.float32(row["confidence"]) == np.float32(entry["confidence"])
    assert list(rows[0]) == ["group", "images", "predicted", "confidence", "unlike", "warning", "p(cat)", "p(dog)"]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path / "run", Recipe())
    folder.write("preprocessing.json", {"classes": list(CLASSES)})
    return folder


NAMES = ["photos/anna/1.png", "photos/anna/2.png", "photos/ben/1 b.png"]


def test_groups_are_found_in_folders_names_and_tables(run: RunFolder, tmp_path: Path) -> None:
    assert find_groups(run, NAMES, "folder:-1").tolist() == ["anna", "anna", "ben"]
    assert find_groups(run, NAMES, r"(\d)").tolist() == ["1", "2", "1"]
    table = tmp_path / "groups.csv"
    table.write_text("path,group\nphotos/anna/1.png,A\n2.png,A\n1 b.png,B\n", encoding="utf-8-sig")
    assert find_groups(run, NAMES, str(table)).tolist() == ["A", "A", "B"]
    told = RunFolder.create(tmp_path / "told", Recipe().set("split.group_by", "photos/([a-z]+)"))
    assert find_groups(told, NAMES, "group").tolist() == ["anna", "anna", "ben"]


def test_a_group_that_cannot_be_found_is_named(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="was not trained with --group-by"):
        find_groups(run, NAMES, "group")
    with pytest.raises(DataError, match="have no match"):
        find_groups(run, NAMES, "carl")
    for text, words in (
        ("path,group\n1.png,A\n", "no group for photos/anna/2.png"),
        ("path,patient\n1.png,A\n", "columns image and group"),
        ("", "columns image and group"),
    ):
        (tmp_path / "groups.csv").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=words):
            find_groups(run, NAMES, str(tmp_path / "groups.csv"))
    with pytest.raises(DataError, match="cannot be read"):
        find_groups(run, NAMES, "none.csv")


def test_the_threshold_comes_from_validation_images_or_their_groups(run: RunFolder) -> None:
    truth = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    cats = [0.95, 0.55, 0.1, 0.3, 0.45, 0.9, 0.2, 0.7]
    run.write_predictions(
        "validation",
        PredictedSplit([str(row) for row in range(8)], ClassTargets(np.asarray(truth)), found(cats).predictions),
    )
    assert threshold_for(run, 1.0).confidence == pytest.approx(0.8)
    with pytest.raises(DataError, match="images come in groups"):
        threshold_for(run, 1.0, pooled=True)
    run.write_split([[str(row), "cat", "validation", f"p{row // 2}", "0"] for row in range(8)])
    run.update(data={"groups": 4})
    assert threshold_for(run, 1.0, pooled=True).coverage == 1  # both mistakes are mended by the other image
    run.write_split([[str(row), "cat", "validation", f"p{row % 2}", "0"] for row in range(8)])
    with pytest.raises(DataError, match="one class each"):
        threshold_for(run, 1.0, pooled=True)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, digits) -> Path:
    folder = tmp_path_factory.mktemp("data") / "photos"
    for label in (0, 1):
        (folder / f"digit {label}").mkdir(parents=True)
        for number in np.flatnonzero(digits.targets.values == label)[:60]:
            path = folder / f"digit {label}" / f"patient{number % 9}-{number}.png"
            Image.fromarray(digits.images.read(number)[..., 0]).save(path)
    return folder


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> opsin.Run:
    place = tmp_path_factory.mktemp("runs") / "run"
    return opsin.train(photos, out=place, network="mlp", epochs=8, device="cpu", inspect=False, quiet=True)


def test_the_plain_call_gives_a_list_with_one_prediction_per_image(trained: opsin.Run, photos: Path) -> None:
    paths = sorted((photos / "digit 1").iterdir())[:3]
    plain = trained.predict(paths)
    assert isinstance(plain, list) and [each.image for each in plain] == [str(path) for path in paths]
    same = opsin.predict(trained.path, paths)
    assert [each.probabilities for each in same] == [each.probabilities for each in plain]
    assert len(same) == 3 and same[-1].label == plain[2].label and len(same[:2]) == 2


def test_folders_and_globs_are_searched(trained: opsin.Run, photos: Path) -> None:
    assert len(opsin.predict(trained, photos)) == 120
    assert len(opsin.predict(trained, str(photos / "digit 0" / "*.png"))) == 60
    mixed = opsin.predict(trained, [np.zeros((8, 8), np.uint8), photos / "digit 1"])
    assert len(mixed) == 61 and mixed.names[0] == "image 0"


def test_the_model_abstains_below_a_confidence(trained: opsin.Run, photos: Path) -> None:
    answers = opsin.predict(trained, photos, abstain_below=0.9)
    confidence = answers.predictions.confidence
    far = np.zeros(120, bool) if answers.unlike is None else answers.unlike > 1
    assert answers.answered.tolist() == ((confidence >= np.float32(0.9)) & ~far).tolist()
    assert [each is not None for each in answers] == answers.answered.tolist()
    assert not opsin.predict(trained, photos, abstain=True).answered[far].any()


def test_the_confidence_is_chosen_for_a_target_accuracy(trained: opsin.Run, photos: Path) -> None:
    answers = opsin.predict(trained, photos, target_accuracy=0.95)
    chosen = threshold_for(trained.folder, 0.95)
    assert answers.threshold == chosen.describe()
    assert not answers.answered[answers.predictions.confidence < np.float32(chosen.confidence)].any()
    with pytest.raises(DataError, match="either"):
        opsin.predict(trained, photos, target_accuracy=0.95, abstain_below=0.5)


def test_images_are_pooled_by_group(trained: opsin.Run, photos: Path) -> None:
    answers = opsin.predict(trained, photos, pool_by=r"(digit \d)")
    assert answers.names == ["digit 0", "digit 1"] and answers.images.tolist() == [60, 60]
    assert [each.label for each in answers] == ["digit 0", "digit 1"]
    paths = sorted(photos.rglob("*.png"))
    given = opsin.predict(trained, paths, pool_by=[path.parent.name for path in paths])
    np.testing.assert_array_equal(given.predictions.probabilities, answers.predictions.probabilities)
    with pytest.raises(DataError, match="1 groups for 120 images"):
        opsin.predict(trained, paths, pool_by=["a"])


def test_unreadable_images_are_left_out_with_their_groups(trained: opsin.Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"")
    images = [tmp_path / "broken.png", *sorted((photos / "digit 0").iterdir())[:2]]
    with pytest.raises(DataError, match="broken.png"):
        opsin.predict(trained, images)
    answers = opsin.predict(trained, images, skip_unreadable=True, pool_by=["x", "a", "b"], out=tmp_path / "out.csv")
    assert answers.names == ["a", "b"] and list(answers.left_out) == [str(tmp_path / "broken.png")]
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        assert [row["group"] for row in csv.DictReader(file)] == ["a", "b"]


def test_masks_are_refused_where_there_are_none(trained: opsin.Run, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no masks"):
        opsin.predict(trained, photos, masks=tmp_path / "masks")
    with pytest.raises(DataError, match="--tiles goes with --masks"):
        opsin.predict(trained, photos, tiles=True)
