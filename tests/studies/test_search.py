from __future__ import annotations

import numpy as np
import pytest

from opsin.errors import OpsinError, RecipeError
from opsin.runs.folder import RunFolder
from opsin.studies.search import search_study
from opsin.studies.search_space import read_search
from opsin.studies.study import Study

STUDY = """
name = "rate"

[recipe]
data.source = "digits.npz"
network = { name = "mlp", options = { widths = [16] } }
training = { epochs = 2, batch_size = 32, device = "cpu", precision = "32-true" }

[search]
trials = 3

[search.space]
"training.learning_rate" = { low = 1e-6, high = 0.01, log = true }
"network.options.widths" = { choices = [[8], [32]] }
"training.batch_size" = { low = 16, high = 64, step = 16 }
"""


@pytest.fixture(scope="module")
def place(few_digits, tmp_path_factory):
    place = tmp_path_factory.mktemp("search")
    np.savez(place / "digits.npz", images=few_digits.images.array, labels=few_digits.targets.values)
    (place / "study.toml").write_text(STUDY, encoding="utf-8")
    return place


def test_a_search_keeps_test_locked_goes_on_and_writes_what_it_found(place):
    out = place / "out"
    first = search_study(place / "study.toml", out=out, jobs=2, quiet=True)
    assert len(first.info["trials"]) == 3
    before = {path: path.stat().st_mtime_ns for path in out.glob("trial-*/run.json")}
    folder = search_study(place / "study.toml", out=out, jobs=2, trials=5, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    rows = folder.info["trials"]
    assert sorted(row["trial"] for row in rows) == [0, 1, 2, 3, 4]
    assert [row["value"] for row in rows] == sorted((row["value"] for row in rows), reverse=True)
    for row in rows:
        run = RunFolder(out / row["run"])
        assert not run.looks
        assert "test" not in run.scorecard
        assert row["value"] == run.scorecard["validation"]["accuracy"]["value"]
        assert run.recipe.training.learning_rate == pytest.approx(row["settings"]["training.learning_rate"])
        assert run.recipe.network.options["widths"] == row["settings"]["network.options.widths"]
        assert run.recipe.training.batch_size == row["settings"]["training.batch_size"]
        assert row["settings"]["training.batch_size"] in (16, 32, 48, 64)
    found = Study.read(out / "found.toml")
    assert list(found.variants) == ["base", "found"]
    best = rows[0]["settings"]
    assert found.variants["found"].recipe.training.learning_rate == best["training.learning_rate"]
    assert found.variants["found"].recipe.network.options == {"widths": best["network.options.widths"]}
    assert found.variants["base"].recipe.to_dict() == Study.read(place / "study.toml").variants["base"].recipe.to_dict()
    assert 0 not in found.seeds  # the seed that was searched with would be too good


def test_a_search_of_nothing_that_works_is_told(place):
    with pytest.raises(OpsinError, match="No trial of rate could be finished"):
        search_study(
            place / "study.toml", out=place / "none", trials=1, settings=["network.name=course_cnn"], quiet=True
        )


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({}, "no table [search]"),
        ({"trails": 3}, "unknown key 'trails' (did you mean 'trials'?)"),
        ({"variant": "bose"}, "no variant 'bose' (did you mean 'base'?)"),
        ({"trials": 0}, "'trials' must be"),
        ({"space": {}}, "at least one key"),
        ({"space": {"training.rate": {"low": 0.1, "high": 1}}}, "unknown key 'training.rate'"),
        ({"space": {"training.learning_rate": 0.1}}, "write { low"),
        ({"space": {"training.learning_rate": {"low": 0.1}}}, "must be numbers"),
        ({"space": {"training.learning_rate": {"low": 1, "high": 0.1}}}, "with low < high"),
        ({"space": {"training.learning_rate": {"low": 0, "high": 0.1, "log": True}}}, "must be above 0"),
        ({"space": {"network.dropout": {"low": 0.0, "high": 2.0}}}, "at most 0.95"),
        ({"space": {"training.optimizer": {"choices": ["sgd"]}}}, "at least two values"),
        ({"space": {"training.optimizer": {"choices": ["sgd", "adm"]}}}, "must be one of"),
        ({"space": {"training.epochs": {"low": 1, "high": 5, "lag": True}}}, "unknown key 'lag'"),
    ],
)
def test_a_wrong_table_is_told_in_a_sentence(search, said):
    study = Study.from_dict({"recipe": {"data": {"source": "digits"}}, "search": search})
    with pytest.raises(RecipeError) as caught:
        read_search(study)
    assert said in str(caught.value)
