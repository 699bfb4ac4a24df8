from __future__ import annotations

import numpy as np
import pytest

from opsin.data.targets import DecodedMasks
from opsin.evaluation.comparison.pairing import Paired
from opsin.metrics import segmentation as metrics
from opsin.tasks.segmentation.compare import SegmentationScores
from opsin.tasks.segmentation.gallery import select_masks
from opsin.tasks.segmentation.predictions import SegmentationMasks
from opsin.tasks.segmentation.scorecard import score_masks


def example(number=30, classes=2, size=24, seed=0):
    """Masks of blobs, predicted with errors that vary from image to image."""
    generator = np.random.default_rng(seed)
    truth = np.zeros((number, size, size), np.uint8)
    for mask in truth:
        row, column = generator.integers(2, size - 10, 2)
        mask[row : row + 8, column : column + 8] = generator.integers(1, classes)
    wrong = generator.random(truth.shape) < generator.uniform(0, 0.3, (number, 1, 1))
    found = np.where(wrong, generator.integers(0, classes, truth.shape), truth).astype(np.uint8)
    return truth, SegmentationMasks(found, generator.integers(128, 256, truth.shape).astype(np.uint8), classes)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("grouped", [False, True])
def test_values_are_those_of_the_metrics_and_lie_in_their_intervals(classes, grouped):
    truth, found = example(classes=classes)
    truth[3, :2] = metrics.VOID
    names = [f"class {number}" for number in range(classes)]
    groups = np.arange(len(truth)) // 2 if grouped else None
    card = score_masks(found, truth, names, groups)
    confusion = metrics.confusion_matrices(truth, found.labels, classes)
    empty = metrics.empty_score(classes)
    boundary = metrics.boundary_f(truth, found.labels, classes, empty=empty)
    counted = metrics.counted_classes(classes)
    expected = {
        "dice": np.mean(metrics.image_dice(confusion)),
        "iou": np.mean(metrics.image_iou(confusion)),
        "mean_iou": metrics.mean_iou(confusion.sum(axis=0)),
        "pixel_accuracy": metrics.pixel_accuracy(confusion.sum(axis=0)),
        "boundary_f": np.mean(metrics.mean_of_known(boundary[:, counted])),
        f"dice/{names[1]}": np.nanmean(metrics.dice(confusion, empty)[:, 1]),
        f"boundary_f/{names[1]}": np.nanmean(boundary[:, 1]),
        f"dice/{names[0]}": np.nanmean(metrics.dice(confusion, empty)[:, 0]),
        f"iou/{names[0]}": metrics.iou(confusion.sum(axis=0))[0],
    }
    for name, value in expected.items():
        assert card[name].value == pytest.approx(float(value), abs=1e-9), name
        assert 0 <= card[name].low <= card[name].value <= card[name].high <= 1, name
    assert list(card)[:6] == ["dice", "iou", "mean_iou", "pixel_accuracy", "boundary_f", "checkerboard"]
    assert {f"{kind}/{name}" for kind in ("dice", "iou", "boundary_f") for name in names} <= set(card)
    assert ("15 groups" in card["dice"].method) == grouped
    assert card["dice"].high - card["dice"].low > 0.01


def test_images_of_one_group_widen_the_interval():
    truth, found = example(12)
    same = np.repeat(np.arange(12), 5)
    many = score_masks(found.take(same), truth[same], ["no", "yes"])
    few = score_masks(found.take(same), truth[same], ["no", "yes"], same)
    assert few["dice"].value == pytest.approx(many["dice"].value)
    assert few["dice"].high - few["dice"].low > 1.5 * (many["dice"].high - many["dice"].low)


def test_the_rule_of_empty_masks_and_images_that_are_void():
    truth = np.zeros((4, 20, 20), np.uint8)
    found = np.zeros_like(truth)
    truth[1, 2:9, 2:9], found[2, 3:6, 3:6], truth[3] = 1, 1, metrics.VOID
    sure = np.full(truth.shape, 255, np.uint8)
    card = score_masks(SegmentationMasks(found, sure, 2), truth, ["no", "yes"])
    assert card["dice"].value == pytest.approx(1 / 3)  # right, missed, a false alarm; void counts nowhere
    assert card["dice"].n == 3
    three = score_masks(SegmentationMasks(found, sure, 3), truth, ["no", "yes", "never"])
    assert np.isnan(three["dice/never"].value) and three["dice/yes"].value == 0
    assert three["dice/yes"].n == 2


def test_a_perfect_prediction_is_sure_of_little_but_itself():
    truth, _ = example(20, size=40)
    card = score_masks(SegmentationMasks(truth, np.full(truth.shape, 255, np.uint8), 2), truth, ["no", "yes"])
    assert card["dice"].value == card["mean_iou"].value == card["boundary_f"].value == 1
    assert card["dice"].low < 1
    checkerboard = card["checkerboard"]
    assert 0 <= checkerboard.low <= checkerboard.value <= checkerboard.high < 0.005


def test_what_cannot_be_scored():
    truth, found = example(4)
    with pytest.raises(ValueError, match="cannot be scored"):
        score_masks(found, truth[:3], ["no", "yes"])


def test_the_gallery_begins_with_the_worst_and_ends_with_the_best():
    truth, found = example(50)
    truth[7] = metrics.VOID
    dice = metrics.image_dice(metrics.confusion_matrices(truth, found.labels, 2))
    rows = select_masks(truth, found, limit=12)
    assert len(rows) == len(set(rows.tolist())) == 12 and 7 not in rows
    assert (np.diff(dice[rows]) >= 0).all()
    order = np.argsort(np.nan_to_num(dice, nan=2))
    np.testing.assert_array_equal(dice[rows[:8]], dice[order[:8]])
    assert dice[rows[-1]] == np.nanmax(dice)
    assert len(select_masks(truth[:3], found.take(slice(0, 3)))) == 3


def test_scores_of_runs_are_compared_on_the_same_images():
    truth, good = example(20, seed=1)
    bad = SegmentationMasks(np.roll(good.labels, 3, axis=2), good.confidence, 2)
    names, rows = [str(number) for number in range(20)], np.tile(np.arange(20), (2, 1))
    paired = Paired(names, "segmentation", DecodedMasks(truth), ("no", "yes"), [good, bad], rows, None, [20, 20])
    scores = SegmentationScores(paired)
    for run, found in enumerate((good, bad)):
        card = score_masks(found, truth, ["no", "yes"])
        values = scores.scores(np.asarray(scores.terms(run).sum(axis=0)))
        np.testing.assert_allclose(values, [card[name].value for name in scores.summed])
    assert scores.right((0, 1))[0].mean() > 0.9 > scores.right((0, 1))[1].mean()
    assert scores.said(0, 3)[0] == f"Dice {scores.merit(0)[3]:.3f}"
