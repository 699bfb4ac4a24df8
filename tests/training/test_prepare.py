from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console
from sklearn.datasets import load_sample_image

from opsin.data.dataset import Dataset
from opsin.data.images import ArrayImages
from opsin.data.targets import ClassTargets
from opsin.recipe.recipe import from_settings
from opsin.training.prepare import prepare
from opsin.workflow.console import print_data

SETTINGS = {"network": "mlp", "pretrained": False, "epochs": 1}


@pytest.fixture(scope="module")
def pieces():
    """40 pieces of a photograph of 48×48, of which 8 are repeated, mirrored and a little brighter."""
    photograph = load_sample_image("china.jpg")
    tops, lefts = np.divmod(np.arange(40), 10)
    images = [photograph[150 + 60 * top :][:48, 60 * left :][:, :48] for top, left in zip(tops, lefts, strict=True)]
    copies = [np.clip(image[:, ::-1] * 1.1, 0, 255).astype(np.uint8) for image in images[::5]]
    return np.stack(images + copies)


def dataset(images, **facts):
    return Dataset("pieces", ("a", "b"), ArrayImages(images), ClassTargets(np.arange(len(images)) % 2), **facts)


@pytest.mark.parametrize("seed", range(3))
def test_near_duplicates_stay_on_one_side(pieces, seed, capsys):
    prepared = prepare(from_settings({**SETTINGS, "split_seed": seed}), dataset(pieces))
    assert (prepared.split.names[:40:5] == prepared.split.names[40:]).all()
    facts = prepared.describe()
    assert facts["near_duplicates"] == 16 and facts["duplicates"] == 0
    print_data(Console(width=200), prepared)
    assert "16 near-duplicates kept together on one side of the split." in capsys.readouterr().out


def test_near_duplicates_are_let_be_where_the_recipe_says_so_or_a_mirror_image_is_another_thing(pieces):
    settings = {**SETTINGS, "near_duplicates": False}
    assert prepare(from_settings(settings), dataset(pieces)).describe()["near_duplicates"] == 0
    characters = dataset(pieces, symmetry="none")
    assert prepare(from_settings(SETTINGS), characters).describe()["near_duplicates"] == 0


def test_training_images_that_are_near_a_given_test_image_are_not_used(pieces):
    split = np.array(["train"] * 40 + ["test"] * 8)
    prepared = prepare(from_settings(SETTINGS), dataset(pieces, split=split))
    assert (prepared.split.names[:40:5] == "unused").all() and (prepared.split.names[40:] == "test").all()
    assert "8 training images are copies of a held-out image and are not used." in prepared.describe()["notes"]


def test_tiny_images_are_compared_for_equality_only_and_that_is_said(digits):
    assert any("under 12 pixels" in note for note in prepare(from_settings(SETTINGS), digits).describe()["notes"])
