from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from opsin.errors import RunError
from opsin.inference.ood import Unlikeness, choose_images, fit_unlikeness
from opsin.storage.safetensors import write_tensors


def features(n: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in 12 directions, some of which vary more than others; the shift leads away from all of them."""
    random = np.random.default_rng(seed)
    centers = np.random.default_rng(9).normal(3, 1, (3, 12))
    labels = random.integers(0, 3, n)
    made = centers[labels] + random.normal(0, np.linspace(0.1, 1, 12), (n, 12))
    made[:, 0] += shift
    return made.astype(np.float32), labels


@pytest.fixture(scope="module")
def known() -> Unlikeness:
    found = fit_unlikeness(*features(600, 0), features(299, 1)[0])
    assert found is not None
    return found


def test_the_score_is_the_shrunk_mahalanobis_distance_to_the_nearest_class(known: Unlikeness) -> None:
    training, labels = features(600, 0)
    unit = training / np.linalg.norm(training, axis=1, keepdims=True)
    means = np.stack([unit[labels == number].mean(axis=0) for number in range(3)])
    inverse = LedoitWolf(assume_centered=True).fit(unit - means[labels]).precision_
    fresh = features(20, 5, shift=2)[0]
    wanted = [min(mahalanobis(one / np.linalg.norm(one), mean, inverse) for mean in means) for one in fresh]
    np.testing.assert_allclose(known.score(fresh) * known.threshold, wanted, rtol=1e-3)


def test_one_in_a_hundred_ordinary_images_is_called_unlike(known: Unlikeness) -> None:
    assert known.false_alarms == pytest.approx(0.01)
    assert (known.score(features(299, 1)[0]) > 1).sum() == 2  # above the 297th of 299
    alarms = [
        (fitted.score(features(2000, 100 + seed)[0]) > 1).mean()
        for seed in range(20)
        if (fitted := fit_unlikeness(*features(600, seed), features(299, 50 + seed)[0])) is not None
    ]
    assert np.mean(alarms) == pytest.approx(0.01, abs=0.004)


def test_images_from_elsewhere_are_found(known: Unlikeness) -> None:
    ordinary, strange = known.score(features(300, 6)[0]), known.score(features(300, 7, shift=2)[0])
    assert roc_auc_score(np.repeat([0, 1], 300), np.concatenate([ordinary, strange])) > 0.99
    assert (strange > 1).mean() > 0.9


@given(st.floats(0.01, 100))
def test_only_the_direction_of_features_counts(factor: float) -> None:
    found = fit_unlikeness(*features(60, 0), features(20, 1)[0])
    assert found is not None
    fresh = features(5, 2)[0]
    np.testing.assert_allclose(found.score(fresh * np.float32(factor)), found.score(fresh), rtol=1e-3)


@pytest.mark.parametrize(("n", "alarms"), [(8, 1 / 9), (50, 1 / 51), (99, 1 / 100), (1000, 10 / 1001)])
def test_few_validation_images_raise_the_part_of_false_alarms(n: int, alarms: float) -> None:
    found = fit_unlikeness(*features(100, 0), features(n, 1)[0])
    assert found is not None
    assert found.false_alarms == pytest.approx(alarms)
    assert (found.score(features(n, 1)[0]) > 1 + 1e-6).sum() == round(alarms * (n + 1)) - 1


def test_without_variation_or_validation_images_nothing_is_said() -> None:
    training, labels = features(50, 0)
    assert fit_unlikeness(training, labels, training[:7]) is None
    assert fit_unlikeness(np.ones((50, 4)), labels, np.ones((20, 4))) is None
    assert fit_unlikeness(np.eye(3)[labels], labels, np.eye(3)[labels]) is None  # all there is is the class


def test_dead_features_and_many_of_them_are_no_trouble() -> None:
    random = np.random.default_rng(0)
    training = np.maximum(random.normal(0, 1, (60, 2100)), 0).astype(np.float32)
    training[:, :100] = 0
    found = fit_unlikeness(training, np.arange(60) % 2, training[:20])
    assert found is not None
    assert len(found.chosen) == 2048
    assert np.isfinite(found.score(np.zeros((2, 2100)))).all()
    assert found.score(np.zeros((0, 2100))).shape == (0,)


def test_what_is_written_is_read_again(known: Unlikeness, tmp_path: Path) -> None:
    known.save(tmp_path / "unlike.safetensors")
    again = Unlikeness.load(tmp_path / "unlike.safetensors")
    fresh = features(9, 3)[0]
    np.testing.assert_array_equal(again.score(fresh), known.score(fresh))
    assert (again.false_alarms, again.n) == (known.false_alarms, known.n)
    write_tensors(tmp_path / "unlike.safetensors", {"means": torch.zeros(2)}, {})
    with pytest.raises(RunError, match=r"unlike\.safetensors is damaged"):
        Unlikeness.load(tmp_path / "unlike.safetensors")


def test_the_images_that_are_compared_are_as_many_of_each_class_as_there_are() -> None:
    labels = np.repeat([0, 1, 2], [6000, 3000, 1000])
    rows = np.arange(len(labels))[::2]
    chosen = choose_images(labels, rows)
    assert np.isin(chosen, rows).all() and len(np.unique(chosen)) == len(chosen) == 2000
    np.testing.assert_allclose(np.bincount(labels[chosen]), [1200, 600, 200], atol=2)
    np.testing.assert_array_equal(choose_images(labels, rows), chosen)
    np.testing.assert_array_equal(choose_images(labels, rows[:100]), rows[:100])
    assert len(choose_images(np.arange(9000) % 300, np.arange(9000))) == 6000
