"""The stated rules that fill in what a recipe leaves open, once the data are known.

1. Images up to 64 pixels keep their size and train our small residual network from scratch. Larger images are brought
   to a square of 128 to 224 pixels and fine-tune tf_efficientnet_lite0 with its ImageNet weights, where timm's cache or
   the extra ``offline`` has them; where neither is there, the small residual network learns from scratch at 96 pixels.
2. Training from scratch sees about 660,000 images (10 to 60 epochs); fine-tuning, of ImageNet weights or those of a
   run, about 24,000 (6 to 30 epochs).
3. Photographs are mirrored left to right; grey images up to 64 pixels, which may be characters, are not. Where views of
   each image are asked for in prediction, the same decides which.
4. Other tasks may have networks, budgets and batch sizes of their own (`opsin.tasks.registry`): masks get a U-Net, on
   tf_efficientnet_lite0 or from scratch, batches of 8 or 16, and 20 to 150 epochs.

``data.memory_gb`` stays open: how much memory is free is the machine's affair and changes no result.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from opsin.data.dataset import Dataset
from opsin.data.fingerprint import SMALL, Fingerprint, find_symmetry
from opsin.errors import RecipeError, nearest
from opsin.networks.backbones import backbone_of, find_weights
from opsin.networks.registry import NETWORKS
from opsin.recipe.recipe import Recipe
from opsin.recipe.schema import AugmentationRecipe, DataRecipe, NetworkRecipe, TrainingRecipe
from opsin.runtime.precision import resolve_precision
from opsin.tasks.base import TrainingBudget
from opsin.tasks.registry import task_spec
from opsin.training.initial_weights import Source, find_source

# Small images lose more to a shift of the same share of their side: half the ranges gained 1.4 points on Fashion-MNIST.
SMALL_RANGES = {"rotation": 5.0, "shift": 0.04, "scale": 0.05, "shear": 2.5}
LARGE_RANGES = {"rotation": 10.0, "shift": 0.08, "scale": 0.15, "shear": 5.0}
# Peak learning rates, of networks that have learned before and from scratch.
RATES = {"sgd": (0.02, 0.1), "rmsprop": (1e-4, 1e-3), "adam": (5e-4, 3e-3), "adamw": (7e-4, 8e-3)}
# Multiplications per value that enters a depthwise convolution, from which on bfloat16 pays on a processor with AMX.
# Measured: mobilenetv3_small_100 has 70 (2.1 times slower), tf_efficientnet_lite0 101 (1.8 times slower),
# separable_resnet 215 (1.9 times faster), convnext_atto 918 (1.3 times faster).
DENSE = 150
FLIPS = {"none": (0.0, 0.0, 0.0), "mirror": (0.5, 0.0, 0.0), "any": (0.5, 0.5, 0.75)}


def resolve_task(recipe: Recipe, dataset: Dataset) -> Recipe:
    """Fill in the task, which the form of the targets decides, and its loss.

    Raises:
        RecipeError: The recipe asks for another task than the data are for, or for another task's loss.
    """
    if recipe.task not in (None, dataset.task):
        raise RecipeError(
            f"The recipe asks for {recipe.task}, but {dataset.name} was read for {dataset.task}; leave out --task, or "
            "give labels of the form that it needs."
        )
    losses, loss = task_spec(dataset.task).losses, recipe.training.loss
    if loss is not None and loss not in losses:
        raise RecipeError(
            f"training.loss = {loss} is not for {dataset.task}, which takes {' or '.join(losses)}"
            f"{nearest(loss, losses)}."
        )
    return replace(recipe, task=dataset.task, training=replace(recipe.training, loss=loss or losses[0]))


def resolve_input(recipe: Recipe, dataset: Dataset, look: Fingerprint) -> Recipe:
    """Fill in what a recipe leaves open of network, image size and augmentation.

    Args:
        recipe: What the user asked for.
        dataset: The data.
        look: What its images are like.

    Raises:
        RecipeError: Settings contradict each other.
        NetworkError: There is no such network, or no pretrained weights of it.
    """
    _refuse_contradictions(recipe.training)
    source = find_source(recipe.network.weights) if _asks_source(recipe) else None
    network = _resolve_network(recipe.network, look, source, dataset.task)
    data = _resolve_data(recipe.data, look, network, source)
    if data.tta == "auto":
        data = replace(data, tta=find_symmetry(dataset, look))
    augmentation = _resolve_augmentation(recipe.augmentation, dataset, look)
    return replace(recipe, data=data, network=network, augmentation=augmentation)


def resolve_training(recipe: Recipe, training_images: int) -> Recipe:
    """Fill in what a recipe leaves open of training, once it is known how many images there are to train on.

    Returns:
        A recipe without None, apart from ``data.memory_gb``, which is the machine's affair, and one of epochs and
        minutes: the epochs stay open where there is a time budget, because they need measuring.

    Raises:
        RecipeError: The network would be frozen for all epochs.
    """
    trained = bool(recipe.network.pretrained or recipe.network.weights)
    training = _resolve_training(
        recipe.training, training_images, trained, task_spec(recipe.task or "classification").budget
    )
    _refuse_contradictions(training)
    return replace(recipe, training=replace(training, precision=_precision_for(recipe)))


def _refuse_contradictions(recipe: TrainingRecipe) -> None:
    """Raise where two settings cannot both be had."""
    epochs, freeze = recipe.epochs, recipe.freeze_epochs
    if epochs is not None and recipe.minutes is not None:
        raise RecipeError("Give either training.epochs or training.minutes: the time budget decides the epochs.")
    if epochs is not None and freeze is not None and freeze >= epochs and recipe.trainable_layers != 1:
        raise RecipeError(
            f"training.freeze_epochs ({freeze}) must be less than training.epochs ({epochs}): all but the head would "
            "never learn. To train the head alone, give training.trainable_layers = 1."
        )


def _asks_source(recipe: Recipe) -> bool:
    """Whether the run that weights are from is asked for its network or its input."""
    return bool(recipe.network.weights) and (recipe.network.name is None or recipe.data.channels is None)


def _resolve_network(recipe: NetworkRecipe, look: Fingerprint, source: Source | None, task: str) -> NetworkRecipe:
    small = max(look.height, look.width) <= SMALL
    name, pretrained = recipe.name, recipe.pretrained
    if recipe.weights:
        if pretrained:
            raise RecipeError("Give either network.weights or network.pretrained: a network begins but once.")
        pretrained = False
    if name is None and source is not None:
        if source.folder is None:
            raise RecipeError(
                f"{source.path} does not lie in the folder of a run; say with network.name what it is of."
            )
        own = source.folder.recipe.network
        name, recipe = own.name, replace(recipe, options=recipe.options or own.options)
    if name is None:
        with_weights, from_scratch = task_spec(task).networks
        here = not small and pretrained is not False and find_weights(with_weights) is not None
        name = with_weights if here or pretrained else from_scratch
    if pretrained is None:
        pretrained = not small and backbone_of(name) is not None
    task_spec(task).check_network(name, pretrained)
    return replace(recipe, name=name, pretrained=pretrained)


def _resolve_data(recipe: DataRecipe, look: Fingerprint, network: NetworkRecipe, source: Source | None) -> DataRecipe:
    size, channels = recipe.image_size, recipe.channels
    if size is None and max(look.height, look.width) <= SMALL:
        size = (max(look.height, 4), max(look.width, 4))
    elif size is None and network.name in NETWORKS and not network.pretrained:
        size = (96, 96)
    elif size is None:
        side = int(np.clip(round(min(look.height, look.width) / 32) * 32, 128, 224))
        size = (side, side)
    if channels is None and source is not None and source.preprocessing is not None:
        channels = source.preprocessing.channels
    if channels is None:
        channels = 1 if look.grey and not network.pretrained else 3
    if channels == 2:
        raise RecipeError("data.channels must be 1 (grey) or 3 (color).")
    return replace(recipe, image_size=size, channels=channels)


def _resolve_augmentation(recipe: AugmentationRecipe, dataset: Dataset, look: Fingerprint) -> AugmentationRecipe:
    color = 0.0 if look.grey else 0.15
    flips = FLIPS[find_symmetry(dataset, look)]
    rules = {
        "horizontal_flip": flips[0],
        "vertical_flip": flips[1],
        "quarter_turns": flips[2],
        **(SMALL_RANGES if max(look.height, look.width) <= SMALL else LARGE_RANGES),
        "brightness": color,
        "contrast": color,
        "saturation": color,
    }
    open_keys = {key: value for key, value in rules.items() if getattr(recipe, key) is None}
    return replace(recipe, **open_keys)


def _resolve_training(recipe: TrainingRecipe, images: int, trained: bool, budget: TrainingBudget) -> TrainingRecipe:
    epochs, batch_size = recipe.epochs, recipe.batch_size
    if epochs is None and recipe.minutes is None:
        wanted, fewest, most = budget.fine_tuning if trained else budget.scratch
        epochs = int(np.clip(round(wanted / images), fewest, most))
    if batch_size is None:
        few, some, many = budget.batches
        batch_size = few if trained or images < 500 else some if images < 10_000 else many
    tuned, fresh = RATES[recipe.optimizer]
    learning_rate = recipe.learning_rate
    if learning_rate is None:
        learning_rate = tuned if trained else fresh * budget.scratch_rate
    weight_decay = recipe.weight_decay
    if weight_decay is None:  # decoupled from the gradient it is multiplied by the learning rate alone
        weight_decay = 0.05 if recipe.optimizer == "adamw" else 5e-4
    freeze = recipe.freeze_epochs
    if freeze is None:
        freeze = int(trained and epochs != 1 and recipe.trainable_layers != 1)
    return replace(
        recipe,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        freeze_epochs=freeze,
    )


def _precision_for(recipe: Recipe) -> str:
    """Return the precision of a recipe, "auto" decided by the machine and the network.

    Processors with AMX compute dense layers twice as fast in bfloat16, but take several times as long for the gradients
    of depthwise convolutions and of the activations around them. What decides is how much there is of either.
    """
    training = recipe.training
    precision = resolve_precision(training.precision, training.device)
    on_processor = training.device == "cpu" or not torch.cuda.is_available()
    if training.precision == "auto" and precision == "bf16-mixed" and on_processor:
        return precision if _density(recipe) >= DENSE else "32-true"
    return precision


def _density(recipe: Recipe) -> float:
    """Return a network's multiplications per value that enters a depthwise convolution; infinite without any.

    It is looked at without its weights; where that fails, what is wrong with it is said when it is made.
    """
    products, values = 0, 0

    def count(layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal products, values
        assert isinstance(layer, torch.nn.Conv2d)
        products += output.numel() * layer.weight[0].numel()
        values += inputs[0].numel() if 1 < layer.groups == layer.in_channels else 0

    height, width = recipe.data.image_size or (0, 0)
    try:
        with torch.device("meta"):
            network = task_spec(recipe.task or "classification").network(recipe, 2).eval()
            for module in network.modules():
                if isinstance(module, torch.nn.Conv2d):
                    module.register_forward_hook(count)
            network(torch.zeros(1, recipe.data.channels or 3, height, width))
    except Exception:
        return math.inf
    return products / values if values else math.inf
