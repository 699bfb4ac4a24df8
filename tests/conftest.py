"""Data that many tests train on: small, real, and made without a network."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may ask a hub

import numpy as np
import pytest
import torch
from hypothesis import settings
from sklearn.datasets import load_digits

from opsin.data.dataset import ArrayImages, DataSet

# Where a change is accepted or not, the same examples are tried each time; elsewhere new ones are looked for.
settings.register_profile("any", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "any")

torch.set_num_threads(1)  # the test processes share the cores


@pytest.fixture(scope="session")
def digits() -> DataSet:
    """All 1,797 digits of scikit-learn, 8x8 grey."""
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    classes = tuple("0123456789")
    return DataSet("digits", classes, ArrayImages(images), bunch.target.astype(np.int64), symmetry="none")


@pytest.fixture(scope="session")
def few_digits(digits: DataSet) -> DataSet:
    """The first 300 digits."""
    some = np.arange(300)
    images = ArrayImages(digits.images.array[some])  # type: ignore[attr-defined]
    return DataSet("digits", digits.classes, images, digits.labels[some], symmetry="none")


@pytest.fixture(autouse=True)
def _measure_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second to time loader and model is too long for networks that train in less."""
    monkeypatch.setattr("opsin.training.session.MEASURE_SECONDS", 0.01)
