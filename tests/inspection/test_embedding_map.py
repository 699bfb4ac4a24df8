from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from opsin.inspection import embedding_map as inspection
from opsin.networks.penultimate import penultimate_features

ARRAYS = ("rows", "principal", "neighbors", "explained", "agreement", "sheet", "tile")


def test_validation_images_are_laid_out_with_their_pictures(trained, subject):
    inspection.inspect(trained.folder, subject)
    stored = trained.folder.arrays("map.npz", *ARRAYS)
    rows = subject.rows["validation"]
    number = len(rows)
    np.testing.assert_array_equal(stored["rows"], np.arange(number))
    assert stored["principal"].shape == stored["neighbors"].shape == (number, 2)
    assert 0.2 < stored["agreement"] <= 1 and 0 < stored["explained"].sum() < 1
    width, height, columns = stored["tile"]
    sheet = np.asarray(Image.open(io.BytesIO(stored["sheet"].tobytes())))
    assert (width, height) == (8, 8) and sheet.shape == (8 * -(-number // columns), 8 * columns)
    for place, row in enumerate(rows):
        tile = sheet[8 * (place // columns) :, 8 * (place % columns) :][:8, :8]
        np.testing.assert_array_equal(tile, subject.pixels[row, :, :, 0].numpy())
    assert [look["split"] for look in trained.folder.looks] == ["test"]  # it stayed locked


def test_places_come_from_what_enters_the_last_layer(trained, subject):
    inspection.inspect(trained.folder, subject)
    places = trained.folder.arrays("map.npz", "principal")["principal"]
    chosen = torch.from_numpy(subject.rows["validation"])
    features = penultimate_features(trained.predictor.network, trained.predictor.preprocessing, subject.pixels, chosen)
    centered = features - features.mean(axis=0)
    _, _, axes = np.linalg.svd(centered, full_matrices=False)
    np.testing.assert_allclose(np.abs(centered @ axes[:2].T), np.abs(places), atol=1e-3)


def test_large_networks_lay_out_fewer_images_of_every_class(trained, subject, monkeypatch):
    monkeypatch.setattr(inspection, "BUDGET", 20 * trained.folder.info["network"]["macs"])
    monkeypatch.setattr(inspection, "FEWEST", 10)
    inspection.inspect(trained.folder, subject)
    rows = trained.folder.arrays("map.npz", "rows")["rows"]
    labels = subject.targets.values[subject.rows["validation"]]
    assert len(rows) == 20
    assert set(labels[rows]) == set(labels)


def test_without_validation_images_nothing_is_written(trained, subject):
    (trained.path / "map.npz").unlink(missing_ok=True)
    inspection.inspect(trained.folder, replace(subject, rows={"validation": np.arange(0)}))
    assert not (trained.path / "map.npz").exists()


@pytest.mark.parametrize(("largest", "format", "side"), [(10**7, "PNG", 32), (60_000, "JPEG", 32), (1, "JPEG", 16)])
def test_the_sheet_shrinks_until_it_fits(largest, format, side):
    pictures = list(np.random.default_rng(0).integers(0, 256, (40, 60, 80, 3), dtype=np.uint8))
    data, (width, height, columns) = inspection.contact_sheet(pictures, largest)
    sheet = Image.open(io.BytesIO(data))
    assert sheet.format == format
    assert len(data) <= largest or side == 16  # smaller than that nothing could be seen
    assert (width, height, columns) == (side, side * 3 // 4, 7)
    assert sheet.size == (7 * width, 6 * height)
