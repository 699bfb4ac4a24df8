from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from opsin.tasks.classification.leakage import compare_with_unseen, describe_leak, estimate_leak, leak_finding
from opsin.tasks.classification.predictions import Classifications

CLASSES = ("benign", "malignant")


def sample(known=40, new=40, right=(0.95, 0.75), size=5, seed=0):
    """Test images of known and of new groups, ``size`` images each, and how often each kind is right."""
    generator = np.random.default_rng(seed)
    number = (known + new) * size
    labels = generator.integers(0, 2, number)
    groups = np.repeat([f"patient {index}" for index in range(known + new)], size)
    odds = np.where(np.arange(number) < known * size, *right)
    predicted = np.where(generator.random(number) < odds, labels, 1 - labels)
    probabilities = np.full((number, 2), 0.1, np.float32)
    probabilities[np.arange(number), predicted] = 0.9
    seen = np.array([f"patient {index}" for index in range(known)] + ["patient elsewhere"])
    return labels, Classifications(probabilities), groups, seen


def test_scores_are_told_apart_by_whether_the_group_was_seen():
    labels, predictions, groups, seen = sample()
    leak = estimate_leak(labels, predictions, groups, seen, CLASSES)
    clean = ~np.isin(groups, seen)
    assert (leak["images"], leak["leaked"], leak["clean"], leak["groups"], leak["shared"]) == (400, 200, 200, 80, 40)
    for name, score in (("accuracy", accuracy_score), ("balanced_accuracy", balanced_accuracy_score)):
        parts = {
            "all": score(labels, predictions.labels),
            "leaked": score(labels[~clean], predictions.labels[~clean]),
            "clean": score(labels[clean], predictions.labels[clean]),
        }
        assert {part: leak["scores"][part][name]["value"] for part in parts} == pytest.approx(parts)
        entry = leak["difference"][name]
        assert entry["value"] == pytest.approx(parts["leaked"] - parts["clean"])
        assert entry["low"] < entry["value"] < entry["high"] and entry["method"] == "cluster bootstrap, 80 groups"
    scores = {part: leak["scores"][part]["accuracy"]["value"] for part in leak["scores"]}
    assert leak["owed"]["accuracy"]["value"] == pytest.approx(scores["all"] - scores["clean"])


def test_the_interval_is_that_of_two_independent_proportions_where_images_are():
    labels, predictions, groups, seen = sample(known=600, new=400, right=(0.9, 0.7), size=1)
    leak = estimate_leak(labels, predictions, groups, seen, CLASSES)
    right, known = predictions.labels == labels, np.isin(groups, seen)
    deviation = np.sqrt(sum(right[rows].var() / rows.sum() for rows in (known, ~known)))
    entry = leak["difference"]["accuracy"]
    assert entry["value"] - entry["low"] == pytest.approx(1.96 * deviation, rel=0.1)
    assert entry["high"] - entry["value"] == pytest.approx(1.96 * deviation, rel=0.1)
    assert leak["owed"]["accuracy"]["high"] == pytest.approx(0.6 * entry["high"])


def test_a_split_without_shared_groups_does_not_leak():
    labels, predictions, groups, _ = sample()
    assert estimate_leak(labels, predictions, groups, np.array(["patient elsewhere"]), CLASSES) is None


@pytest.mark.parametrize("new", [0, 1, 4])
def test_too_few_new_groups_are_said_to_be_too_few(new):
    labels, predictions, groups, seen = sample(new=new, size=20)
    leak = estimate_leak(labels, predictions, groups, seen, CLASSES)
    assert not leak["enough"] and "owed" not in leak
    words = f"Only {20 * new} images are from new groups, too few" if new else "No test image comes from a new group"
    assert words in describe_leak(leak | {"cross_validation": None})
    assert (leak["scores"]["clean"] is None) == (new == 0)


def test_new_images_of_one_class_alone_are_too_few():
    labels, predictions, groups, seen = sample()
    labels = np.where(np.isin(groups, seen), labels, 1)
    assert not estimate_leak(labels, predictions, groups, seen, CLASSES)["enough"]


def test_the_comparison_with_unseen_groups_is_paired():
    labels, predictions, groups, _ = sample(right=(0.9, 0.9))
    unseen = np.clip((predictions.labels == labels) - 0.1, 0, 1)
    owed = compare_with_unseen(labels, predictions.labels, unseen, groups)
    right = (predictions.labels == labels).mean()
    assert owed["accuracy"]["value"] == pytest.approx(0.1 * right)
    # Each pair differs by a tenth or not at all: the interval is far shorter than that of either score.
    assert owed["accuracy"]["high"] - owed["accuracy"]["low"] < 0.01
    same = compare_with_unseen(labels, predictions.labels, (predictions.labels == labels).astype(float), groups)
    assert same["accuracy"]["value"] == 0 and -0.06 < same["accuracy"]["low"] <= 0 <= same["accuracy"]["high"] < 0.06


def found(owed=None, cross_validation=None):
    accuracy = {"value": 0.9, "low": 0.85, "high": 0.94, "n": 80}
    leak = {
        "images": 80, "leaked": 74, "clean": 6, "groups": 9, "shared": 8, "enough": owed is not None,
        "scores": {part: {"accuracy": accuracy} for part in ("all", "leaked", "clean")},
        "command": "opsin cross-validate runs/glands", "cross_validation": None,
    }  # fmt: skip
    if owed:
        leak["owed"] = {"accuracy": dict(zip(("value", "low", "high"), owed, strict=True))}
    if cross_validation:
        entry = dict(zip(("value", "low", "high"), cross_validation, strict=True))
        leak["cross_validation"] = {"path": "x", "accuracy": 0.9 - entry["value"], "owed": {"accuracy": entry}}
    return leak


@pytest.mark.parametrize(
    ("owed", "cross_validation", "severity"),
    [
        (None, None, "warning"),
        ((0.08, 0.02, 0.14), None, "serious"),
        ((0.04, 0.01, 0.09), None, "warning"),
        ((0.08, -0.02, 0.14), None, "warning"),
        ((0.001, -0.01, 0.01), None, "note"),
        (None, (0.1, 0.05, 0.2), "serious"),
        ((0.08, 0.02, 0.14), (0.0, -0.01, 0.01), "note"),
    ],
)
def test_the_finding_is_as_severe_as_what_the_score_owes(owed, cross_validation, severity):
    finding = leak_finding(found(owed, cross_validation))
    assert (finding.kind, finding.severity) == ("leaky-split", severity)
    assert finding.sentence == (
        "The given split has a data leak: 74 of the 80 test images come from groups that are also in training or "
        "validation (8 of 9 groups)."
    )
    assert ("`opsin cross-validate runs/glands`" in finding.advice) == (owed is None and cross_validation is None)
    assert "--no-given-split" in finding.advice


def test_the_words_hold_the_numbers():
    assert "contributes 8.0 points (2.0 to 14.0)" in describe_leak(found((0.08, 0.02, 0.14)))
    text = describe_leak(found(None, (0.1, 0.05, 0.2)))
    assert "classify 0.800 of the same images correctly, this one 0.900: the leak contributes 10.0 points" in text
