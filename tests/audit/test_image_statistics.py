import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import laplace
from scipy.stats import median_abs_deviation

from opsin.audit import image_statistics as measures
from opsin.audit.image_statistics import measure_images, robust_scores


@given(arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(3, 9), st.integers(3, 9), st.sampled_from([1, 3]))))
def test_every_number_is_what_scipy_and_numpy_say(pixels):
    found = measure_images(pixels)
    for row, picture in enumerate(pixels.astype(np.float64)):
        grey = picture @ [0.299, 0.587, 0.114] if picture.shape[2] == 3 else picture[..., 0]
        assert found.detail[row] == pytest.approx(laplace(grey)[1:-1, 1:-1].var(), rel=1e-3, abs=1e-2)
        assert found.contrast[row] == pytest.approx(grey.std(), rel=1e-4, abs=1e-3)
        assert found.dark[row] == pytest.approx((np.round(grey, 4) <= 12).mean(), abs=1e-6)
        assert found.light[row] == pytest.approx((np.round(grey, 4) >= 243).mean(), abs=1e-6)
        assert found.color[row] == pytest.approx((picture.max(axis=2) - picture.min(axis=2)).mean(), rel=1e-5)


def test_chunks_change_nothing(monkeypatch, noise):
    pixels = noise(7)
    whole = measure_images(pixels)
    monkeypatch.setattr(measures, "CHUNK", 24 * 24 * 2)
    parts = measure_images(pixels)
    assert all((getattr(whole, name) == getattr(parts, name)).all() for name in ("dark", "contrast", "detail", "color"))


def test_blank_pictures():
    pixels = np.zeros((4, 20, 20, 3), np.uint8)
    pixels[0] = np.random.default_rng(0).integers(0, 8, (20, 20, 3))
    pixels[1] = 250
    pixels[2] = (90, 20, 200)
    pixels[3, :, :3] = 200
    assert measure_images(pixels).blank.tolist() == [True, True, True, False]


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=1, min_side=1, max_side=30), elements=st.integers(-99, 99)))
def test_robust_scores_are_distances_in_median_absolute_deviations(values):
    scale = median_abs_deviation(values, scale="normal")
    expected = (values - np.median(values)) / scale if scale > 0 else np.zeros(len(values))
    assert np.allclose(robust_scores(values), expected, rtol=1e-4)
