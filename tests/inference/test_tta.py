from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import opsin
from opsin.data.images import ArrayImages
from opsin.data.preprocessing import Preprocessing
from opsin.data.targets import ClassTargets
from opsin.inference.predict_images import predict_images
from opsin.inference.tta import Views, count_views, show
from opsin.networks.averaging import average_probabilities, average_values
from opsin.networks.registry import create_network
from opsin.recipe.recipe import from_settings
from opsin.tasks.classification.learner import ClassificationLearner
from opsin.training.prepare import prepare


def all_views(image):
    """The symmetries of an image, by NumPy."""
    turned = [np.rot90(image, times, axes=(-2, -1)) for times in range(4)]
    return {view.tobytes() for one in turned for view in (one, one[..., ::-1])}


@pytest.mark.parametrize(("symmetry", "views"), [("none", 1), ("mirror", 2), ("any", 8)])
def test_views_are_the_symmetries_of_the_image(symmetry, views):
    images = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4)
    number = count_views(symmetry, 4, 4)
    shown = [show(images, which) for which in range(number)]
    assert number == views and torch.equal(shown[0], images)
    expected = {
        "none": {images.numpy().tobytes()},
        "mirror": {images.numpy().tobytes(), images.numpy()[..., ::-1].tobytes()},
        "any": all_views(images.numpy()),
    }[symmetry]
    assert {view.contiguous().numpy().tobytes() for view in shown} == expected


def test_views_of_an_oblong_image_keep_its_shape():
    images = torch.arange(6).view(1, 1, 2, 3)
    shown = [show(images, which) for which in range(count_views("any", 2, 3))]
    assert [view.flatten().tolist() for view in shown] == [
        [0, 1, 2, 3, 4, 5],
        [2, 1, 0, 5, 4, 3],
        [5, 4, 3, 2, 1, 0],
        [3, 4, 5, 0, 1, 2],
    ]


def test_the_average_is_that_of_the_probabilities_and_the_temperature_comes_after():
    logits = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0)) * 5
    mean = logits.softmax(dim=-1).mean(dim=0)
    torch.testing.assert_close(average_probabilities(logits).softmax(dim=-1), mean)
    several = iter(logits)

    class Network(nn.Module):
        def forward(self, images):
            return next(several)

    task = ClassificationLearner(4, temperature=2.0)
    views = Views(Network(), 3, average_probabilities)
    predicted = task.predict(views, torch.zeros(5, 1, 2, 2)).probabilities
    torch.testing.assert_close(torch.from_numpy(predicted), mean.sqrt() / mean.sqrt().sum(dim=1, keepdim=True))


def test_maps_of_views_are_laid_on_the_image():
    torch.manual_seed(0)
    images, pointwise = torch.randn(2, 3, 6, 6), nn.Conv2d(3, 4, 1)  # sees each pixel alone
    torch.testing.assert_close(Views(pointwise, 8, average_values)(images), pointwise(images))
    wide = Views(nn.Conv2d(3, 4, 3, padding=1), 8, average_probabilities)
    turned = torch.rot90(images, 1, dims=(2, 3))
    torch.testing.assert_close(wide(turned), torch.rot90(wide(images), 1, dims=(2, 3)))
    torch.testing.assert_close(wide(images).softmax(dim=1).sum(dim=1), torch.ones(2, 6, 6))


def test_what_is_predicted_is_the_same_for_all_views_of_an_image():
    torch.manual_seed(0)
    network, task = create_network("course_cnn", 4, 1, (8, 8)), ClassificationLearner(4)
    preprocessing = Preprocessing(8, 8, 1, mean=(0.5,), std=(0.5,))
    pixels = torch.randint(0, 256, (3, 8, 8, 1), dtype=torch.uint8)
    rows = torch.arange(3)

    def predict(pixels, views):
        return predict_images(task, network, preprocessing, pixels, rows, views=views).probabilities

    turned = torch.rot90(pixels, 1, dims=(1, 2))
    np.testing.assert_allclose(predict(pixels, "any"), predict(turned, "any"), rtol=1e-5)
    np.testing.assert_allclose(predict(pixels, "mirror"), predict(pixels.flip(2), "mirror"), rtol=1e-5)
    assert not np.allclose(predict(pixels, "mirror"), predict(turned, "mirror"), rtol=1e-3)
    assert not np.allclose(predict(pixels, "none"), predict(pixels.flip(2), "none"), rtol=1e-3)


def test_the_data_decide_which_views_there_are_where_they_are_asked():
    photos = replace_images((20, 20, 20, 3), None)
    grey = replace_images((20, 8, 8, 1), None)
    cells = replace_images((20, 8, 8, 3), "any")
    asked = from_settings({"tta": "auto", "epochs": 1, "network": "course_cnn", "near_duplicates": False})
    assert [prepare(asked, data).recipe.data.tta for data in (photos, grey, cells)] == ["mirror", "none", "any"]
    assert prepare(asked.set("data.tta", "any"), grey).recipe.data.tta == "any"


def replace_images(shape, symmetry):
    from opsin.data.dataset import Dataset

    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return Dataset("data", ("a", "b"), ArrayImages(pixels), ClassTargets(np.arange(len(pixels)) % 2), symmetry=symmetry)


def test_validation_test_and_prediction_see_the_same_views(digits, tmp_path):
    some = replace(digits, images=ArrayImages(digits.images.array[:200]), targets=digits.targets.take(slice(200)))
    settings = {"network": "course_cnn", "epochs": 2, "device": "cpu", "precision": "32-true", "augment": 0.0}
    settings |= {"trainable_layers": 1, "learning_rate": 0.01, "inspect": False, "quiet": True}
    run = opsin.train(some, out=tmp_path / "views", tta="any", **settings)
    predicted = run.folder.predicted("validation")
    labels, validation = predicted.targets.values, predicted.predictions
    assert np.mean(validation.labels == labels) == pytest.approx(run.folder.info["best"]["scores"]["accuracy"])
    rows = [number for number, row in enumerate(run.folder.split_rows()) if row["split"] == "test"]
    images = some.images.array[rows]
    again = run.predict(images)
    turned = run.predict(np.rot90(images, 1, axes=(1, 2)).copy())
    test = run.folder.predicted("test").predictions
    for one, other, row in zip(again, turned, test.probabilities, strict=True):
        np.testing.assert_allclose(list(one.probabilities.values()), row, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(list(other.probabilities.values()), row, rtol=1e-3, atol=1e-5)
    assert "mean over all turns" in run.report.read_text(encoding="utf-8")

    plain = opsin.train(some, out=tmp_path / "plain", **settings)
    known = [folder.predictor.unlikeness.score(np.ones((1, 128), np.float32)) for folder in (run, plain)]
    np.testing.assert_allclose(*known, rtol=1e-5)  # what is ordinary does not depend on the views
