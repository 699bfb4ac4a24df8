import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.audit.features import Features
from opsin.audit.label_errors import find_label_errors, rank_label_errors


def classes_in_space(number, classes=3, seed=0):
    """Points around one corner for each class, and their labels."""
    labels = np.arange(number) % classes
    values = np.random.default_rng(seed).normal(size=(number, 8)).astype(np.float32)
    values[np.arange(number), labels] += 6
    return values, labels


def as_features(values):
    return Features(values, values.std(axis=0), np.arange(len(values)), "features of a test")


@given(st.integers(0, 1000), st.integers(2, 5), st.integers(2, 20))
def test_ranking_follows_the_rule_of_confident_learning(seed, classes, number):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(classes), number)
    labels = generator.integers(0, classes, number)
    elsewhere = 0
    for row in range(number):
        reached = {
            label: probabilities[row, label]
            for label in set(labels.tolist())
            if probabilities[row, label] >= probabilities[labels == label, label].mean() - 1e-12
        }
        elsewhere += bool(reached) and max(reached, key=reached.get) != labels[row]
    margins = {row: probabilities[row].max() - probabilities[row, labels[row]] for row in range(number)}
    expected = sorted((row for row in margins if margins[row] > 0), key=lambda row: -margins[row])[:elsewhere]
    assert rank_label_errors(probabilities, labels).tolist() == expected


def test_wrong_labels_are_found_with_the_right_class(make_material, noise):
    values, labels = classes_in_space(150)
    given_labels = labels.copy()
    wrong = [3, 40, 77, 121]
    given_labels[wrong] = (labels[wrong] + 1) % 3
    material = make_material(noise(150), given_labels, classes=("a", "b", "c"))
    (finding,) = find_label_errors(material, as_features(values))
    assert set(finding.images) == {f"image {row}" for row in wrong}
    assert finding.suggestions == {f"image {row}": "abc"[labels[row]] for row in wrong}
    assert finding.details["image 3"].startswith("labeled b, predicted a (")
    assert find_label_errors(make_material(noise(150), labels, classes=("a", "b", "c")), as_features(values)) == []


def test_labels_a_person_gave_or_kept_are_not_doubted(make_material, noise):
    values, labels = classes_in_space(150)
    labels[[3, 40, 77]] = (labels[[3, 40, 77]] + 1) % 3
    material = make_material(noise(150), labels, classes=("a", "b", "c"), reviewed={3: "keep", 40: "relabel"})
    (finding,) = find_label_errors(material, as_features(values))
    assert finding.images == ("image 77",)


def test_copies_of_an_image_do_not_vouch_for_its_label(make_material, noise):
    values, labels = classes_in_space(150)
    pixels = noise(150)
    pixels[[4, 5, 6]] = pixels[3]
    values[[4, 5, 6]] = values[3]
    labels[[3, 4, 5, 6]] = (labels[3] + 1) % 3
    (finding,) = find_label_errors(make_material(pixels, labels, classes=("a", "b", "c")), as_features(values))
    assert set(finding.images) == {"image 3", "image 4", "image 5", "image 6"}


@pytest.mark.parametrize("groups", [None, np.repeat(["p", "q"], 75)])
def test_too_little_to_learn_from_says_nothing(make_material, noise, groups):
    values, labels = classes_in_space(150)
    if groups is None:
        labels = np.where(np.arange(150) < 145, 0, 1)
    material = make_material(noise(150), labels, classes=("a", "b", "c"), groups=groups)
    assert find_label_errors(material, as_features(values)) == []
