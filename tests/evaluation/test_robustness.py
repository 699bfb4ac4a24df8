from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opsin.data.corruptions import CORRUPTIONS, corrupt
from opsin.evaluation.diagnosis_robustness import robustness_findings
from opsin.evaluation.elsewhere import foretell, laboratory_accuracies
from opsin.evaluation.robustness import (
    LABORATORY,
    applicable,
    choose_images,
    measure_corruptions,
    simulate_laboratories,
)
from opsin.recipe_sections import AugmentationRecipe

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
    """Probabilities of 1 for these classes, float32 (N, 2)."""
    return np.eye(2, dtype=np.float32)[labels]


def test_accuracies_are_those_of_the_network_on_corrupted_images(images):
    found = measure_corruptions(by_brightness, images, LABELS, CLASSES, NOTHING)
    assert found["clean"]["value"] == 1 and found["clean"]["n"] == 60
    assert [row["name"] for row in found["corruptions"]] == list(CORRUPTIONS)
    for row in found["corruptions"]:
        for entry in row["severities"]:
            predicted = by_brightness(corrupt(images, row["name"], entry["severity"])).argmax(axis=1)
            expected = (predicted == LABELS).mean()
            assert entry["value"] == pytest.approx(expected)
            assert entry["low"] <= entry["value"] <= entry["high"]
            assert entry["lost"] - entry["gained"] == round(60 * (1 - expected))
    by_name = {row["name"]: [entry["value"] for entry in row["severities"]] for row in found["corruptions"]}
    assert min(by_name["brightness"]) < 0.8 and min(by_name["rotation"] + by_name["jpeg"]) == 1
    assert found["worst"]["value"] == min(np.mean(values) for values in by_name.values())
    assert found["mean"] == pytest.approx(np.mean(list(by_name.values())))


def test_what_training_has_seen_does_not_count_in_the_mean(images):
    seen = AugmentationRecipe(brightness=0.2, contrast=0.1)
    found = measure_corruptions(by_brightness, images, LABELS, CLASSES, seen, [3])
    new = [row["severities"][0]["value"] for row in found["corruptions"] if not row["seen"]]
    assert {row["name"] for row in found["corruptions"] if row["seen"]} == {"brightness", "contrast"}
    assert found["mean"] == pytest.approx(np.mean(new))


def test_classes_that_suffer_come_first(images):
    def sees_no_light(images):
        return certain(
            np.where(images.float().std(dim=(1, 2, 3)).numpy() > 26, 0, by_brightness(images).argmax(axis=1))
        )

    found = measure_corruptions(sees_no_light, images, LABELS, CLASSES, NOTHING)
    assert [row["class"] for row in found["classes"]] == ["light", "dark"]
    assert found["classes"][0]["corrupted"] < found["classes"][1]["corrupted"] <= 1
    assert [row["n"] for row in found["classes"]] == [30, 30]


def test_every_laboratory_changes_all_its_images_alike_and_none_is_like_another(images):
    batches = []

    def remember(images):
        batches.append(images)
        return by_brightness(images)

    same = images[:1].repeat(5, 1, 1, 1)
    found, _ = simulate_laboratories(remember, same, np.zeros(5, np.int64), 2, number=4, strongest=2.0)
    without_noise = [batch.float().mean(dim=(2, 3)) for batch in batches[1:]]  # the first is as it was
    for batch in without_noise:
        assert (batch - batch[0]).abs().max() < 4  # apart from noise, which averages out over an image
    assert len({tuple(batch[0].round().tolist()) for batch in without_noise}) == 4
    assert all(0 <= value <= 2 for row in found["severities"] for value in row.values())
    assert all(list(row) == list(LABORATORY) for row in found["severities"])


def test_laboratories_are_the_same_each_time_and_told_by_their_median(images):
    first, answers = simulate_laboratories(by_brightness, images, LABELS, 2, number=9)
    assert first == simulate_laboratories(by_brightness, images, LABELS, 2, number=9)[0]
    right = (answers.predicted == LABELS).sum(axis=1)
    assert right[0] == 60 and right[1:].tolist() == [sum(row) for row in first["right"]]
    assert answers.confidence.shape == (10, 60) and (answers.confidence == 1).all()
    accuracies = np.sort([sum(row) / 60 for row in first["right"]])
    assert first["expected"] == pytest.approx(accuracies[4])
    assert first["worst"] == pytest.approx(accuracies[0])
    assert first["low"] == pytest.approx(np.quantile(accuracies, 0.1))
    assert first["high"] == pytest.approx(np.quantile(accuracies, 0.9))


def test_foretelling_weighs_the_classes_that_are_there():
    laboratories = {"images": [10, 10, 0], "right": [[10, 0, 0], [10, 5, 0]]}
    assert laboratory_accuracies(laboratories, [1, 1, 0]).tolist() == [0.5, 0.75]
    assert laboratory_accuracies(laboratories, [7, 0, 0]).tolist() == [1, 1]
    assert laboratory_accuracies(laboratories, [0, 3, 100]).tolist() == [0, 0.5]  # nothing is known of the third class
    assert math.isnan(foretell(laboratories, [0, 0, 4])["expected"])


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
    found, _ = simulate_laboratories(by_brightness, grey, LABELS, 2, number=1)
    assert "stain" not in found["severities"][0] and "noise" in found["severities"][0]


def entry(severity, lost, gained=0, n=200):
    value = 0.95 - (lost - gained) / n
    return {"severity": severity, "amount": "a little", "value": value, "lost": lost, "gained": gained, "n": n}


def robustness(**rows):
    corruptions = [
        {"name": name, "title": name, "flag": CORRUPTIONS[name].flag, "seen": False, "severities": entries}
        for name, entries in rows.items()
    ]
    return {"clean": {"value": 0.95}, "corruptions": corruptions}


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
