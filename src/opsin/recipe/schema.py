"""Sections of a recipe: every key with its default, help, bounds and choices.

The flags of the command line and the reference in the documentation are generated from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float = -math.inf,
    high: float = math.inf,
    flag: str = "",
) -> Any:
    """Declare one key of a recipe.

    Args:
        default: Default value; None means "decided by a rule once the data are known".
        help: One sentence for ``--help`` and the documentation.
        choices: Allowed values of a text key.
        low: Smallest allowed number.
        high: Largest allowed number.
        flag: Name of the command-line flag, if it differs from the key.
    """
    metadata = {"help": help, "choices": choices, "low": low, "high": high, "flag": flag}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class DataRecipe:
    """The images, and how they are resized to one size."""

    source: str = setting("", "dataset: a folder, a CSV, npz or IDX file, or the name of a known dataset")
    label: str = setting(
        "label",
        "target column (CSV) or array (npz): the class, the number or the list of labels; or one column for each "
        "label, as in cat,dog",
    )
    masks: str = setting(
        "auto",
        "meaning of mask values: classes (class indices), binary (0 is background, any other value foreground), auto "
        "(binary if the values number single objects, else classes)",
        choices=("auto", "classes", "binary"),
    )
    group: str = setting(
        "group", "group column or array (patient, slide, video); images of one group stay on the same side of the split"
    )
    decisions: str = setting(
        "",
        "CSV file of decisions on single images, as written by `opsin check`; default: decisions.csv in the data "
        "folder, if it exists",
    )
    image_size: tuple[int, int] | None = setting(
        None,
        "input size of the network in pixels, one side or height x width (224 or 64x128); default: the images' own "
        "size up to 64, else 128 to 224",
    )
    channels: int | None = setting(
        None,
        "input channels: 1 (gray) or 3 (color); default: 3 for pretrained networks, those of the run given as weights, "
        "else as in the images",
        low=1,
        high=3,
    )
    resize: str = setting(
        "squash",
        "resizing of images with another aspect ratio: squash (ignores the aspect ratio), crop (center crop), pad "
        "(black borders)",
        choices=("squash", "crop", "pad"),
    )
    bits: int = setting(
        16, "bit depth of 16-bit images (12 for many cameras); 2^bits - 1 is mapped to white", low=8, high=16
    )
    memory_gb: float | None = setting(
        None,
        "memory for decoded images in GB; larger datasets are cached in a memory-mapped file; default: a third of the "
        "free memory",
        low=0,
    )
    tta: str = setting(
        "none",
        "test-time augmentation, the mean of the predictions of several views of an image: none, mirror (original and "
        "horizontal flip), any (all eight flips and quarter turns), auto (the symmetries found in the data)",
        choices=("none", "mirror", "any", "auto"),
    )
    skip_unreadable: bool = setting(False, "skip unreadable images and list them in the report instead of stopping")


@dataclass(frozen=True)
class SplitRecipe:
    """The split of the samples into training, validation and test."""

    validation: float = setting(0.15, "validation fraction of the training images (at most 5,000)", low=0.01, high=0.5)
    test: float = setting(0.15, "test fraction of all images (at most 10,000)", low=0.01, high=0.5)
    seed: int = setting(0, "random seed of the split, independent of the training seed", low=0, flag="split_seed")
    group_by: str = setting(
        "",
        "group images by their path: a regular expression such as patient_(\\d+), whose first capture group is the "
        "group, or folder:2 for the second folder of the path",
    )
    folds: int = setting(
        0, "number of cross-validation folds; one of them is the test split (0: no folds)", low=0, high=1000
    )
    fold: int = setting(0, "index of the fold that is the test split, counted from 0", low=0)
    test_groups: tuple[str, ...] = setting((), "groups that form the test split: their names, separated by commas")
    file: str = setting(
        "", "CSV file with the columns image and split, or a run folder whose split is reused", flag="split_file"
    )
    train_fraction: float = setting(
        1.0,
        "fraction of the training images used, stratified by class, in whole groups; the seed decides which (as in "
        "`opsin learning-curve`)",
        low=0.0001,
        high=1,
    )
    near_duplicates: bool = setting(
        True,
        "keep near-duplicates (resized, recompressed, cropped, flipped or rotated copies) on the same side of the "
        "split",
    )
    given: bool = setting(
        True, "use the split that comes with the data; no: pool all images and split them at random", flag="given_split"
    )


@dataclass(frozen=True)
class NetworkRecipe:
    """The network and its initial weights."""

    name: str | None = setting(
        None,
        "network: one of `opsin networks` or any model of timm; default: small_resnet up to 64 pixels, else "
        "tf_efficientnet_lite0 (for masks: unet, else unet:tf_efficientnet_lite0)",
        flag="network",
    )
    pretrained: bool | None = setting(
        None, "start from ImageNet weights; default: yes for images above 64 pixels, if the network has such weights"
    )
    weights: str = setting("", "start from the weights of an earlier run: its folder, or the best.safetensors in it")
    dropout: float = setting(0.0, "dropout probability before the last layer", low=0, high=0.95)
    options: dict[str, Any] = setting({}, "additional arguments of the network's constructor")


@dataclass(frozen=True)
class AugmentationRecipe:
    """Random transformations, drawn for each image in each epoch; 0 switches a transformation off."""

    strength: float = setting(
        1.0, "factor on all ranges below; 0 switches augmentation off", low=0, high=3, flag="augment"
    )
    horizontal_flip: float | None = setting(None, "probability of a horizontal flip", low=0, high=1)
    vertical_flip: float | None = setting(None, "probability of a vertical flip", low=0, high=1)
    quarter_turns: float | None = setting(None, "probability of a rotation by 90, 180 or 270 degrees", low=0, high=1)
    rotation: float | None = setting(None, "maximum rotation in either direction, in degrees", low=0, high=180)
    shift: float | None = setting(
        None, "maximum translation along each axis, as a fraction of the side", low=0, high=0.5
    )
    scale: float | None = setting(None, "maximum zoom in or out (0.1: a factor between 1/1.1 and 1.1)", low=0, high=1)
    shear: float | None = setting(None, "maximum shear, in degrees", low=0, high=45)
    elastic: float = setting(
        0.0,
        "elastic deformation: standard deviation of the displacements of a 5x5 grid of control points, as a fraction "
        "of the side",
        low=0,
        high=0.5,
    )
    brightness: float | None = setting(
        None, "maximum change of brightness, as a fraction of the full range", low=0, high=1
    )
    contrast: float | None = setting(
        None, "maximum relative change of contrast (0.2: a factor between 0.8 and 1.2)", low=0, high=1
    )
    saturation: float | None = setting(None, "maximum relative change of color saturation", low=0, high=1)
    noise: float = setting(
        0.0, "maximum standard deviation of Gaussian noise, as a fraction of the full range", low=0, high=1
    )
    erase: float = setting(
        0.0,
        "random erasing (cutout): side of a blank square in each image, as a fraction of the image side",
        low=0,
        high=0.9,
    )
    mixup: float = setting(0.0, "mixup: alpha of its Beta distribution (Zhang et al. 2018; 0: off)", low=0)
    cutmix: float = setting(0.0, "CutMix: alpha of its Beta distribution (Yun et al. 2019; 0: off)", low=0)


@dataclass(frozen=True)
class TrainingRecipe:
    """Duration, optimizer, schedule, loss, regularization and hardware of training."""

    epochs: int | None = setting(
        None, "number of epochs (passes over the training images); default: from the number of images", low=1
    )
    minutes: float | None = setting(
        None, "time budget in minutes, instead of epochs; the number of epochs that fit is measured first", low=0.01
    )
    batch_size: int | None = setting(
        None, "batch size, in images per step; default: 32 to 128 from the number of images", low=1
    )
    optimizer: str = setting(
        "adamw",
        "optimizer: sgd (with Nesterov momentum), rmsprop, adam or adamw",
        choices=("sgd", "rmsprop", "adam", "adamw"),
    )
    learning_rate: float | None = setting(
        None, "peak learning rate; default: from the optimizer and the network", low=0
    )
    momentum: float = setting(
        0.9, "momentum of sgd; beta1 of adam and adamw; smoothing constant of rmsprop", low=0, high=0.9999
    )
    weight_decay: float | None = setting(
        None, "weight decay, except on biases and normalization layers; default: 0.05 for adamw, else 0.0005", low=0
    )
    schedule: str = setting(
        "one-cycle",
        "learning rate schedule: constant, step, cosine, one-cycle (Smith 2018) or plateau (reduced when the "
        "validation score stalls)",
        choices=("constant", "step", "cosine", "one-cycle", "plateau"),
    )
    warmup_epochs: float = setting(
        0.0, "epochs of linear warmup, for the schedules constant, step, cosine and plateau", low=0
    )
    step_epochs: int = setting(10, "step schedule: epochs between reductions of the learning rate", low=1)
    gamma: float = setting(
        0.2, "step and plateau schedules: factor by which the learning rate is reduced", low=0, high=1
    )
    plateau_epochs: int = setting(
        3, "plateau schedule: patience, the epochs without improvement before a reduction", low=0
    )
    loss: str | None = setting(
        None,
        "loss function; default: cross-entropy for one class an image, binary-cross-entropy for several labels an "
        "image, cross-entropy+dice for masks (also focal+dice, cross-entropy, dice, focal, tversky, focal+tversky), "
        "huber for numbers (mse is more sensitive to outliers, l1 less)",
    )
    focal_gamma: float = setting(
        2.0, "focal loss: gamma; larger values give less weight to pixels that are already right", low=0, high=10
    )
    miss_cost: float = setting(
        0.7, "Tversky loss: weight of false negatives; false positives weigh 1 minus this", low=0, high=1
    )
    label_smoothing: float = setting(
        0.0, "label smoothing: probability spread evenly over all classes", low=0, high=0.5
    )
    balance: str = setting(
        "none",
        "correction for imbalanced classes: none, weights (class weights in the loss) or sampling (rare classes are "
        "oversampled)",
        choices=("none", "weights", "sampling"),
    )
    average: float = setting(
        0.0,
        "decay of an exponential moving average of the weights (EMA), which is validated and saved, as in 0.999 (0: "
        "off)",
        low=0,
        high=0.99999,
    )
    accumulate: int = setting(1, "gradient accumulation: batches per optimizer step", low=1)
    clip: float = setting(0.0, "gradient clipping: maximum norm of the gradient (0: off)", low=0)
    early_stopping: int = setting(
        0, "early stopping: patience in epochs without improvement on the validation split (0: off)", low=0
    )
    freeze_epochs: int | None = setting(
        None, "epochs in which only the new head is trained; default: 1 for pretrained networks, else 0", low=0
    )
    unfreeze_every: int = setting(
        0,
        "gradual unfreezing after that: epochs from one layer group to the next, from the top (0: all at once)",
        low=0,
    )
    trainable_layers: int = setting(
        0, "number of trainable layer groups, counted from the head (0: all; 1: only the head)", low=0
    )
    layer_decay: float = setting(
        1.0,
        "layer-wise learning rate decay: factor from each layer group to the one below it, as in 0.7 (1: the same "
        "rate for all)",
        low=0.01,
        high=1,
    )
    precision: str = setting(
        "auto",
        "numerical precision: 32-true, bf16-mixed, 16-mixed or auto (bf16-mixed on a GPU that supports it, else "
        "32-true)",
        choices=("auto", "32-true", "bf16-mixed", "16-mixed"),
    )
    device: str = setting("auto", "device: auto, cpu, cuda or mps", choices=("auto", "cpu", "cuda", "mps"))
