from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from opsin.inspection.projection import map_features, neighbor_agreement


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return data.data[:250].astype(np.float32), data.target[:250]


def test_principal_components_are_those_of_scikit_learn(digits):
    features, _ = digits
    found = map_features(features)
    model = PCA(2, svd_solver="covariance_eigh")
    wanted = model.fit_transform(features)
    signs = np.sign((wanted * found.principal).sum(axis=0))
    np.testing.assert_allclose(found.principal, wanted * signs, atol=1e-2)
    assert found.explained == pytest.approx(model.explained_variance_ratio_, rel=1e-4)


def test_neighbors_stay_together_and_the_seed_decides(digits):
    features, _ = digits
    found = map_features(features, seed=1).neighbors
    assert found is not None and found.shape == (250, 2) and found.dtype == np.float32
    assert trustworthiness(features, found, n_neighbors=10) > 0.93
    np.testing.assert_array_equal(found, map_features(features, seed=1).neighbors)


@pytest.mark.parametrize("number", [1, 2, 29])
def test_few_images_get_principal_components_only(number):
    found = map_features(np.random.default_rng(0).normal(size=(number, 5)).astype(np.float32))
    assert found.neighbors is None
    assert found.principal.shape == (number, 2) and np.isfinite(found.principal).all()


def test_images_that_the_network_cannot_tell_apart_lie_on_one_point():
    found = map_features(np.full((40, 6), 3.7, np.float32))
    assert found.neighbors is None and not found.principal.any() and found.explained == (0, 0)


def test_one_feature_makes_a_line_and_doubled_images_no_warning():
    features = np.repeat(np.linspace(0, 1, 20, dtype=np.float32), 2)[:, None]
    found = map_features(features)
    assert not found.principal[:, 1].any()
    assert found.neighbors is not None and np.isfinite(found.neighbors).all()


def test_agreement_of_neighbors_is_what_a_classifier_by_neighbors_sees(digits):
    features, labels = digits
    model = KNeighborsClassifier(6).fit(features, labels)
    _, nearest = model.kneighbors(features)
    wanted = (labels[nearest[:, 1:]] == labels[:, None]).mean()  # the first is the image itself
    assert neighbor_agreement(features, labels, number=5) == pytest.approx(wanted)
    assert np.isnan(neighbor_agreement(features[:1], labels[:1]))
