from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import timm
from PIL import Image

from opsin.data.dataset import Dataset
from opsin.data.fingerprint import compute_fingerprint
from opsin.data.images import ArrayImages, FileImages
from opsin.data.targets import ClassTargets
from opsin.errors import NetworkError, RecipeError
from opsin.recipe.recipe import from_settings
from opsin.runtime.precision import resolve_precision
from opsin.training.defaults import resolve_input, resolve_task, resolve_training


def data(height, width, channels=3, symmetry=None, number=12):
    images = ArrayImages(np.zeros((number, height, width, channels), np.uint8))
    return Dataset("data", ("a", "b"), images, ClassTargets(np.arange(number) % 2), symmetry=symmetry)


def plan(dataset, images=1000, **settings):
    recipe = resolve_input(resolve_task(from_settings(settings), dataset), dataset, compute_fingerprint(dataset))
    return resolve_training(recipe, images)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (64, 64), (32, 64)])
def test_small_images_keep_their_size_and_train_from_scratch(size):
    recipe = plan(data(*size, channels=1))
    assert recipe.network.name == "small_resnet"
    assert recipe.network.pretrained is False
    assert recipe.data.image_size == size
    assert recipe.data.channels == 1
    assert recipe.training.freeze_epochs == 0


@pytest.mark.parametrize(("size", "side"), [((65, 65), 128), ((96, 120), 128), ((170, 400), 160), ((3000, 2000), 224)])
def test_larger_images_fine_tune_at_128_to_224_pixels(size, side, monkeypatch):
    monkeypatch.setattr("opsin.training.defaults.find_weights", lambda name: "offline package")
    recipe = plan(data(*size, channels=1))
    assert recipe.network.name == "tf_efficientnet_lite0"
    assert recipe.network.pretrained is True
    assert recipe.data.image_size == (side, side)
    assert recipe.data.channels == 3
    assert recipe.training.freeze_epochs == 1


def test_without_weights_larger_images_train_the_small_network_from_scratch(monkeypatch):
    monkeypatch.setattr("opsin.training.defaults.find_weights", lambda name: None)
    recipe = plan(data(300, 300))
    assert recipe.network.name == "small_resnet"
    assert recipe.data.image_size == (96, 96)
    assert recipe.network.pretrained is False


def test_what_is_asked_for_is_kept():
    asked = {"network": "resnet18", "pretrained": False, "image_size": 48, "channels": 1, "epochs": 7, "batch_size": 9}
    asked |= {"learning_rate": 0.5, "horizontal_flip": 0.1, "freeze_epochs": 2, "precision": "32-true"}
    recipe = plan(data(300, 300), **asked)
    assert recipe == from_settings({key: value for key, value in recipe_values(recipe).items()}, recipe)
    assert (recipe.network.name, recipe.data.image_size, recipe.data.channels) == ("resnet18", (48, 48), 1)
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.training.learning_rate) == (7, 9, 0.5)
    assert (recipe.augmentation.horizontal_flip, recipe.training.freeze_epochs) == (0.1, 2)


def recipe_values(recipe):
    return {
        "network": recipe.network.name,
        "image_size": recipe.data.image_size,
        "epochs": recipe.training.epochs,
    }


@pytest.mark.parametrize(
    ("dataset", "flips"),
    [
        (data(28, 28, 1), (0.0, 0.0, 0.0)),
        (data(28, 28, 1, "mirror"), (0.5, 0.0, 0.0)),
        (data(32, 32, 3), (0.5, 0.0, 0.0)),
        (data(32, 32, 3, "none"), (0.0, 0.0, 0.0)),
        (data(64, 64, 3, "any"), (0.5, 0.5, 0.75)),
    ],
)
def test_images_are_mirrored_only_where_they_may_be(dataset, flips):
    asked = plan(dataset).augmentation
    assert (asked.horizontal_flip, asked.vertical_flip, asked.quarter_turns) == flips


def test_a_resolved_recipe_leaves_nothing_open_and_resolves_to_itself():
    dataset = data(28, 28, 1)
    recipe = plan(dataset)
    again = resolve_training(resolve_input(recipe, dataset, compute_fingerprint(dataset)), 5)
    assert again == recipe
    left = {key for table in recipe.to_dict().values() if isinstance(table, dict) for key in table}
    assert {"epochs", "batch_size", "learning_rate", "image_size", "channels", "pretrained"} <= left


def test_few_images_train_longer_than_many():
    epochs = [plan(data(28, 28, 1), images).training.epochs for images in (100, 10_000, 55_000, 10**6)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] > epochs[-1] >= 5


def test_a_resolved_recipe_leaves_open_only_what_the_machine_decides():
    def open_keys(**settings):
        recipe = plan(data(28, 28, 1), **settings)
        return {key for table, values in dataclasses.asdict(recipe).items() if isinstance(values, dict)
                for key, value in values.items() if value is None}  # fmt: skip

    assert open_keys() == {"memory_gb", "minutes"}
    assert open_keys(minutes=2.0) == {"memory_gb", "epochs"}


def test_networks_without_pretrained_weights_train_from_scratch_unless_asked():
    without = next(name for name in timm.list_models() if not timm.is_model_pretrained(name))
    assert plan(data(300, 300), network=without).network.pretrained is False
    assert plan(data(300, 300), network="resnet18").network.pretrained is True
    assert plan(data(28, 28), network="resnet18").network.pretrained is False
    with pytest.raises(NetworkError, match="no pretrained weights"):
        plan(data(300, 300), network=without, pretrained=True)


@pytest.mark.parametrize(("settings", "freeze"), [({"epochs": 1}, 0), ({"epochs": 2}, 1), ({"minutes": 1.0}, 1)])
def test_a_pretrained_network_thaws_before_it_is_done(settings, freeze):
    recipe = plan(data(300, 300), network="resnet18", **settings)
    assert recipe.network.pretrained
    assert recipe.training.freeze_epochs == freeze


def test_contradictions_are_refused_before_images_are_decoded():
    look = compute_fingerprint(data(28, 28))
    for settings, said in [
        ({"epochs": 3, "minutes": 1.0}, "Give either"),
        ({"epochs": 3, "freeze_epochs": 3}, r"freeze_epochs \(3\) must be less than training.epochs \(3\)"),
    ]:
        with pytest.raises(RecipeError, match=said):
            resolve_input(from_settings(settings), data(28, 28), look)
    with pytest.raises(RecipeError, match="must be less than training.epochs"):
        plan(data(28, 28), freeze_epochs=90)


def test_the_head_alone_may_learn_in_all_epochs():
    recipe = plan(data(300, 300), network="resnet18", epochs=3, trainable_layers=1)
    assert (recipe.training.freeze_epochs, recipe.training.trainable_layers) == (0, 1)
    assert plan(data(28, 28), epochs=3, freeze_epochs=3, trainable_layers=1).training.freeze_epochs == 3


def test_weight_decay_is_for_adamw_what_it_is_not_for_others():
    decays = {name: plan(data(28, 28), optimizer=name).training.weight_decay for name in ("adamw", "adam", "sgd")}
    assert decays == {"adamw": 0.05, "adam": 5e-4, "sgd": 5e-4}
    assert plan(data(28, 28), optimizer="sgd", weight_decay=0.2).training.weight_decay == 0.2


def test_contradictions_and_unknown_networks_are_refused():
    with pytest.raises(RecipeError, match="Give either"):
        plan(data(28, 28), epochs=3, minutes=1.0)
    with pytest.raises(RecipeError, match="must be 1"):
        plan(data(28, 28), channels=2)
    with pytest.raises(NetworkError, match="did you mean 'small_resnet'"):
        plan(data(28, 28), network="small_resnt")
    with pytest.raises(NetworkError, match="no pretrained weights of mlp"):
        plan(data(28, 28), network="mlp", pretrained=True)


def test_a_look_at_files_reads_sizes_and_passes_over_what_is_broken(tmp_path):
    for number, size in enumerate([(40, 30), (80, 60), (100, 90)]):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"")
    files = FileImages(tmp_path, sorted(tmp_path.iterdir()))
    look = compute_fingerprint(Dataset("files", ("a", "b"), files, ClassTargets(np.array([0, 1, 0, 1]))))
    assert (look.height, look.width, look.grey) == (60, 80, False)
    assert look.sizes == "from 30×40 to 90×100"


def test_precision_is_decided_by_the_machine_and_never_left_open():
    assert resolve_precision("32-true", "cpu") == "32-true"
    assert resolve_precision("auto", "cpu") in ("32-true", "bf16-mixed")


@pytest.mark.parametrize(
    ("name", "size", "precision"),
    [
        ("small_resnet", 32, "bf16-mixed"),
        ("separable_resnet", 32, "bf16-mixed"),
        ("convnext_atto", 96, "bf16-mixed"),
        ("tf_efficientnet_lite0", 128, "32-true"),
        ("mobilenetv3_small_100", 128, "32-true"),
    ],
)
def test_a_processor_keeps_full_precision_where_depthwise_convolutions_prevail(monkeypatch, name, size, precision):
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: True)
    asked = {"network": name, "device": "cpu", "image_size": size, "channels": 3, "pretrained": False}
    assert resolve_training(from_settings(asked), 100).training.precision == precision
    asked |= {"precision": "bf16-mixed"}
    assert resolve_training(from_settings(asked), 100).training.precision == "bf16-mixed"
