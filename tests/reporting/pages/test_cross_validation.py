from __future__ import annotations

import re

import numpy as np
import pytest

import opsin
from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.reporting.pages.cross_validation import render_cross_validation_page

SECRET = "xq7secretpatient"


@pytest.fixture(scope="module")
def folder(digits, tmp_path_factory):
    rows = np.arange(120)
    groups = np.array([f"{SECRET} {number // 12}" for number in rows])
    dataset = Dataset(
        SECRET,
        digits.classes,
        ArrayImages(digits.images.array[rows]),
        ClassTargets(digits.targets.values[rows]),
        groups=groups,
    )
    out = tmp_path_factory.mktemp("cross_validation") / "all"
    made = opsin.cross_validate(dataset, folds=2, network="mlp", epochs=1, device="cpu", out=out, quiet=True)
    return made.folder


def test_the_page_shows_every_fold_and_asks_no_other_computer(folder):
    html = render_cross_validation_page(folder)
    info = folder.info
    assert info["reading"] in html and SECRET in html
    for run in info["runs"]:
        assert f'href="{run["run"]}/report.html"' in html
        assert f"{run['main']['value']:.3f}" in html
    assert not re.findall(r"https?://(?!www\.w3\.org)", html)
    assert "<script" not in html
    assert html.count('<th scope="row">') >= 10 + 5


def test_an_anonymous_page_names_nobody(folder):
    folder.update(anonymous=True)
    html = render_cross_validation_page(folder)
    folder.update(anonymous=False)
    assert SECRET not in html and "Cross-validation</h1>" in html
