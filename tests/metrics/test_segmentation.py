import numpy as np
import pytest
import sklearn.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion, distance_transform_edt, gaussian_filter
from torchmetrics.functional.segmentation import dice_score, mean_iou

from opsin.metrics import segmentation

VOID = segmentation.VOID


@st.composite
def masks(draw, void=True):
    """Two batches of masks: blobs and noise, some of one class only, some all void."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes = draw(st.integers(2, 5))
    number, height, width = draw(st.integers(1, 3)), draw(st.integers(1, 20)), draw(st.integers(1, 20))
    blur = draw(st.sampled_from([0.0, 1.0, 3.0]))

    def one():
        planes = generator.random((classes, height, width))
        return (
            gaussian_filter(planes, (0, blur, blur)).argmax(0)
            if generator.random() < 0.8
            else np.full((height, width), generator.integers(classes))
        )

    truth = np.stack([one() for _ in range(number)])
    predicted = np.stack([one() for _ in range(number)])
    predicted = np.where(generator.random(truth.shape) < draw(st.sampled_from([0.0, 0.9, 1.0])), truth, predicted)
    if void:
        truth[generator.random(truth.shape) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = VOID
    return truth, predicted, classes


def test_the_worked_example_of_iou():
    truth = np.repeat(np.arange(4), 4).reshape(1, 4, 4)
    predicted = np.array([[int(digit) for digit in row] for row in ("1000", "1301", "2223", "3100")])[None]
    confusion = segmentation.confusion_matrices(truth, predicted, 4).sum(axis=0)
    np.testing.assert_allclose(segmentation.iou(confusion), [3 / 7, 2 / 6, 3 / 4, 1 / 6])
    assert round(float(segmentation.mean_iou(confusion)), 3) == 0.420


@given(masks())
def test_counts_and_scores_equal_scikit_learn(example):
    truth, predicted, classes = example
    counts = segmentation.confusion_matrices(truth, predicted, classes)
    for index, (true, found) in enumerate(zip(truth, predicted, strict=True)):
        known = true != VOID
        true, found = true[known], found[known]
        if not len(true):
            assert counts[index].sum() == 0
            assert np.isnan(segmentation.pixel_accuracy(counts[index]))
            continue
        names = range(classes)
        np.testing.assert_array_equal(counts[index], sklearn.metrics.confusion_matrix(true, found, labels=names))
        assert segmentation.pixel_accuracy(counts[index]) == pytest.approx(
            sklearn.metrics.accuracy_score(true, found), abs=1e-9
        )
        options = {"labels": names, "average": None, "zero_division": 1}
        np.testing.assert_allclose(
            segmentation.dice(counts[index], empty=1), sklearn.metrics.f1_score(true, found, **options), atol=1e-9
        )
        np.testing.assert_allclose(
            segmentation.iou(counts[index], empty=1), sklearn.metrics.jaccard_score(true, found, **options), atol=1e-9
        )


@settings(max_examples=30)
@given(masks(void=False))
def test_scores_of_each_image_equal_torchmetrics(example):
    truth, predicted, classes = example
    counts = segmentation.confusion_matrices(truth, predicted, classes)
    arguments = torch.from_numpy(predicted), torch.from_numpy(truth), classes
    present = ~np.isnan(segmentation.dice(counts))
    expected = dice_score(*arguments, average="none", input_format="index").reshape(present.shape).double().numpy()
    np.testing.assert_allclose(segmentation.dice(counts)[present], expected[present], atol=1e-6)
    expected = mean_iou(*arguments, per_class=True, input_format="index").double().numpy()
    np.testing.assert_allclose(segmentation.iou(counts)[present], expected[present], atol=1e-6)


def test_empty_masks():
    nothing, something = np.zeros((1, 4, 4), int), np.ones((1, 4, 4), int)

    def scores(truth, predicted, empty):
        counts = segmentation.confusion_matrices(truth, predicted, 2)
        boundary = segmentation.boundary_f(truth, predicted, 2, empty=empty)
        return [segmentation.dice(counts, empty)[0, 1], segmentation.iou(counts, empty)[0, 1], boundary[0, 1]]

    assert scores(nothing, nothing, 1.0) == [1, 1, 1]
    assert np.isnan(scores(nothing, nothing, np.nan)).all()
    for empty in (1.0, np.nan):
        assert scores(nothing, something, empty) == [0, 0, 0]
        assert scores(something, nothing, empty) == [0, 0, 0]
        assert scores(something, something, empty) == [1, 1, 1]


def test_mean_iou_of_a_data_set_comes_from_its_pixels():
    truth = np.array([[[0, 0, 0, 1]], [[1, 1, 1, 1]]])
    predicted = np.array([[[0, 0, 0, 0]], [[1, 1, 1, 0]]])
    counts = segmentation.confusion_matrices(truth, predicted, 2)
    assert segmentation.mean_iou(counts.sum(axis=0)) == pytest.approx((3 / 5 + 3 / 5) / 2)
    assert segmentation.mean_iou(counts).mean() == pytest.approx(((3 / 4 + 0) / 2 + (0 + 3 / 4) / 2) / 2)
    assert np.isnan(segmentation.mean_iou(np.zeros((2, 2))))


def boundary_f_by_distances(truth, predicted, tolerance):
    """Boundaries by erosion, distances by the Euclidean distance transform."""
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    true, found = (mask & ~binary_erosion(mask, cross, border_value=1) for mask in (truth, predicted))
    if not true.any() or not found.any():
        return float((truth == predicted).all())
    precision = (distance_transform_edt(~true)[found] <= tolerance).mean()
    recall = (distance_transform_edt(~found)[true] <= tolerance).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(max_examples=50)
@given(masks(void=False), st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0]))
def test_boundary_f_equals_distance_transforms(example, tolerance):
    truth, predicted, classes = example
    scores = segmentation.boundary_f(truth, predicted, classes, tolerance, empty=1.0)
    for index in range(len(truth)):
        for name in range(classes):
            expected = boundary_f_by_distances(truth[index] == name, predicted[index] == name, tolerance)
            assert scores[index, name] == pytest.approx(expected, abs=1e-9)


def test_boundary_f_of_a_square_moved_by_the_tolerance_and_beyond():
    truth, near, far = (np.zeros((1, 40, 40), int) for _ in range(3))
    truth[0, 10:30, 10:30], near[0, 12:32, 10:30], far[0, 13:33, 10:30] = 1, 1, 1
    assert segmentation.boundary_f(truth, near, 2)[0, 1] == 1
    assert 0 < segmentation.boundary_f(truth, far, 2)[0, 1] < 1


def test_the_true_boundary_runs_through_the_middle_of_a_void_border():
    truth = np.zeros((1, 20, 20), int)
    truth[0, :, 8:12], truth[0, :, 12:] = VOID, 1
    predicted = np.zeros((1, 20, 20), int)
    predicted[0, :, 10:] = 1
    np.testing.assert_array_equal(segmentation.without_void(truth[0]), predicted[0])
    np.testing.assert_array_equal(segmentation.boundary_f(truth, predicted, 2, tolerance=0), 1)
    assert np.isnan(segmentation.boundary_f(np.full((1, 4, 4), VOID), predicted[:, :4, :4], 2)).all()


def test_a_checkerboard_is_found_and_nothing_else():
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:96, :120]
    disk = ((rows - 50) ** 2 + (columns - 60) ** 2 < 700).astype(float)
    smooth = gaussian_filter(disk, 3)
    blocks = np.kron(generator.integers(0, 2, (48, 60)), np.ones((2, 2)))
    nothing = [disk, smooth, blocks, columns / 120.0, np.zeros((96, 120)), np.full((96, 120), 7.0)]
    assert segmentation.checkerboard(np.stack(nothing)).max() < 1e-6
    assert segmentation.checkerboard(generator.random((20, 96, 120))).max() < 0.02

    def uneven(gain, sign):
        return smooth * (1 + gain * sign)

    for sign in ((-1) ** rows, (-1) ** columns, (-1) ** (rows + columns)):
        scores = segmentation.checkerboard(np.stack([uneven(gain, sign) for gain in (0.0, 0.05, 0.1, 0.2)]))
        assert (np.diff(scores) > 0).all()
        # The energy of a gain grows with its square, and the scale of the map does not matter.
        assert scores[2] / scores[1] == pytest.approx(4, rel=0.05)
        assert segmentation.checkerboard(10 * uneven(0.1, sign)[None])[0] == pytest.approx(scores[2])
    assert segmentation.checkerboard(((rows + columns) % 2)[None].astype(float))[0] > 0.999
    assert np.isnan(segmentation.checkerboard(np.zeros((2, 31, 200)))).all()


def test_a_transposed_convolution_shows_more_of_it_than_an_interpolation():
    torch.manual_seed(0)
    image = torch.rand(1, 8, 32, 32)
    image = torch.nn.functional.avg_pool2d(image, 5, 1, 2)
    layer = torch.nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1, output_padding=1)
    enlarged = torch.nn.functional.interpolate(image, scale_factor=2, mode="bilinear")
    convolution = torch.nn.Conv2d(8, 1, 3, padding=1)
    with torch.no_grad():
        uneven, even = (segmentation.checkerboard(map_[:, 0].numpy()) for map_ in (layer(image), convolution(enlarged)))
    assert uneven > 0.1 > 0.001 > even


def test_masks_that_do_not_fit():
    with pytest.raises(ValueError, match="must both be"):
        segmentation.confusion_matrices(np.zeros((1, 2, 2), int), np.zeros((1, 2, 3), int), 2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        segmentation.confusion_matrices(np.full((1, 2, 2), 2), np.zeros((1, 2, 2), int), 2)
