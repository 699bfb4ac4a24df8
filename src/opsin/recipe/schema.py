"""The sections of a recipe: every key with its help, bounds and choices.

The command line makes its flags from them and the documentation its reference.
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
        default: Its value where the recipe is silent; None means "decided by a rule once the data are known".
        help: One sentence for ``--help`` and the documentation.
        choices: The allowed words, for text keys.
        low: The smallest allowed number.
        high: The largest allowed number.
        flag: The name of its flag on the command line, where it differs from the key.
    """
    metadata = {"help": help, "choices": choices, "low": low, "high": high, "flag": flag}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class DataRecipe:
    """Which images, and how they are brought to one size."""

    source: str = setting("", "folder, CSV, npz or IDX file, or the name of a known data set")
    label: str = setting(
        "label",
        "column (CSV) or array (npz) that holds the class, the number or the labels; or a column for each label, as in "
        "cat,dog",
    )
    masks: str = setting(
        "auto",
        "what the values of masks mean: classes, binary (every value but 0 is the foreground), or auto (numbers of "
        "single objects are read as binary)",
        choices=("auto", "classes", "binary"),
    )
    group: str = setting(
        "group", "column or array whose equal values (patient, slide, video) stay on one side of a split"
    )
    decisions: str = setting(
        "",
        "CSV file of decisions about single images, as `opsin check` makes it; left out: decisions.csv in the data's "
        "folder where there is one",
    )
    image_size: tuple[int, int] | None = setting(
        None, "height and width the network sees, in pixels (224 or 64x128); left out: up to 64 as it is, else 128-224"
    )
    channels: int | None = setting(
        None,
        "1 grey, 3 color; left out: 3 for pretrained networks, as a run whose weights are taken, else as the images",
        low=1,
        high=3,
    )
    resize: str = setting(
        "squash",
        "how an image of another shape is brought to size: squash (all of it), crop (the middle), pad (black bars)",
        choices=("squash", "crop", "pad"),
    )
    bits: int = setting(
        16, "bits in use in 16-bit images (12 for many cameras): 2^bits - 1 becomes white", low=8, high=16
    )
    memory_gb: float | None = setting(
        None,
        "decoded images above this size live in a file on disk; left out: a third of the memory that is free",
        low=0,
    )
    tta: str = setting(
        "none",
        "views of each image whose probabilities are averaged in prediction: none, mirror (itself and its left-right "
        "mirror image), any (all eight turns and mirror images), auto (what the data allow)",
        choices=("none", "mirror", "any", "auto"),
    )
    skip_unreadable: bool = setting(False, "leave out images that cannot be read, and say so in the report")


@dataclass(frozen=True)
class SplitRecipe:
    """How samples are shared out between training, validation and test."""

    validation: float = setting(
        0.15, "part of the training images held out for validation (at most 5,000)", low=0.01, high=0.5
    )
    test: float = setting(0.15, "part of all images locked away for test (at most 10,000)", low=0.01, high=0.5)
    seed: int = setting(0, "seed of the split, apart from the seed of training", low=0, flag="split_seed")
    group_by: str = setting(
        "",
        "group images by their names: a regular expression such as patient_(\\d+), whose brackets hold the group, or "
        "folder:2 for the second folder of the name",
    )
    folds: int = setting(
        0, "share all images out into so many folds, one of which is the test split (0: no folds)", low=0, high=1000
    )
    fold: int = setting(0, "which of the folds, counted from 0, is the test split", low=0)
    test_groups: tuple[str, ...] = setting((), "the groups whose images are the test split, by name, parted by commas")
    file: str = setting(
        "", "CSV with the columns image and split, or the folder of a run whose split is used again", flag="split_file"
    )
    train_fraction: float = setting(
        1.0,
        "part of the training images that is used, stratified, whole groups; the seed decides which (`opsin learning-curve`)",
        low=0.0001,
        high=1,
    )
    near_duplicates: bool = setting(
        True, "keep copies that were resized, recompressed, cropped, mirrored or turned on one side of the split"
    )
    given: bool = setting(
        True, "keep the split that the data come with; no: share all images out anew", flag="given_split"
    )


@dataclass(frozen=True)
class NetworkRecipe:
    """The network and where its weights begin."""

    name: str | None = setting(
        None,
        "a network of ours or any of timm's; left out: small_resnet up to 64 pixels, else tf_efficientnet_lite0 (for "
        "masks unet, else unet:tf_efficientnet_lite0)",
        flag="network",
    )
    pretrained: bool | None = setting(
        None, "begin from ImageNet weights; left out: yes for images above 64 pixels, where the network has any"
    )
    weights: str = setting(
        "", "begin from the weights of a run of one's own: its folder, or the best.safetensors in it"
    )
    dropout: float = setting(0.0, "dropout before the last layer", low=0, high=0.95)
    options: dict[str, Any] = setting({}, "further arguments of the network's constructor")


@dataclass(frozen=True)
class AugmentationRecipe:
    """What is varied at random, anew for each image in each epoch. 0 switches a transformation off."""

    strength: float = setting(
        1.0, "multiplies every range below; 0 switches augmentation off", low=0, high=3, flag="augment"
    )
    horizontal_flip: float | None = setting(None, "probability of a left-right mirror image", low=0, high=1)
    vertical_flip: float | None = setting(None, "probability of an upside-down mirror image", low=0, high=1)
    quarter_turns: float | None = setting(None, "probability of a turn by 90, 180 or 270 degrees", low=0, high=1)
    rotation: float | None = setting(None, "largest rotation to either side, degrees", low=0, high=180)
    shift: float | None = setting(None, "largest shift in each direction, as part of the side", low=0, high=0.5)
    scale: float | None = setting(None, "largest zoom in or out (0.1: between 1/1.1 and 1.1 times)", low=0, high=1)
    shear: float | None = setting(None, "largest shear, degrees", low=0, high=45)
    elastic: float = setting(
        0.0,
        "elastic deformation: standard deviation of the steps of a 5x5 grid's nodes, as part of the side",
        low=0,
        high=0.5,
    )
    brightness: float | None = setting(None, "largest change of brightness, as part of the full range", low=0, high=1)
    contrast: float | None = setting(
        None, "largest change of contrast, as a factor (0.2: 0.8-1.2 times)", low=0, high=1
    )
    saturation: float | None = setting(None, "largest change of color saturation, as a factor", low=0, high=1)
    noise: float = setting(
        0.0, "largest standard deviation of Gaussian noise, as part of the full range", low=0, high=1
    )
    erase: float = setting(
        0.0, "side of a square blanked at a random place in each image, as part of the side", low=0, high=0.9
    )
    mixup: float = setting(0.0, "alpha of mixup (Zhang et al. 2018)", low=0)
    cutmix: float = setting(0.0, "alpha of cutmix (Yun et al. 2019)", low=0)


@dataclass(frozen=True)
class TrainingRecipe:
    """How long, with which optimizer, and when to stop."""

    epochs: int | None = setting(None, "passes over the training images; left out: by the number of images", low=1)
    minutes: float | None = setting(
        None, "a time budget instead: the epochs that fit into it are measured first", low=0.01
    )
    batch_size: int | None = setting(None, "images per step; left out: 32 to 128 by the number of images", low=1)
    optimizer: str = setting(
        "adamw", "sgd (Nesterov momentum), rmsprop, adam or adamw", choices=("sgd", "rmsprop", "adam", "adamw")
    )
    learning_rate: float | None = setting(None, "peak learning rate; left out: by optimizer and network", low=0)
    momentum: float = setting(0.9, "momentum of sgd, first beta of adam, decay of rmsprop's mean", low=0, high=0.9999)
    weight_decay: float | None = setting(
        None, "weight decay (not on biases and normalization); left out: 0.05 for adamw, else 0.0005", low=0
    )
    schedule: str = setting(
        "one-cycle",
        "constant, step, cosine, one-cycle (Smith 2018) or plateau (lower when validation stalls)",
        choices=("constant", "step", "cosine", "one-cycle", "plateau"),
    )
    warmup_epochs: float = setting(
        0.0, "epochs of rising learning rate before constant, step, cosine or plateau", low=0
    )
    step_epochs: int = setting(10, "step: epochs between two reductions", low=1)
    gamma: float = setting(0.2, "step and plateau: factor of a reduction", low=0, high=1)
    plateau_epochs: int = setting(3, "plateau: epochs without improvement before a reduction", low=0)
    loss: str | None = setting(
        None,
        "what training lowers; left out: cross-entropy for classes, binary-cross-entropy for several labels, "
        "cross-entropy+dice for masks, huber for numbers (mse: large errors count more, l1: less)",
        choices=(
            "cross-entropy",
            "binary-cross-entropy",
            "cross-entropy+dice",
            "dice",
            "focal",
            "focal+dice",
            "tversky",
            "focal+tversky",
            "huber",
            "mse",
            "l1",
        ),
    )
    focal_gamma: float = setting(2.0, "focal loss: how much less a pixel counts that is right already", low=0, high=10)
    miss_cost: float = setting(
        0.7, "Tversky loss: cost of a missed pixel; that of a false alarm is 1 minus this", low=0, high=1
    )
    label_smoothing: float = setting(0.0, "part of the target shared among all classes", low=0, high=0.5)
    balance: str = setting(
        "none",
        "for uneven classes: weights (in the loss) or sampling (rare classes drawn more often)",
        choices=("none", "weights", "sampling"),
    )
    average: float = setting(
        0.0,
        "decay of the moving average of the weights that is validated and kept (0.999; 0: off)",
        low=0,
        high=0.99999,
    )
    accumulate: int = setting(1, "batches whose gradients are added up before a step", low=1)
    clip: float = setting(0.0, "largest norm of the gradient (0: no limit)", low=0)
    early_stopping: int = setting(0, "stop after so many epochs without improvement on validation (0: never)", low=0)
    freeze_epochs: int | None = setting(
        None, "epochs in which only the new head learns; left out: 1 for pretrained networks", low=0
    )
    unfreeze_every: int = setting(
        0, "then wake one more block from the top every so many epochs (0: all at once)", low=0
    )
    trainable_layers: int = setting(
        0, "how many groups of layers learn, counted from the head (0: all; 1: the head alone)", low=0
    )
    layer_decay: float = setting(
        1.0,
        "factor of the learning rate from each group of layers to the one before it (0.7; 1: all learn alike)",
        low=0.01,
        high=1,
    )
    precision: str = setting(
        "auto",
        "auto (bf16-mixed on a GPU that has it, else 32-true), 32-true, bf16-mixed or 16-mixed",
        choices=("auto", "32-true", "bf16-mixed", "16-mixed"),
    )
    device: str = setting("auto", "auto, cpu, cuda or mps", choices=("auto", "cpu", "cuda", "mps"))
