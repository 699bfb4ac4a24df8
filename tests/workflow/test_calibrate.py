from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from scipy.special import softmax

import opsin
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.evaluation.calibration import fit_temperature, tempered

QUICK = {"network": "mlp", "batch_size": 32, "device": "cpu", "quiet": True, "inspect": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Smoothed labels make the network too modest."""
    return opsin.train("digits", out=tmp_path_factory.mktemp("runs") / "run", epochs=3, label_smoothing=0.4, **QUICK)


def test_all_predictions_of_a_run_are_at_its_temperature(run, digits):
    temperature = run.folder.temperature
    assert 0 < temperature < 0.95
    pixels = torch.from_numpy(digits.images.array)
    logits = []
    run.predictor.network.head.register_forward_hook(lambda layer, images, output: logits.append(output))
    for split in ("validation", "test"):
        predicted = run.folder.predicted(split)
        names, labels, stored = predicted.names, predicted.targets.values, predicted.predictions
        rows = torch.tensor([int(name.rpartition(" ")[2]) for name in names])
        made = run.predictor.predict_pixels(pixels, rows)
        np.testing.assert_array_equal(made.probabilities, stored.probabilities)
        plain = softmax(torch.cat(logits).numpy(), axis=1)
        np.testing.assert_allclose(tempered(plain, temperature), stored.probabilities, atol=1e-5)
        if split == "validation":
            assert temperature == pytest.approx(fit_temperature(labels, plain), rel=1e-3)
        logits.clear()


def test_scoring_again_gives_the_same_scores(run):
    assert opsin.evaluate(run, split="validation", quiet=True) == run.scorecard["validation"]


def test_a_run_made_before_calibration_predicts_at_temperature_1(run, digits, tmp_path):
    image = digits.images.read(0)
    shutil.copytree(run.path, tmp_path / "old")
    (tmp_path / "old" / "calibration.json").unlink()
    old, new = opsin.predict(tmp_path / "old", [image])[0], opsin.predict(run.path, [image])[0]
    probabilities = np.array([list(old.probabilities.values())])
    expected = tempered(probabilities, run.folder.temperature)[0]
    np.testing.assert_allclose(list(new.probabilities.values()), expected, atol=1e-6)
    assert old.label == new.label


def test_a_run_knows_the_images_that_are_unlike_its_own(run, digits):
    images = digits.images.array
    known = run.predictor.unlikeness
    assert known.n == sum(run.folder.info["data"]["counts"]["validation"])
    ordinary = [prediction.unlike for prediction in run.predict(images)]
    turned = [prediction.unlike for prediction in run.predict(255 - images)]
    assert np.mean(np.array(ordinary) > 1) < 0.05
    assert np.mean(np.array(turned) > 1) > 0.95
    rows = torch.arange(len(images))
    _, unlike = run.predictor.predict_unlike(torch.from_numpy(images), rows)
    np.testing.assert_allclose(unlike, ordinary, rtol=1e-4)


def test_a_run_without_that_knowledge_says_nothing(run, digits, tmp_path):
    shutil.copytree(run.path, tmp_path / "old")
    (tmp_path / "old" / "unlike.safetensors").unlink()
    assert opsin.predict(tmp_path / "old", [digits.images.read(0)])[0].unlike is None


def test_other_data_that_are_unlike_are_told(run, digits, capsys):
    inverted = Dataset(
        "inverted",
        digits.classes,
        ArrayImages(255 - digits.images.array[:50]),
        ClassTargets(digits.targets.values[:50]),
    )
    opsin.evaluate(run, inverted)
    assert "of these 50 images are unlike the training images" in " ".join(capsys.readouterr().out.split())
