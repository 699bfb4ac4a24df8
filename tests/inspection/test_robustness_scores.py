from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opsin.data.corruptions import CORRUPTIONS, corrupt
from opsin.data.mask_codes import VOID
from opsin.data.targets import ClassTargets, DecodedMasks, LabelTargets, ValueTargets
from opsin.evaluation.verdict.robustness import robustness_findings
from opsin.inspection.domain_shift import estimate_accuracy, laboratory_scores
from opsin.inspection.robustness import (
    LABORATORY,
    Trial,
    applicable,
    choose_images,
    measure_corruptions,
    simulate_laboratories,
)
from opsin.recipe.schema import AugmentationRecipe
from opsin.tasks.classification.predictions import Classifications
from opsin.tasks.multilabel.predictions import LabelSets
from opsin.tasks.regression.predictions import Values
from opsin.tasks.segmentation.predictions import SegmentationMasks

NOTHING = AugmentationRecipe(strength=0.0)
CLASSES = ("dark", "light")


@pytest.fixture(scope="module")
def images():
    """Sixty color images of 16x16, the first class dark, the second light, uint8 (N, C, H, W)."""
    generator = torch.Generator().manual_seed(0)
    level = torch.arange(60) % 2 * 120 + 60
    return (level.view(-1, 1, 1, 1) + torch.randint(-40, 41, (60, 3, 16, 16), generator=generator)).to(torch.uint8)


LABELS = np.arange(60) % 2


def by_brightness(images):
    """A network that looks at brightness only, and so fails where brightness changes and nowhere else."""
    return certain((images.float().mean(dim=(1, 2, 3)) > 120).long().numpy())


def certain(labels):
    """Probabilities of 1 for these classes."""
    return Classifications(np.eye(2, dtype=np.float32)[labels])


def tried(predict, images, labels=LABELS):
    return Trial(predict, images, ClassTargets(labels), CLASSES)


def test_accuracies_are_those_of_the_network_on_corrupted_images(images):
    found = measure_corruptions(tried(by_brightness, images), NOTHING)
    assert found["clean"]["value"] == 1 and found["clean"]["n"] == 60
    assert [row["name"] for row in found["corruptions"]] == list(CORRUPTIONS)
    for row in found["corruptions"]:
        for entry in row["severities"]:
            predicted = by_brightness(corrupt(images, row["name"], entry["severity"])).labels
            expected = (predicted == LABELS).mean()
            assert entry["value"] == pytest.approx(expected)
            assert entry["low"] <= entry["value"] <= entry["high"]
            assert entry["cost"] == pytest.approx(1 - expected)
            assert entry["error"] == pytest.approx(math.sqrt(round(60 * (1 - expected))) / 60)  # McNemar's
    by_name = {row["name"]: [entry["value"] for entry in row["severities"]] for row in found["corruptions"]}
    assert min(by_name["brightness"]) < 0.8 and min(by_name["rotation"] + by_name["jpeg"]) == 1
    assert found["worst"]["value"] == min(np.mean(values) for values in by_name.values())
    assert found["mean"] == pytest.approx(np.mean(list(by_name.values())))


def test_what_training_has_seen_does_not_count_in_the_mean(images):
    seen = AugmentationRecipe(brightness=0.2, contrast=0.1)
    found = measure_corruptions(tried(by_brightness, images), seen, [3])
    new = [row["severities"][0]["value"] for row in found["corruptions"] if not row["seen"]]
    assert {row["name"] for row in found["corruptions"] if row["seen"]} == {"brightness", "contrast"}
    assert found["mean"] == pytest.approx(np.mean(new))


def test_classes_that_suffer_come_first(images):
    def sees_no_light(images):
        return certain(np.where(images.float().std(dim=(1, 2, 3)).numpy() > 26, 0, by_brightness(images).labels))

    found = measure_corruptions(tried(sees_no_light, images), NOTHING)
    assert [row["class"] for row in found["classes"]] == ["light", "dark"]
    assert found["classes"][0]["corrupted"] < found["classes"][1]["corrupted"] <= 1
    assert [row["n"] for row in found["classes"]] == [30, 30]


def test_every_laboratory_changes_all_its_images_alike_and_none_is_like_another(images):
    batches = []

    def remember(images):
        batches.append(images)
        return by_brightness(images)

    same = images[:1].repeat(5, 1, 1, 1)
    found, _ = simulate_laboratories(tried(remember, same, np.zeros(5, np.int64)), number=4, strongest=2.0)
    without_noise = [batch.float().mean(dim=(2, 3)) for batch in batches[1:]]  # the first is as it was
    for batch in without_noise:
        assert (batch - batch[0]).abs().max() < 4  # apart from noise, which averages out over an image
    assert len({tuple(batch[0].round().tolist()) for batch in without_noise}) == 4
    assert all(0 <= value <= 2 for row in found["severities"] for value in row.values())
    assert all(list(row) == list(LABORATORY) for row in found["severities"])


def test_laboratories_are_the_same_each_time_and_told_by_their_median(images):
    first, answers = simulate_laboratories(tried(by_brightness, images), number=9)
    assert first == simulate_laboratories(tried(by_brightness, images), number=9)[0]
    right = (answers.predicted == LABELS).sum(axis=1)
    assert right[0] == 60 and right[1:].tolist() == [sum(row) for row in first["right"]]
    assert answers.confidence.shape == (10, 60) and (answers.confidence == 1).all()
    accuracies = np.sort([sum(row) / 60 for row in first["right"]])
    assert first["expected"] == pytest.approx(accuracies[4])
    assert first["worst"] == pytest.approx(accuracies[0])
    assert first["low"] == pytest.approx(np.quantile(accuracies, 0.1))
    assert first["high"] == pytest.approx(np.quantile(accuracies, 0.9))


def test_the_estimate_weighs_the_classes_that_are_there():
    laboratories = {"images": [10, 10, 0], "right": [[10, 0, 0], [10, 5, 0]]}
    assert laboratory_scores(laboratories, [1, 1, 0]).tolist() == [0.5, 0.75]
    assert laboratory_scores(laboratories, [7, 0, 0]).tolist() == [1, 1]
    assert laboratory_scores(laboratories, [0, 3, 100]).tolist() == [0, 0.5]  # nothing is known of the third class
    assert math.isnan(estimate_accuracy(laboratories, [0, 0, 4])["expected"])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=200), st.integers(1, 250))
def test_chosen_images_keep_the_shares_of_the_classes(labels, number):
    labels = np.array(labels)
    chosen = choose_images(labels, number)
    assert len(chosen) == len(np.unique(chosen)) == min(number, len(labels))
    for label in np.unique(labels):
        share = (labels == label).mean() * len(chosen)
        assert abs((labels[chosen] == label).sum() - share) <= 1 + 1e-9
    assert np.array_equal(chosen, choose_images(labels, number))


def test_grey_images_have_no_color_to_lose(images):
    grey = images[:, :1]
    assert "cast" not in applicable(grey) and "cast" not in applicable(grey.expand(-1, 3, -1, -1))
    assert applicable(images) == list(CORRUPTIONS)
    found, _ = simulate_laboratories(tried(by_brightness, grey), number=1)
    assert "stain" not in found["severities"][0] and "noise" in found["severities"][0]


@pytest.fixture(scope="module")
def blobs():
    """Thirty grey images of 32x32 with a bright square each, uint8 (N, 1, H, W), and their masks, one all void."""
    masks = np.zeros((30, 32, 32), np.uint8)
    for number, (down, across) in enumerate(np.random.default_rng(0).integers(2, 20, (30, 2))):
        masks[number, down : down + 9, across : across + 9] = 1
    images = torch.from_numpy(masks)[:, None] * 160 + 40
    masks[7] = VOID
    return images, masks


def bright(images):
    """A network that finds what is brighter than the middle of its image."""
    values = images[:, 0].float()
    middle = (values.amax((1, 2), keepdim=True) + values.amin((1, 2), keepdim=True)) / 2
    labels = (values > middle).numpy().astype(np.uint8)
    return SegmentationMasks(labels, np.full_like(labels, 255), 2)


def test_masks_are_moved_with_their_images(blobs):
    images, masks = blobs
    found = measure_corruptions(
        Trial(bright, images, DecodedMasks(masks), ("ground", "square"), "segmentation"), NOTHING
    )
    assert found["score"] == "dice" and found["classes"] == []
    assert found["clean"]["value"] == 1 and found["clean"]["n"] == 29
    by_name = {row["name"]: row["severities"] for row in found["corruptions"]}
    for name in ("rotation", "scale"):  # which would cost half of the Dice if masks stayed where they are
        assert min(entry["value"] for entry in by_name[name]) > 0.9, name
    noise = by_name["noise"][-1]
    assert noise["low"] < noise["value"] < noise["high"] < 1
    assert noise["cost"] == pytest.approx(1 - noise["value"])


def test_masks_move_in_laboratories_as_well(blobs):
    images, masks = blobs
    trial = Trial(bright, images, DecodedMasks(masks), ("ground", "square"), "segmentation")
    found, answers = simulate_laboratories(trial, number=5)
    assert answers is None and len(found["scores"]) == 5
    assert found["worst"] == min(found["scores"]) > 0.6
    assert found["expected"] == np.median(found["scores"])


def test_an_error_that_grows_is_a_cost_and_the_largest_the_worst(images):
    def level(images):
        return Values(images.float().mean(dim=(1, 2, 3)).numpy())

    values = level(images).values.astype(np.float64) + np.where(LABELS, 1.0, -1.0)
    trial = Trial(level, images, ValueTargets(values), ("level",), "regression")
    found = measure_corruptions(trial, NOTHING, [1, 3])
    assert found["score"] == "mae" and found["clean"]["value"] == pytest.approx(1)
    rows = {row["name"]: row["severities"] for row in found["corruptions"]}
    assert rows["brightness"][1]["cost"] > rows["brightness"][0]["cost"] > 1
    assert rows["brightness"][1]["low"] <= rows["brightness"][1]["value"] <= rows["brightness"][1]["high"]
    means = {name: np.mean([entry["value"] for entry in entries]) for name, entries in rows.items()}
    assert found["worst"]["value"] == max(means.values()) == pytest.approx(means[found["worst"]["name"]])
    laboratories, _ = simulate_laboratories(trial, number=5)
    assert laboratories["worst"] == max(laboratories["scores"])
    assert laboratories["low"] <= laboratories["expected"] <= laboratories["high"]


def test_several_labels_count_where_all_are_right(images):
    def both(images):
        light = by_brightness(images).labels == 1
        return LabelSets(np.stack([light, light], axis=1).astype(np.float32), np.stack([light, light], axis=1))

    truth = np.stack([LABELS == 1, (LABELS == 1) & (np.arange(60) % 3 > 0)], axis=1)
    found = measure_corruptions(Trial(both, images, LabelTargets(truth), ("light", "odd"), "multilabel"), NOTHING, [2])
    assert found["score"] == "exact_match" and found["clean"]["method"] == "Wilson"
    assert found["clean"]["value"] == (truth[:, 0] == truth[:, 1]).mean() < 1


def entry(severity, lost, gained=0, n=200):
    """What a corruption does that makes some of n images wrong and others right."""
    cost, error = (lost - gained) / n, math.sqrt(lost + gained) / n
    return {"severity": severity, "amount": "a little", "value": 0.95 - cost, "cost": cost, "error": error, "n": n}


def robustness(score="accuracy", clean=0.95, **rows):
    corruptions = [
        {"name": name, "title": name, "flag": CORRUPTIONS[name].flag, "seen": False, "severities": entries}
        for name, entries in rows.items()
    ]
    return {"score": score, "clean": {"value": clean}, "corruptions": corruptions}


def test_a_mild_change_that_costs_much_is_found_and_the_costliest_named():
    found = robustness_findings(robustness(blur=[entry(1, 2), entry(2, 20)], noise=[entry(2, 60)]))
    assert [finding.kind for finding in found] == ["fragile"] and found[0].severity == "warning"
    assert "noise of severity 2" in found[0].sentence and "from 0.950 to 0.650" in found[0].sentence
    assert "blur to 0.850" in found[0].evidence and "--noise 0.1" in found[0].advice
    (mild,) = robustness_findings(robustness(blur=[entry(2, 22)]))
    assert mild.severity == "note" and "other instruments" in mild.advice


@pytest.mark.parametrize(
    "rows",
    [
        {"noise": [entry(2, 5), entry(5, 150)]},  # only the worst costs much
        {"noise": [entry(2, 4, n=40)]},  # a tenth, but of few images
        {"noise": [entry(2, 40, gained=35)]},  # as many are mended as broken
    ],
)
def test_what_costs_little_or_may_be_chance_is_no_finding(rows):
    assert robustness_findings(robustness(**rows)) == []
    assert robustness_findings({}) == []


def test_an_error_counts_beside_what_it_is_without_the_change():
    off = {"severity": 2, "amount": "a little", "value": 5.2, "cost": 1.2, "error": 0.1, "n": 200}
    (found,) = robustness_findings(robustness("mae", 4.0, blur=[off]))
    assert found.severity == "note" and "MAE from 4.000 to 5.200" in found.sentence
    assert robustness_findings(robustness("mae", 40.0, blur=[off])) == []
    (found,) = robustness_findings(robustness("mae", 2.0, blur=[off]))
    assert found.severity == "warning"
