from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opsin.inspection.attribution_methods import METHODS, SIGNED, attribute
from opsin.inspection.attributions import EFFORTS, choose_effort, encode, inspect, shrink, smoothed
from opsin.networks.registry import create_network
from opsin.reporting.run_report.report import render_report
from opsin.runs.folder import RunFolder


@pytest.fixture(scope="module")
def run(trained, subject):
    inspect(trained.folder, subject)
    return trained


@pytest.fixture(scope="module")
def stored(run):
    return run.folder.arrays("attributions.npz", "rows", "images", "targets", "maps", "scales")


def test_the_ends_of_the_gallery_are_explained(run, stored):
    gallery, pictures = run.folder.thumbnails("test")
    ends = np.r_[0:8, len(gallery) - 4 : len(gallery)]
    np.testing.assert_array_equal(stored["rows"], gallery[ends])
    np.testing.assert_array_equal(stored["images"], pictures[ends])  # 8x8 pixels are not shrunk
    assert len(run.folder.looks) == 1  # these images of test were open already


def test_the_predicted_class_is_explained_and_the_true_one_where_it_differs(run, stored):
    predicted = run.folder.predicted("test")
    labels, predictions = predicted.targets.values, predicted.predictions
    rows = stored["rows"]
    wrong = labels[rows] != predictions.labels[rows]
    assert wrong.any() and not wrong.all()
    np.testing.assert_array_equal(stored["targets"][:, 0], predictions.labels[rows])
    np.testing.assert_array_equal(stored["targets"][:, 1], np.where(wrong, labels[rows], -1))
    assert not stored["maps"][~wrong, 1].any() and stored["maps"][wrong, 1].any(axis=(1, 2, 3)).all()


def test_maps_are_those_of_the_network_and_can_be_read_back(run, stored):
    facts = run.folder.attributions
    assert facts["methods"] == list(METHODS) and facts["images"] == 12 and facts["worst"] == 8
    predictor = run.predictor
    inputs = predictor.preprocessing.standardize(torch.from_numpy(stored["images"]))
    targets = torch.from_numpy(stored["targets"][:, 0])
    wanted = attribute(predictor.network, inputs, targets, ["saliency", "grad_cam"])
    for name, values in wanted.items():
        index = facts["methods"].index(name)
        read = stored["maps"][:, 0, index] / 255 * stored["scales"][:, 0, index, None, None]
        scale = stored["scales"][:, 0, index, None, None]
        assert (np.abs(read - np.minimum(values, scale)) <= 0.5 / 255 * scale + 1e-6).all(), name


def test_facts_say_what_was_done(run):
    facts = json.loads((run.path / "attributions.json").read_text(encoding="utf-8"))
    assert facts["signed"] == sorted(SIGNED)
    assert facts["feature_map"] == {"name": "features", "height": 2, "width": 2}
    assert facts["left_out"] == {} and facts["size"] == [8, 8] and facts["window"] == [2, 2] and facts["steps"] == 32
    assert facts["border"]["area"] == 1 - 36 / 64
    assert {name: len(facts["border"]["shares"][name]) for name in SIGNED} == dict.fromkeys(SIGNED, 12)


def test_examining_again_gives_the_same_bytes(run, subject):
    path = run.path / "attributions.npz"
    before = path.read_bytes()
    inspect(run.folder, subject)
    assert path.read_bytes() == before


@pytest.fixture
def copied(run, tmp_path):
    """A copy of the run folder that a test may change."""
    shutil.copytree(run.path, tmp_path / "copy")
    return RunFolder(tmp_path / "copy")


def test_networks_without_convolutions_leave_grad_cam_out(copied, subject):
    predictor = copy.copy(subject.predictor)
    predictor.network = create_network("mlp", 10, 1, (8, 8))
    inspect(copied, replace(subject, predictor=predictor))
    facts = copied.attributions
    assert "grad_cam" not in facts["methods"] and facts["feature_map"] is None
    assert "no convolutional" in facts["left_out"]["grad_cam"]
    assert copied.arrays("attributions.npz", "maps")["maps"].shape[:3] == (12, 2, 3)
    assert "Grad-CAM is not available: " in render_report(copied)


def test_without_a_gallery_nothing_is_written(copied, subject):
    for name in ("thumbnails-test.npz", "attributions.npz", "attributions.json"):
        (copied.path / name).unlink()
    inspect(copied, subject)
    assert not (copied.path / "attributions.npz").exists() and copied.attributions == {}


def test_large_networks_get_less_effort():
    assert choose_effort(0) == choose_effort(1_000) == EFFORTS[0]
    assert choose_effort(10**12) == EFFORTS[-1]
    costs = [effort.passes for effort in EFFORTS]
    assert costs == sorted(costs, reverse=True)
    assert choose_effort(1_000, budget=1_000 * costs[2]) == EFFORTS[2]


@given(arrays(np.float32, (4, 5), elements=st.floats(-2, 2, width=32)), st.booleans())
def test_encoding_keeps_sign_and_size(values, signed):
    values = values if signed else np.abs(values)
    code, scale = encode(values, signed=signed)
    read = (code.astype(float) - 128) / 127 * scale if signed else code / 255 * scale
    np.testing.assert_allclose(read, np.clip(values, -scale, scale), atol=scale / 250 + 1e-9)
    assert scale <= np.abs(values).max() * (1 + 1e-6)


def test_large_maps_are_smoothed_and_shrunk_without_losing_their_sum():
    values = np.zeros((224, 112), np.float32)
    values[100, 50] = 1
    wide = smoothed(values)
    assert wide.sum() == pytest.approx(1, abs=1e-4) and wide.max() < 0.05
    small = shrink(wide[..., None])
    assert small.shape == (112, 56, 1)
    assert small.sum() == pytest.approx(0.25, rel=0.05)  # a quarter of the places
    tiny = np.eye(64, dtype=np.float32)
    np.testing.assert_array_equal(smoothed(tiny), tiny)
