from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from opsin.data.targets import ClassTargets
from opsin.evaluation.out_of_fold import reading, spread
from opsin.runs.out_of_fold import OutOfFold, score_out_of_fold
from opsin.statistics.serialize import to_json
from opsin.tasks.base import PredictedSplit
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.scorecard import score
from opsin.tasks.registry import task_spec

CLASSES = ("a", "b", "c")
SCORES = task_spec("classification").metrics


def pooled(images=60, repeats=1, groups=None, seed=0, alike=False):
    """Random predictions; with ``alike`` every repeat says the same."""
    generator = np.random.default_rng(seed)
    labels = np.arange(images) % 3
    parts = [generator.dirichlet((1, 1, 1), images).astype(np.float32) for _ in range(1 if alike else repeats)]
    together = np.concatenate(parts * repeats if alike else parts)
    names = [f"image {number}" for number in range(images)] * repeats
    split = PredictedSplit(
        names,
        ClassTargets(np.tile(labels, repeats)),
        Classifications(together),
        None if groups is None else np.tile(groups, repeats),
    )
    return OutOfFold(split, "classification", repeats)


def test_one_repeat_is_scored_like_any_split():
    groups = np.repeat([f"patient {number}" for number in range(12)], 5)
    for some in (None, groups):
        data = pooled(groups=some)
        assert score_out_of_fold(data, CLASSES) == to_json(
            score(data.split.predictions, data.split.targets.values, CLASSES, some)
        )


def test_repeats_are_averaged_and_count_each_image_once():
    data = pooled(repeats=4)
    scores = score_out_of_fold(data, CLASSES)
    predicted = data.split.predictions.labels
    assert scores["accuracy"]["value"] == pytest.approx(accuracy_score(data.split.targets.values, predicted))
    assert scores["balanced_accuracy"]["value"] == pytest.approx(
        balanced_accuracy_score(data.split.targets.values, predicted)
    )
    assert scores["recall/b"]["value"] == pytest.approx(
        recall_score(data.split.targets.values, predicted, average=None)[1]
    )
    assert [scores[name]["n"] for name in ("accuracy", "recall/b", "f1/c")] == [60, 20, 20]
    assert scores["accuracy"]["method"] == "bootstrap over 60 images"


def test_saying_the_same_again_makes_no_interval_shorter():
    once, often = (score_out_of_fold(pooled(repeats=number, alike=True), CLASSES) for number in (1, 20))
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss"):
        assert often[name]["value"] == pytest.approx(once[name]["value"])
        widths = [scores[name]["high"] - scores[name]["low"] for scores in (once, often)]
        assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_groups_keep_their_number_in_the_method():
    groups = np.repeat([f"patient {number}" for number in range(12)], 5)
    scores = score_out_of_fold(pooled(repeats=2, groups=groups), CLASSES)
    assert scores["accuracy"]["method"] == "cluster bootstrap, 12 groups: indicative"


def test_a_part_is_one_repeat():
    data = pooled(repeats=3, groups=np.arange(60).astype(str))
    part = data.part(1)
    assert part.split.names == data.split.names[:60] and part.repeats == 1
    np.testing.assert_array_equal(part.split.predictions.probabilities, data.split.predictions.probabilities[60:120])


def test_spread_over_folds():
    folds = [{"accuracy": value, "log_loss": None} for value in (0.7, 0.8, 0.9)]
    found = spread(SCORES, folds)
    assert set(found) == {"accuracy"}
    assert found["accuracy"] == pytest.approx({"mean": 0.8, "deviation": 0.1, "lowest": 0.7, "highest": 0.9})
    assert "deviation" not in spread(SCORES, folds[:1])["accuracy"]


def test_the_reading_says_of_what_and_how_different():
    scores = {"accuracy": {"value": 0.842, "low": 0.7, "high": 0.93, "n": 165}}
    folds = {"accuracy": {"mean": 0.84, "deviation": 0.09, "lowest": 0.71, "highest": 0.97}}
    assert reading("accuracy", scores, folds, 16, 5) == (
        "Accuracy 0.842 (0.700–0.930) on 165 images of 16 groups, each predicted by a network that had seen none of "
        "its group. Over 5 test folds it lies between 0.710 and 0.970 (mean 0.840, standard deviation 0.090)."
    )
    assert "each predicted by a network that had not seen it" in reading("accuracy", scores, folds, 0, 5)
