from __future__ import annotations

import numpy as np

from opsin.evaluation.verdict.order import headline
from opsin.statistics.serialize import to_json
from opsin.tasks.multilabel.predictions import LabelSets
from opsin.tasks.multilabel.scorecard import score
from opsin.tasks.multilabel.verdict import diagnose_labels

NAMES = ("cat", "dog", "owl")


def predicted(noises, images=400, seed=0, parts=(0.5, 0.4, 0.3)):
    generator = np.random.default_rng(seed)
    truth = generator.random((images, 3)) < parts
    logits = 2 * truth - 1 + generator.normal(0, 1, truth.shape) * noises
    chances = (1 / (1 + np.exp(-2 * logits))).astype(np.float32)
    return truth, LabelSets(chances, chances >= 0.5)


def curve(train=0.1, validation=0.12, epochs=8):
    return [
        {
            "epoch": at + 1,
            "train": {"loss": train + 0.5 * 0.5**at, "label_accuracy": 0.95},
            "validation": {"loss": validation + 0.5 * 0.5**at, "label_accuracy": 0.94, "map": 0.9},
        }
        for at in range(epochs)
    ]


def verdict(truth, predictions, history=None, validation=None, groups=None, counts=(150, 120, 90), attributions=None):
    card = {"test": to_json(score(predictions, truth, NAMES, groups))}
    if validation is not None:
        card["validation"] = to_json(score(validation[1], validation[0], NAMES))
    of_test = truth.sum(0).tolist()
    data = {"counts": {"train": list(counts), "test": of_test}, "splits": {"train": 300, "test": len(truth)}}
    found = diagnose_labels(history or curve(), card, {"data": data}, NAMES, attributions=attributions)
    return {finding.kind: finding for finding in found}, headline(found, card)


def test_a_good_run_is_healthy():
    found, words = verdict(*predicted((0.5, 0.5, 0.5)))
    assert set(found) == {"healthy"} and words == "healthy" and "exactly their labels" in found["healthy"].sentence


def test_the_label_that_fails_is_named():
    found, words = verdict(*predicted((0.5, 0.5, 50)))
    assert (
        "`owl`" in found["weak-label"].sentence
        and "chance" in found["weak-label"].sentence
        and found["weak-label"].severity == "warning"
    )
    assert words == "a label is predicted poorly"
    worse, _ = verdict(*predicted((0.5, 0.5, 1.6)), counts=(150, 120, 20))
    assert "`owl` is predicted worse" in worse["weak-label"].sentence
    assert "20 of 300 training images have the label" in worse["weak-label"].evidence
    assert "--balance weights" in worse["weak-label"].advice


def test_chance_is_no_learning():
    found, words = verdict(*predicted((90, 90, 90)))
    assert found["did-not-learn"].severity == "serious" and "chance (0.5)" in found["did-not-learn"].sentence


def test_curves_tell_over_and_underfitting():
    rows = curve(train=0.01)
    for at in range(4, 8):
        rows[at]["validation"]["loss"] = 0.2 + 0.1 * at
    rising, _ = verdict(*predicted((0.5, 0.5, 0.5)), history=rows)
    assert "Validation loss has risen" in rising["overfitting"].sentence
    poor, _ = verdict(*predicted((1.5, 1.5, 1.5)), history=curve(0.6, 0.6))
    assert "label frequencies" in poor["underfitting"].sentence


def test_few_images_groups_and_positives_are_said():
    truth, predictions = predicted((1, 1, 1), images=40, parts=(0.5, 0.5, 0.1))
    found, _ = verdict(truth, predictions, groups=np.arange(40) % 6)
    assert {"few-test-images", "few-groups", "few-positives"} <= set(found)
    assert "`owl`" in found["few-positives"].sentence


def test_a_gap_between_validation_and_test_is_said():
    found, _ = verdict(*predicted((2, 2, 2)), validation=predicted((0.4, 0.4, 0.4), seed=1))
    assert "lower on test" in found["validation-test-gap"].sentence


def test_a_network_that_looks_at_the_margin_is_told():
    shares = {"integrated_gradients": [0.7, 0.72, 0.69, 0.71], "occlusion": [0.7, 0.71, 0.7, 0.69]}
    looked = {"border": {"width": 0.1, "area": 0.35, "shares": shares}}
    found, words = verdict(*predicted((0.5, 0.5, 0.5)), attributions=looked)
    assert set(found) == {"looks-at-border"} and words == "it relies on the image border"
