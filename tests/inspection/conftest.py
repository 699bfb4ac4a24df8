"""A trained network and its data, as inspections take them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import opsin
from opsin.inspection import Subject
from opsin.workflow.run import Run


@pytest.fixture(scope="session")
def trained(few_digits, tmp_path_factory) -> Run:
    """A small convolutional network, trained on 300 digits until it is right more often than not."""
    path = tmp_path_factory.mktemp("runs") / "trained"
    settings = {"network": "course_cnn", "epochs": 6, "batch_size": 16, "device": "cpu", "quiet": True}
    return opsin.train(few_digits, out=path, inspect=False, **settings)


@pytest.fixture(scope="session")
def subject(trained, few_digits) -> Subject:
    """The same, with all images in the order of the data set."""
    place = {few_digits.images.name(index): index for index in range(len(few_digits))}
    rows = {
        split: np.array([place[name] for name in trained.folder.predicted(split).names])
        for split in ("validation", "test")
    }
    rows["train"] = np.setdiff1d(np.arange(len(few_digits)), np.concatenate(list(rows.values())))
    pixels = torch.from_numpy(few_digits.images.array)
    return Subject(trained.predictor, pixels, few_digits.targets, rows, trained.folder.classes)
