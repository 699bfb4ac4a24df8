import numpy as np
import pytest

from opsin.audit import features as features_module
from opsin.audit import outliers
from opsin.audit.features import Features, extract_features
from opsin.audit.outliers import find_outliers
from opsin.networks.pretrained import has_offline_weights


@pytest.fixture
def no_weights(monkeypatch):
    monkeypatch.setattr(features_module, "find_weights", lambda name: None)


def cloud(number, seed=0, wide=16):
    return np.random.default_rng(seed).normal(size=(number, wide)).astype(np.float32)


def as_features(values, rows=None):
    rows = np.arange(len(values)) if rows is None else np.asarray(rows)
    return Features(values, values.std(axis=0), rows, "features of a test")


def test_far_points_are_found_the_farthest_first(make_material, noise):
    values = cloud(120)
    values[7] += 9
    values[80] += 6
    (finding,) = find_outliers(make_material(noise(120), np.arange(120) % 2), as_features(values))
    assert finding.images == ("image 7", "image 80")
    assert "features of a test" in finding.sentence
    assert find_outliers(make_material(noise(120), np.arange(120) % 2), as_features(cloud(120))) == []


def test_several_foreign_pictures_do_not_vouch_for_each_other(make_material, noise):
    values = cloud(600)
    values[:4] = values[0] + 12 + 0.1 * cloud(4, 1)
    (finding,) = find_outliers(make_material(noise(600), np.arange(600) % 2), as_features(values))
    assert set(finding.images) >= {f"image {row}" for row in range(4)} and len(finding.images) < 8


def test_a_rare_class_belongs(make_material, noise):
    values = cloud(4000)
    values[:35] += 12
    labels = (np.arange(4000) >= 35).astype(int)
    material = make_material(noise(1).repeat(4000, axis=0), labels)
    found = find_outliers(material, as_features(values))
    reported = {name for finding in found for name in finding.images}
    assert not reported & {f"image {row}" for row in range(35)}
    elsewhere = find_outliers(make_material(noise(1).repeat(4000, axis=0), np.ones(4000, int)), as_features(values))
    assert set(elsewhere[0].images) >= {f"image {row}" for row in range(35)}  # as no class vouches for them


def test_blank_and_kept_pictures_are_not_reported_here(make_material, noise):
    values, pixels = cloud(120), noise(120)
    values[[7, 8, 9]] += 9
    pixels[8] = 0
    material = make_material(pixels, np.arange(120) % 2, reviewed={9: "keep"})
    assert find_outliers(material, as_features(values))[0].images == ("image 7",)


def test_a_sample_speaks_for_its_own_rows(make_material, noise):
    values = cloud(60)
    values[5] += 9
    found = find_outliers(make_material(noise(120), np.arange(120) % 2), as_features(values, np.arange(0, 120, 2)))
    assert found[0].images == ("image 10",)


def test_neighbors_among_a_sample_are_about_as_far(monkeypatch):
    values = cloud(500)
    exact = outliers._neighbor_distances(values, 0.05, 3)
    sums = np.sort(np.linalg.norm(values[:, None] - values, axis=2), axis=1)[:, 25]
    assert np.allclose(exact, sums, atol=1e-3)
    monkeypatch.setattr(outliers, "COMPARED", 200)
    monkeypatch.setattr(outliers, "CHUNK", 200 * 7)
    assert np.corrcoef(exact, outliers._neighbor_distances(values, 0.05, 3))[0, 1] > 0.95


def test_components_without_weights_keep_distances(no_weights, noise):
    pixels = np.concatenate([noise(20, side=16), noise(20, side=16)])
    found = extract_features(pixels)
    assert "16×16 pixels" in found.source and found.rows.tolist() == list(range(40))
    assert np.allclose(found.values[:20], found.values[20:], atol=1e-4)
    flat = pixels.reshape(40, -1) / 255
    expected = np.linalg.norm(flat[:, None] - flat, axis=2)
    assert np.allclose(np.linalg.norm(found.values[:, None] - found.values, axis=2), expected, atol=1e-2)
    assert np.allclose(found.spread, found.values.std(axis=0))
    again = extract_features(pixels)
    assert (again.values == found.values).all()


def test_more_images_than_can_be_looked_at_are_sampled(no_weights, noise, monkeypatch):
    monkeypatch.setattr(features_module, "MOST", 30)
    told = []
    found = extract_features(noise(100), lambda done, total: told.append((done, total)))
    assert len(found.values) == len(set(found.rows.tolist())) == 30 and (np.diff(found.rows) > 0).all()
    assert "a sample of 30 of the 100 images" in found.source and told[-1] == (30, 30)


@pytest.mark.skipif(not has_offline_weights(), reason="the extra 'offline' is not installed")
@pytest.mark.parametrize("channels", [1, 3])
def test_features_of_the_network_tell_pictures_apart(noise, channels):
    pixels = np.concatenate([noise(6), 255 - noise(6, seed=1) // 8, noise(6)])[..., :channels]
    found = extract_features(pixels)
    assert found.values.shape[0] == 18 and found.source.startswith("features of tf_efficientnet_lite0")
    distance = np.linalg.norm(found.values[:, None] - found.values, axis=2)
    assert distance[:6, 12:].diagonal().max() < 0.2 * distance[:6, 6:12].min()
