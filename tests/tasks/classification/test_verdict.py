import dataclasses
import json
import re

import numpy as np
import pytest

from opsin.evaluation.verdict.order import HEADLINES, headline
from opsin.metrics.classification import confusion_matrix
from opsin.recipe.recipe import flag_names
from opsin.statistics.serialize import to_json
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.classification.scorecard import score
from opsin.tasks.classification.verdict import Finding, diagnose


def curves(validation_loss, train_loss, validation_accuracy, train_accuracy=None):
    """Rows of history.jsonl; without training accuracy, as under mixup."""
    rows = []
    for index, values in enumerate(zip(validation_loss, train_loss, validation_accuracy, strict=True)):
        train = {"loss": float(values[1])}
        if train_accuracy is not None:
            train["accuracy"] = float(train_accuracy[index])
        validation = {"loss": float(values[0]), "accuracy": float(values[2])}
        rows.append({"epoch": index + 1, "learning_rate": 0.01, "train": train, "validation": validation})
    return rows


def healthy_curves(epochs=20, end=0.97, noise=0.004, seed=0):
    """Curves that settle at an accuracy of ``end``, as those of one-cycle training do."""
    steps = np.arange(epochs) / max(epochs - 1, 1)
    generator = np.random.default_rng(seed)
    accuracy = end - (end - 0.4) * np.exp(-6 * steps)
    loss = 3 * (1 - end) + 0.02 + 1.5 * np.exp(-6 * steps)
    wobble = generator.normal(size=(2, epochs)) * noise
    return curves(loss * (1 + wobble[0]), loss * 1.1, accuracy + wobble[1] / 4, accuracy - 0.01)


def scores_of(confusion, confidence=None, groups=None):
    """The scorecard of a confusion matrix whose every probability equals ``confidence`` (its accuracy, left out)."""
    confusion = np.asarray(confusion)
    number = len(confusion)
    true, predicted = (np.repeat(index.ravel(), confusion.ravel()) for index in np.indices(confusion.shape))
    confidence = np.trace(confusion) / confusion.sum() if confidence is None else confidence
    confidence = max(confidence, 1 / number + 1e-3)
    probabilities = np.full((len(true), number), (1 - confidence) / (number - 1), np.float32)
    probabilities[np.arange(len(true)), predicted] = confidence
    names = [f"c{index}" for index in range(number)]
    return to_json(score(Classifications(probabilities), true, names, groups))


def information(train=(400, 400, 400), test=(300, 300, 300), **more):
    counts = {"train": list(train), "validation": list(test), "test": list(test)}
    data = {"classes": [f"c{index}" for index in range(len(train))], "counts": counts, "images": 3000, "left_out": {}}
    speed = {"loader": 9000.0, "model": 900.0, "training": 880.0}
    return {"state": "finished", "data": data, "throughput": speed, "network": {"weights": "random"}} | more


def even_errors(right=291, wrong=(5, 4), classes=3):
    confusion = np.full((classes, classes), wrong[1])
    np.fill_diagonal(confusion, right)
    for row in range(classes):
        confusion[row, (row + 1) % classes] = wrong[0]
    return confusion


GOOD = even_errors()
# Told of numbers, of several labels, and of masks.
OTHER_TASKS = {"biased", "shrunk", "no-better-than-mean", "few-positives", "weak-label", "checkerboard"}
GOOD_CARD = {"test": scores_of(GOOD), "validation": scores_of(GOOD)}


def kinds(findings):
    return {finding.kind: finding for finding in findings}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("epochs", "noise"), [(5, 0.01), (20, 0.01), (20, 0.05), (60, 0.05)])
def test_healthy_runs_raise_no_alarm(seed, epochs, noise):
    findings = diagnose(healthy_curves(epochs, noise=noise, seed=seed), GOOD_CARD, information(), GOOD, 0.0)
    others = {"still-improving"} if epochs == 5 else set()
    assert {"healthy"} <= kinds(findings).keys() <= {"healthy"} | others
    assert findings[-1].severity == "good"
    assert headline(findings, GOOD_CARD) == "healthy"


def test_overfitting_is_dated_and_measured():
    epochs = np.arange(1, 21)
    validation = np.where(epochs <= 6, 1 - 0.79 * (epochs - 1) / 5, 0.21 + 0.13 * (epochs - 6) / 14)
    history = curves(validation, 1 / epochs, np.full(20, 0.93), 1 - 0.08 / epochs)
    findings = diagnose(history, GOOD_CARD, information(best={"epoch": 7}))
    found = kinds(findings)["overfitting"]
    assert found.severity == "warning"
    assert found.sentence == (
        "Validation loss has risen from 0.210 (epoch 6) to 0.331 (epoch 20) while training loss kept falling, "
        "from 0.167 to 0.050."
    )
    assert "epoch 7" in found.evidence and "0.930" in found.evidence
    assert "--early-stopping 5" in found.advice
    assert "healthy" not in kinds(findings)
    assert headline(findings, GOOD_CARD) == "overfitting"


def test_a_small_rise_or_a_rise_of_both_losses_is_not_overfitting():
    small = np.r_[np.linspace(0.1, 0.018, 10), np.linspace(0.018, 0.026, 10)]
    assert "overfitting" not in kinds(diagnose(curves(small, np.linspace(1, 0.01, 20), np.full(20, 0.99)), {}, {}))
    both = np.r_[np.linspace(1, 0.2, 10), np.linspace(0.2, 0.4, 10)]
    assert "overfitting" not in kinds(diagnose(curves(both, both, np.full(20, 0.9)), {}, {}))


def test_a_steep_rise_is_overfitting_also_where_the_training_loss_stays():
    """As Adam does at a high rate: the network grows surer of its mistakes, and learns nothing more."""
    steep = np.r_[np.linspace(0.1, 0.066, 7), np.linspace(0.066, 0.176, 33)]
    stays = np.r_[np.linspace(0.17, 0.041, 7), np.full(33, 0.041)]
    (found,) = [
        each for each in diagnose(curves(steep, stays, np.full(40, 0.98)), {}, {}) if each.kind == "overfitting"
    ]
    assert found.sentence.endswith("while training loss stayed at 0.041.") and found.severity == "warning"
    gentle = np.r_[steep[:7], np.linspace(0.066, 0.09, 33)]
    assert "overfitting" not in kinds(diagnose(curves(gentle, stays, np.full(40, 0.98)), {}, {}))


def test_a_gap_between_training_and_validation_is_overfitting():
    flat = np.full(10, 0.3)
    history = curves(flat, flat, np.full(10, 0.88), np.full(10, 0.99))
    found = kinds(diagnose(history, GOOD_CARD, information()))["overfitting"]
    assert "accuracy 0.990 in training against 0.880 in validation" in found.sentence
    assert "augmented images" in found.evidence and found.severity == "warning"
    few = information(test=(10, 10, 10))
    assert "overfitting" not in kinds(diagnose(curves(flat, flat, np.full(10, 0.9), np.full(10, 0.97)), {}, few))


def test_underfitting():
    confusion = even_errors(150, (80, 70))
    flat = np.full(10, 1.0)
    history = curves(flat, flat, np.full(10, 0.5), np.full(10, 0.49))
    findings = kinds(diagnose(history, {"test": scores_of(confusion)}, information()))
    assert "0.490 in training and 0.500 in validation" in findings["underfitting"].sentence
    assert "--epochs 20" in findings["underfitting"].advice
    assert "did-not-learn" not in findings and "healthy" not in findings


def test_still_improving():
    steps = np.arange(12)
    history = curves(1.5 - 0.1 * steps, 1.5 - 0.1 * steps, 0.3 + 0.04 * steps, 0.3 + 0.04 * steps)
    findings = diagnose(history, GOOD_CARD, information())
    found = kinds(findings)["still-improving"]
    assert found.advice == "Train longer: `--epochs 24`."
    assert "from epoch 10 to 12" in found.sentence
    assert kinds(findings)["healthy"].severity == "good"


@pytest.mark.parametrize("shares", [[300, 300, 300], [810, 45, 45]])
def test_did_not_learn_whatever_the_shares_of_classes(shares):
    confusion = np.zeros((3, 3), int)
    confusion[:, 0] = shares
    flat = np.full(10, 1.1)
    history = curves(flat, flat, np.full(10, shares[0] / 900), np.full(10, shares[0] / 900))
    findings = diagnose(history, {"test": scores_of(confusion)}, information(test=shares), confusion)
    assert findings[0].kind == "did-not-learn" and findings[0].severity == "serious"
    assert f"{shares[0] / 900:.3f}" in findings[0].sentence
    assert not {"underfitting", "weak-class", "imbalance", "healthy"} & kinds(findings).keys()
    assert headline(findings, {"test": scores_of(confusion)}) == "it has not learned the task"


def test_a_good_score_on_three_images_is_unsure_but_learned():
    scorecard = {"test": scores_of([[2, 0], [0, 1]])}
    findings = kinds(diagnose([], scorecard, information((400, 400), (2, 1))))
    assert "did-not-learn" not in findings
    assert findings["few-test-images"].sentence.startswith("With 3 test images the accuracy is uncertain")


def test_slow_start():
    accuracy = np.r_[[0.333, 0.34, 0.333, 0.35], np.linspace(0.5, 0.97, 16)]
    loss = 1.2 - accuracy
    history = curves(loss, loss, accuracy, accuracy)
    found = kinds(diagnose(history, GOOD_CARD, information()))["slow-start"]
    assert "first 4 epochs" in found.sentence and "epoch 5" in found.sentence
    many = information((100,) * 100, (20,) * 100)
    early = np.r_[0.03, np.linspace(0.1, 0.6, 9)]
    assert "slow-start" not in kinds(diagnose(curves(1 - early, 1 - early, early, early), {}, many))


def test_a_weak_class_is_named_with_what_it_is_taken_for():
    confusion = np.array([[295, 3, 2], [3, 295, 2], [6, 34, 260]])
    scorecard = {"test": scores_of(confusion)}
    findings = diagnose(healthy_curves(), scorecard, information(), confusion)
    found = kinds(findings)["weak-class"]
    assert "`c2`" in found.sentence and "`c1` (34 of 40 errors)" in found.sentence
    assert "400 training images" in found.evidence
    assert found.severity == "note"
    assert headline(findings, scorecard) == "healthy; more `c2` images would help most"
    stored = [Finding(**finding.to_dict()) for finding in findings]
    assert headline(stored, scorecard) == "healthy; more `c2` images would help most"


def test_a_very_weak_class_is_a_warning():
    confusion = np.array([[295, 3, 2], [3, 295, 2], [10, 150, 140]])
    scorecard = {"test": scores_of(confusion)}
    findings = diagnose([], scorecard, information(), confusion)
    assert findings[0].kind == "weak-class" and findings[0].severity == "warning"
    assert headline(findings, scorecard) == "low recall of `c2`"


def test_no_class_of_many_equal_ones_is_called_weak_by_chance():
    generator = np.random.default_rng(0)
    alarms = 0
    for _ in range(10):
        right = generator.binomial(50, 0.9, 40)
        confusion = np.diag(right)
        confusion[np.arange(40), (np.arange(40) + 1) % 40] = 50 - right
        alarms += "weak-class" in kinds(diagnose([], {"test": scores_of(confusion)}, {}))
    assert alarms <= 1


def test_a_rare_class_that_suffers_is_told_apart():
    confusion = np.array([[295, 3, 2], [3, 295, 2], [6, 34, 260]])
    findings = kinds(diagnose([], {"test": scores_of(confusion)}, information((500, 500, 60)), confusion))
    assert "60 of 1,060 training images" in findings["imbalance"].sentence
    assert "--balance weights" in findings["imbalance"].advice
    assert "weak-class" not in findings
    assert "imbalance" not in kinds(diagnose([], GOOD_CARD, information((500, 500, 60)), GOOD))


def test_few_test_images():
    confusion = np.array([[16, 2], [2, 16]])
    found = kinds(diagnose([], {"test": scores_of(confusion)}, information((300, 300), (18, 18))))["few-test-images"]
    assert found.sentence.startswith("With 36 test images the accuracy is uncertain by about ±10 points")
    assert re.search(r"About 1\d\d images", found.evidence)


def test_few_training_images():
    confusion = even_errors(40, (6, 4))
    few = information((15, 18, 40), (50, 50, 50))
    found = kinds(diagnose([], {"test": scores_of(confusion)}, few))["few-training-images"]
    assert found.severity == "warning" and "73, with a median of 18" in found.sentence
    assert "--pretrained" in found.advice
    tuned = few | {"network": {"weights": "ImageNet"}}
    assert (
        "--pretrained" not in kinds(diagnose([], {"test": scores_of(confusion)}, tuned))["few-training-images"].advice
    )
    assert "few-training-images" not in kinds(diagnose([], GOOD_CARD, few))


def test_few_groups_are_indicative():
    scorecard = {"test": scores_of(GOOD, groups=np.arange(900) % 16)}
    findings = diagnose([], scorecard, information())
    assert "16 groups" in kinds(findings)["few-groups"].sentence
    assert kinds(findings).keys() == {"few-groups", "healthy"}
    assert "few-groups" not in kinds(diagnose([], {"test": scores_of(GOOD, groups=np.arange(900) % 60)}, information()))


@pytest.mark.parametrize(
    ("confidence", "difference", "words"),
    [(0.99, 0.19, "overconfident"), (0.6, -0.2, "underconfident"), (0.6, None, "on average.")],
)
def test_probabilities_that_are_off(confidence, difference, words):
    scorecard = {"test": scores_of(even_errors(240, (30, 30)), confidence)}
    found = kinds(diagnose([], scorecard, information(), None, difference))["miscalibrated"]
    assert words in found.sentence and found.severity == "warning"
    assert "miscalibrated" not in kinds(diagnose([], {"test": scores_of(even_errors(240, (30, 30)))}, information()))


def test_validation_and_test_that_differ():
    scorecard = {"validation": scores_of(GOOD), "test": scores_of(even_errors(250, (30, 20)))}
    found = kinds(diagnose([], scorecard, information()))["validation-test-gap"]
    assert found.severity == "warning" and found.sentence.startswith("Accuracy is 14 points lower on test")
    swapped = {"validation": scorecard["test"], "test": scorecard["validation"]}
    assert kinds(diagnose([], swapped, information()))["validation-test-gap"].severity == "note"


def test_images_left_out_are_named():
    info = information()
    info["data"]["left_out"] = {"a.jpg": "is empty (0 bytes)", "b.jpg": "is cut off"}
    found = kinds(diagnose([], GOOD_CARD, info))["unreadable-images"]
    assert found.sentence.startswith("2 images could not be read")
    assert found.evidence == "a.jpg is empty (0 bytes); b.jpg is cut off." and found.severity == "note"
    info["data"]["left_out"] = {f"{index}.jpg": "is empty" for index in range(500)}
    found = kinds(diagnose([], GOOD_CARD, info))["unreadable-images"]
    assert found.severity == "warning" and "and 497 more" in found.evidence


def test_a_starved_network_is_seen():
    slow = information(throughput={"loader": 900.0, "model": 800.0, "training": 700.0})
    found = kinds(diagnose([], GOOD_CARD, slow))["starved"]
    assert "900 images/s" in found.sentence and "800" in found.sentence


def test_the_most_severe_comes_first():
    flat = np.full(10, 0.3)
    confusion = np.array([[295, 3, 2], [3, 295, 2], [6, 34, 260]])
    history = curves(flat, flat, np.full(10, 0.85), np.full(10, 0.99))
    findings = diagnose(history, {"test": scores_of(confusion)}, information(), confusion)
    order = ["serious", "warning", "note", "good"]
    ranks = [order.index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks) and findings[0].kind == "overfitting"
    assert headline(findings, {"test": scores_of(confusion)}) == "overfitting; low recall of `c2`"


def test_little_is_known_and_little_is_said():
    assert diagnose([], {}, {}) == []
    assert headline([], {}) == "no findings yet"
    assert diagnose(curves([1.0], [1.0], [0.5]), {}, {}) == []
    assert kinds(diagnose([], {"validation": scores_of(GOOD)}, {})).keys() == {"healthy"}
    missing = json.loads(json.dumps(scores_of([[100, 0, 0], [0, 100, 0], [0, 0, 0]])))
    assert missing["recall/c2"]["value"] is None
    assert kinds(diagnose([], {"test": missing}, information(test=(100, 100, 0)))).keys() == {"healthy"}


def test_a_broken_off_history_without_training_accuracy_is_read():
    history = healthy_curves()
    for row in history:
        del row["train"]["accuracy"]
    assert kinds(diagnose(history, GOOD_CARD, information())).keys() == {"healthy"}


def test_findings_are_complete_and_advise_real_flags():
    """Every fault at once: all that is said is whole sentences, and every flag exists."""
    flags = {"--" + name.replace("_", "-") for name in flag_names()}
    confusion = np.array([[180, 60, 60], [20, 240, 40], [100, 150, 50]])
    info = information((30, 15, 4), throughput={"loader": 1.0, "model": 9.0})
    info["data"]["left_out"] = {"a.jpg": "is empty"}
    rise = np.r_[np.linspace(1, 0.2, 10), np.linspace(0.2, 0.9, 10)]
    history = curves(rise, np.linspace(1, 0.1, 20), np.full(20, 0.5), np.full(20, 0.6))
    scorecard = {"test": scores_of(confusion, 0.99, np.arange(900) % 12), "validation": scores_of(GOOD)}
    findings = diagnose(history, scorecard, info, confusion, 0.5)
    findings += diagnose(
        curves(*[np.linspace(1, 0.5, 4)] * 2, np.linspace(0.2, 0.4, 4), np.full(4, 0.3)), scorecard, information()
    )
    findings += diagnose([], {"test": scores_of(np.full((3, 3), 10))}, information((30, 30, 30), (30, 30, 30)))
    fragile = {"title": "noise", "flag": "--noise 0.1", "severities": [{"severity": 2, "amount": "some", "value": 0.6}]}
    fragile["severities"][0] |= {"cost": 0.4, "error": 0.06, "n": 100}
    found = {"score": "accuracy", "clean": {"value": 1.0}, "corruptions": [fragile]}
    border = {"width": 0.1, "area": 0.36, "shares": {"occlusion": [0.6, 0.7, 0.8, 0.7]}}
    findings += diagnose([], GOOD_CARD, information(), GOOD, 0.0, found, {"border": border})
    leak = {"images": 30, "leaked": 28, "clean": 2, "groups": 5, "shared": 4, "enough": False}
    leak |= {"scores": {"all": {"accuracy": {"value": 0.9}}}, "command": "opsin cross-validate runs/leaky"}
    findings += diagnose([], GOOD_CARD, information(), GOOD, 0.0, leak=leak)
    assert {finding.kind for finding in findings} >= HEADLINES.keys() - {"healthy", "slow-start", *OTHER_TASKS}
    for finding in findings:
        assert list(finding.to_dict()) == [field.name for field in dataclasses.fields(Finding)]
        for text in (finding.sentence, finding.evidence, finding.advice):
            assert text.endswith(".") and "nan" not in text and "np." not in text and "  " not in text, text
        assert {flag.replace("--no-", "--") for flag in re.findall(r"--[a-z-]+", finding.advice)} <= flags


def test_confusion_matrix_of_predictions_fits_the_diagnosis():
    labels, predicted = np.repeat([0, 1, 2], 300), np.repeat([0, 1, 2], 300)
    assert kinds(diagnose([], GOOD_CARD, information(), confusion_matrix(labels, predicted, 3))).keys() == {"healthy"}
