from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from opsin.data.batches import Batch
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.preprocessing import Preprocessing
from opsin.data.targets import MaskTargets
from opsin.errors import DataError, RecipeError, RunError, TrainingError
from opsin.metrics.segmentation import VOID
from opsin.recipe.recipe import Recipe
from opsin.tasks.segmentation.answers import MaskAnswers
from opsin.tasks.segmentation.files import read_masks, write_masks
from opsin.tasks.segmentation.learner import create_segmentation
from opsin.tasks.segmentation.predictions import SegmentationMasks


def create(classes=3, training=None, **settings):
    return create_segmentation(Recipe.from_dict({"training": settings}), classes, training)


def masks(number=4, size=(20, 24), classes=3, void=True):
    generator = torch.Generator().manual_seed(0)
    found = torch.randint(classes, (number, *size), generator=generator, dtype=torch.uint8)
    if void:
        found[torch.rand(found.shape, generator=generator) < 0.1] = VOID
    return found


def predictions(number=4, size=(20, 24), classes=3, seed=1):
    logits = 2 * torch.randn(number, classes, *size, generator=torch.Generator().manual_seed(seed))
    return logits, create(classes).decide(logits)


def test_the_loss_is_the_mean_over_images_and_void_counts_nowhere():
    torch.manual_seed(0)
    network, images, targets = nn.Conv2d(1, 3, 3, padding=1), torch.randn(4, 1, 20, 24), masks()
    logged = create(loss="cross-entropy").loss(network, Batch(images, targets))
    logits = network(images)
    each = [
        functional.cross_entropy(logits[row : row + 1], targets[row : row + 1].long(), ignore_index=VOID)
        for row in range(4)
    ]
    torch.testing.assert_close(logged["loss"], torch.stack(each).mean())
    known = targets != VOID
    right = (logits.argmax(1) == targets)[known].float().mean()
    torch.testing.assert_close(logged["pixel_accuracy"], right)


def test_predictions_are_the_softmax_in_bytes_and_batches_join():
    logits, found = predictions()
    probabilities = logits.softmax(1)
    np.testing.assert_array_equal(found.labels, logits.argmax(1).numpy())
    assert np.abs(found.confidence / 255 - probabilities.amax(1).numpy()).max() <= 0.5 / 255 + 1e-6
    task = create()
    network = nn.Identity()
    joined = task.join([task.predict(network, some) for some in logits.split(3)])
    np.testing.assert_array_equal(joined.labels, found.labels)
    assert len(task.join([])) == 0
    with pytest.raises(TrainingError, match="not numbers any more"):
        task.decide(logits * torch.nan)


def test_probabilities_of_two_classes_are_exact_to_a_byte():
    logits, found = predictions(classes=2)
    expected = logits.softmax(1).numpy()
    assert np.abs(found.probabilities() - expected).max() <= 0.5 / 255 + 1e-6
    assert np.abs(found.foreground() - expected[:, 1]).max() <= 0.5 / 255 + 1e-6
    np.testing.assert_allclose(predictions()[1].probabilities().sum(1), 1, atol=1e-6)


@pytest.mark.parametrize("loss", ["cross-entropy", "cross-entropy+dice", "tversky"])
def test_the_validation_loss_of_two_classes_is_the_training_loss(loss):
    logits = predictions(classes=2)[0] / 2  # surer ones would show where bytes end
    targets = masks(classes=2)
    task = create(2, loss=loss)
    found = task.decide(logits)
    trained = task.loss(nn.Identity(), Batch(logits, targets))["loss"]
    scored = task.score(found, targets)
    assert scored["loss"] == pytest.approx(float(trained), abs=0.01)
    assert set(scored) >= {"loss", "dice", "iou", "mean_iou", "pixel_accuracy"}


def test_an_epoch_is_better_by_dice_then_by_loss():
    task = create()
    best = {"dice": 0.5, "loss": 1.0}
    assert task.better({"dice": 0.6, "loss": 2.0}, best) and task.better({"dice": 0.5, "loss": 0.9}, best)
    assert not task.better({"dice": 0.5, "loss": 1.0}, best)


def test_rare_classes_weigh_more_in_the_loss_and_in_drawing():
    targets = torch.zeros(4, 4, 4, dtype=torch.uint8)
    targets[0, 0, 0], targets[:2, 1, 1], targets[3, 3, 3] = 2, 1, VOID
    task = create(3, targets, balance="weights")
    counts = np.array([60.0, 2.0, 1.0])  # of 64 pixels one is void
    np.testing.assert_allclose(task.class_weights, counts.sum() / (3 * counts), rtol=1e-5)
    np.testing.assert_allclose(create().sampling_weights(targets), [1, 1 / 2, 1 / 4, 1 / 4])


def test_images_with_masks_are_not_mixed():
    recipe = Recipe.from_dict({"augmentation": {"mixup": 0.2}})
    with pytest.raises(RecipeError, match="mix labels of images, not masks"):
        create_segmentation(recipe, 2)


def test_masks_become_targets_at_the_size_of_the_input():
    whole = np.random.default_rng(0).integers(0, 2, (3, 20, 30)).astype(np.uint8)
    images = ArrayImages(np.zeros((3, 20, 30, 3), np.uint8))
    data = Dataset("a", ("no", "yes"), images, MaskTargets(np.ones((3, 2), bool), ArrayImages(whole)))
    targets = data.targets.encode(Preprocessing(10, 15, 3)).data
    assert targets.shape == (3, 10, 15) and targets.dtype == torch.uint8
    expected = np.array(Image.fromarray(whole[1]).resize((15, 10), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(targets[1], expected)


def test_what_is_written_is_read_again(tmp_path):
    _, found = predictions()
    truth = masks().numpy()
    path = tmp_path / "predictions-test.csv"
    write_masks(path, ["a", "b", "c", "d"], ("x", "y", "z"), found, truth)
    names, true, read = read_masks(path, ("x", "y", "z"))
    assert names == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(true, truth)
    np.testing.assert_array_equal(read.labels, found.labels)
    np.testing.assert_array_equal(read.confidence, found.confidence)
    assert "area(y)" in path.read_text(encoding="utf-8").splitlines()[0]
    path.with_suffix(".npz").write_bytes(b"nothing")
    with pytest.raises(RunError):
        read_masks(path, ("x", "y", "z"))


def test_predictions_are_checked_taken_and_put_in_another_order():
    _, found = predictions()
    assert len(found.take(slice(0, 3))) == 3
    turned = found.reorder([2, 0, 1])
    np.testing.assert_array_equal(turned.labels == 0, found.labels == 2)
    np.testing.assert_array_equal(turned.areas()[:, 1], found.areas()[:, 0])
    with pytest.raises(DataError, match="cannot be pooled"):
        found.mean(np.zeros(4, int), 1)
    with pytest.raises(ValueError, match="labels must be uint8"):
        SegmentationMasks(found.labels.astype(int), found.confidence, 3)
    with pytest.raises(ValueError, match="differ in shape"):
        SegmentationMasks(found.labels, found.confidence[:2], 3)
    with pytest.raises(ValueError, match="between 0 and 1"):
        SegmentationMasks(found.labels, found.confidence, 2)


def test_answers_tell_areas():
    labels = np.zeros((2, 4, 5), np.uint8)
    labels[0, :2] = 1
    answers = MaskAnswers(SegmentationMasks(labels, np.full(labels.shape, 255, np.uint8), 2), ("ground", "gland"))
    assert answers.header == (["area(ground)", "area(gland)"], ["pixels(ground)", "pixels(gland)"])
    assert answers.cells(0, True) == (["0.5", "0.5"], ["10", "10"])
    assert answers.cells(0, False) == (["", ""], ["", ""])
    assert answers.entry(1, True) == ({"area": {"ground": 1.0, "gland": 0.0}}, {"pixels": {"ground": 20, "gland": 0}})
    assert answers.show(0, True) == ["50.0 %", "50.0 %"]
    assert answers.summary(np.array([True, True])) == "ground 75.0 %, gland 25.0 %"
    one = answers.prediction(0, "a.png", 0.3)
    assert (one.image, one.areas["gland"], one.unlike) == ("a.png", 0.5, 0.3)
    np.testing.assert_array_equal(one.mask, labels[0])
