import numpy as np
import pytest

import opsin
from opsin.data.targets import ClassTargets
from opsin.errors import DataError, RunError
from opsin.evaluation.operating_points import Aims, read_aims
from opsin.recipe.recipe import Recipe
from opsin.runs.folder import RunFolder
from opsin.statistics.serialize import to_json
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.scorecard import score


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(tmp_path / "run", Recipe(), data={"counts": {"train": [60, 20]}})
    folder.write("preprocessing.json", {"classes": ["benign", "malignant"]})
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [30, 10])
    part = np.clip(0.25 + 0.4 * labels + random.normal(0, 0.2, 40), 0, 1).astype(np.float32)
    result = Classifications(np.stack([1 - part, part], axis=1))
    folder.write_predictions(
        "test", PredictedSplit([f"{number}.png" for number in range(40)], ClassTargets(np.asarray(labels)), result)
    )
    folder.write("scorecard.json", {"test": to_json(score(result, labels, folder.classes, None, folder.positive))})
    return opsin.load_run(folder.path)


def test_the_class_looked_for_decides_the_average_precision(run):
    before = run.scorecard["test"]
    assert run.folder.positive == "malignant"
    assert before["average_precision"] == before["average_precision/malignant"] != before["average_precision/benign"]
    run.set_operating_point(positive="benign")
    after = run.scorecard["test"]
    assert run.folder.positive == run.folder.info["positive"] == "benign"
    assert after == before | {"average_precision": before["average_precision/benign"]}


def test_aims_are_remembered_one_by_one(run):
    assert read_aims(run.folder) == Aims()
    run.set_operating_point(sensitivity=0.9)
    run.set_operating_point(cost_of_miss=20)
    assert read_aims(run.folder) == Aims(sensitivity=0.9, cost_of_miss=20)
    run.folder.update(aims={"sensitivity": "much"})
    with pytest.raises(RunError, match=r"run\.json is damaged"):
        read_aims(run.folder)


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ({"positive": "malign"}, "has no class 'malign'"),
        ({"sensitivity": 0.0}, "above 0 and at most 1, not 0"),
        ({"sensitivity": float("nan")}, "above 0"),
        ({"cost_of_miss": -1.0}, "0 or more"),
        ({"cost_of_miss": 0.0, "cost_of_false_alarm": 0.0}, "not both 0"),
    ],
)
def test_impossible_decisions_are_refused_and_change_nothing(run, decision, said):
    before = run.folder.info
    with pytest.raises(RunError, match=said):
        run.set_operating_point(**{"positive": "benign"} | decision)
    assert run.folder.info == before


def test_with_more_than_two_classes_there_is_no_positive_one(run):
    run.folder.write("preprocessing.json", {"classes": ["a", "b", "c"]})
    with pytest.raises(RunError, match="has 3 classes, each of which is measured against the rest"):
        run.set_operating_point(positive="a")


def test_readers_are_checked_before_they_are_kept(run, tmp_path):
    table = tmp_path / "doctors.csv"
    table.write_text("reader,image,call\nA,3,malignant\nA,99,benign\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 3"):
        run.add_reader_study(table)
    assert not (run.path / "readers.csv").exists()
    table.write_text("reader,image,call\nA,3,malignant\n", encoding="utf-8")
    run.add_reader_study(table)
    assert (run.path / "readers.csv").read_text(encoding="utf-8") == table.read_text(encoding="utf-8")
