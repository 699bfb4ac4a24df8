"""The table of tasks: everything outside a task's own files that differs from task to task.

Modules are named here and imported when they are asked for: whoever reads results needs no torch, and nothing is
imported against the direction in which the data go.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Part = Literal[
    "encode",
    "check_network",
    "network",
    "create",
    "average",
    "write",
    "read",
    "answers",
    "score",
    "select",
    "calibrate",
    "judge",
    "head",
    "captions",
    "measure",
    "per_image",
    "explain",
    "ask",
    "write_masks",
]


class Budget(NamedTuple):
    """What a recipe that leaves training open gets.

    Attributes:
        fine_tuning: Images to train on where weights are trained already, and the fewest and most epochs.
        scratch: The same where they begin at random.
        batches: Batch size for few images (below 500) or trained weights, for up to 10,000 images, and above.
        scratch_rate: Multiplies the usual learning rate of random weights.
    """

    fine_tuning: tuple[int, int, int] = (24_000, 6, 30)
    scratch: tuple[int, int, int] = (660_000, 10, 60)
    batches: tuple[int, int, int] = (32, 64, 128)
    scratch_rate: float = 1.0


@dataclass(frozen=True)
class TaskEntry:
    """One task.

    Attributes:
        title: What a report is called whose name is not to be shown.
        outputs: What the network puts out, one and several: "class", "classes"; empty where there is one value.
        exclusive: Whether exactly one of the outputs is true of each image.
        main_score: By which the best epoch is chosen; `runs`, `train` and the head of the report show it.
        losses: What training may lower, the usual one first.
        scores: The scores of the whole split, in the order in which they are shown.
        details: The scores of each output, named ``recall/cat``.
        compared: Those of `scores` that `opsin compare` compares, the usual one first.
        per_image: The score that is the mean over the images of what the part of that name gives of each.
        learning: The score from 0 to 1 whose distance from 1 a learning curve follows.
        sections: The sections of the report that apply, by anchor.
        inspections: The inspections that apply.
        parts: Module and function of each part.
        networks: The network of recipes that name none: with ImageNet weights, and from scratch.
        budget: How long it is trained where the recipe does not say.
    """

    title: str
    outputs: tuple[str, str]
    exclusive: bool
    main_score: str
    losses: tuple[str, ...]
    scores: tuple[str, ...]
    details: tuple[str, ...]
    compared: tuple[str, ...]
    per_image: str
    learning: str
    sections: tuple[str, ...]
    inspections: tuple[str, ...]
    parts: dict[Part, str]
    networks: tuple[str, str] = ("tf_efficientnet_lite0", "small_resnet")
    budget: Budget = Budget()


# The parts of a task:
#   encode(dataset, preprocessing, progress)               targets of all images as a tensor, as the loss takes them
#   check_network(name, pretrained)                        raises unless there is such a network, with such weights
#   network(recipe, outputs, pretrained=False)             the network of a resolved recipe
#   create(recipe, classes, training=None, known={})       the task (`opsin.tasks.base.Learner`) of a resolved recipe:
#                                                          `training` are the targets of the training images, `known`
#                                                          is what the run has learned (`RunFolder.known`)
#   average(outputs)                                       outputs (N, ...) that predict the mean of K of them,
#                                                          (K, N, ...), of views of the images or of networks
#   write(path, names, classes, predictions, targets)      predictions of a split into a file
#   read(path, classes)                                    names, targets and predictions from that file
#   answers(predictions, classes)                          predictions in words and columns (`opsin.tasks.answers`)
#   score(predictions, targets, classes, groups, positive) score -> `opsin.statistics.bootstrap.Interval`
#   select(targets, predictions)                           rows for the gallery, int64 (K,), the worst first
#   calibrate(folder, task, predictions, targets, groups)  what validation images teach before test is opened
#   judge(folder)                                          the findings of the verdict on a scored run
#   head(page, score, split)                               what stands at the head of the report
#   captions(predicted, rows, classes)                     what stands below the pictures of the gallery
#   measure(paired)                                        the scores of several runs on the same images, for `compare`
#   per_image(targets, predictions)                        how good each answer is: `opsin.evaluation.per_image`
# Of tasks whose predictions are masks:
#   write_masks(folder, predictor, paths, out, tiling, probabilities)  masks of new images as files, and how many
# Of tasks with heat maps, which are those with the inspection "attributions":
#   explain(targets, predictions, rows)                    which outputs they explain, int64 (K, 2)
#   ask(predicted, rows, outputs, classes)                 what they are asked, in words
TASKS: dict[str, TaskEntry] = {
    "classification": TaskEntry(
        title="Image classification",
        outputs=("class", "classes"),
        exclusive=True,
        main_score="accuracy",
        losses=("cross-entropy",),
        scores=(
            "accuracy",
            "group_accuracy",
            "balanced_accuracy",
            "macro_f1",
            "roc_auc",
            "average_precision",
            "log_loss",
            "calibration_error",
        ),
        details=("recall", "precision", "f1", "auc", "average_precision"),
        compared=("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss"),
        per_image="accuracy",
        learning="accuracy",
        sections=(
            "verdict",
            "data",
            "images",
            "scores",
            "members",
            "classes",
            "confusion",
            "groups",
            "calibration",
            "thresholds",
            "abstaining",
            "elsewhere",
            "gallery",
            "looking",
            "alike",
            "training",
            "network",
            "filters",
            "reproduce",
        ),
        inspections=("robustness", "attributions", "map"),
        parts={
            "encode": "opsin.tasks.classification.learner:encode_targets",
            "check_network": "opsin.networks.registry:check_network",
            "network": "opsin.training.network:build_network",
            "create": "opsin.tasks.classification.learner:create_classification",
            "average": "opsin.networks.averaging:average_probabilities",
            "write": "opsin.tasks.classification.files:write_predictions",
            "read": "opsin.tasks.classification.files:read_predictions",
            "answers": "opsin.tasks.classification.answers:ClassAnswers",
            "score": "opsin.tasks.classification.scorecard:score",
            "select": "opsin.tasks.classification.gallery:select",
            "calibrate": "opsin.tasks.classification.calibrate:calibrate_probabilities",
            "judge": "opsin.tasks.classification.verdict:judge_classifier",
            "head": "opsin.tasks.classification.report:head_of_classification",
            "captions": "opsin.tasks.classification.report:caption_classes",
            "measure": "opsin.tasks.classification.compare:ClassificationScores",
            "per_image": "opsin.tasks.classification.scorecard:right_classes",
            "explain": "opsin.tasks.classification.explain:explain_classes",
            "ask": "opsin.tasks.classification.report:ask_classes",
        },
    ),
    "multilabel": TaskEntry(
        title="Several labels per image",
        outputs=("label", "labels"),
        exclusive=False,
        main_score="map",
        losses=("binary-cross-entropy",),
        scores=("map", "mean_auc", "macro_f1", "exact_match"),
        details=("average_precision", "auc", "f1", "recall", "precision"),
        compared=("map", "mean_auc", "macro_f1", "exact_match"),
        per_image="exact_match",
        learning="map",
        sections=(
            "verdict",
            "data",
            "images",
            "scores",
            "members",
            "labels",
            "elsewhere",
            "gallery",
            "looking",
            "training",
            "network",
            "filters",
            "reproduce",
        ),
        inspections=("robustness", "attributions"),
        parts={
            "encode": "opsin.tasks.multilabel.learner:encode_targets",
            "check_network": "opsin.networks.registry:check_network",
            "network": "opsin.training.network:build_network",
            "create": "opsin.tasks.multilabel.learner:create_multilabel",
            "average": "opsin.networks.averaging:average_label_probabilities",
            "write": "opsin.tasks.multilabel.files:write_predictions",
            "read": "opsin.tasks.multilabel.files:read_predictions",
            "answers": "opsin.tasks.multilabel.answers:SeveralLabels",
            "score": "opsin.tasks.multilabel.scorecard:score",
            "select": "opsin.tasks.multilabel.gallery:select_by_likelihood",
            "calibrate": "opsin.tasks.multilabel.calibrate:choose_label_thresholds",
            "judge": "opsin.tasks.multilabel.verdict:judge_labels",
            "head": "opsin.tasks.multilabel.report:head_of_labels",
            "captions": "opsin.tasks.multilabel.report:caption_labels",
            "measure": "opsin.tasks.multilabel.compare:MultilabelScores",
            "per_image": "opsin.tasks.multilabel.scorecard:right_labels",
            "explain": "opsin.tasks.multilabel.explain:explain_labels",
            "ask": "opsin.tasks.multilabel.report:ask_labels",
        },
    ),
    "regression": TaskEntry(
        title="A number for each image",
        outputs=("", ""),
        exclusive=False,
        main_score="mae",
        losses=("huber", "mse", "l1"),
        scores=("mae", "rmse", "r2"),
        details=(),
        compared=("mae", "rmse", "r2"),
        per_image="mae",
        learning="r2",
        sections=(
            "verdict",
            "data",
            "images",
            "scores",
            "members",
            "estimates",
            "elsewhere",
            "gallery",
            "looking",
            "training",
            "network",
            "filters",
            "reproduce",
        ),
        inspections=("robustness", "attributions"),
        parts={
            "encode": "opsin.tasks.regression.learner:encode_targets",
            "check_network": "opsin.networks.registry:check_network",
            "network": "opsin.training.network:build_network",
            "create": "opsin.tasks.regression.learner:create_regression",
            "average": "opsin.networks.averaging:average_values",
            "write": "opsin.tasks.regression.files:write_predictions",
            "read": "opsin.tasks.regression.files:read_predictions",
            "answers": "opsin.tasks.regression.answers:ValueAnswers",
            "score": "opsin.tasks.regression.scorecard:score",
            "select": "opsin.tasks.regression.gallery:select_by_error",
            "calibrate": "opsin.workflow.calibrate:calibrate_nothing",
            "judge": "opsin.tasks.regression.verdict:judge_regression",
            "head": "opsin.tasks.regression.report:head_of_regression",
            "captions": "opsin.tasks.regression.report:caption_values",
            "measure": "opsin.tasks.regression.compare:RegressionScores",
            "per_image": "opsin.tasks.regression.scorecard:absolute_errors",
            "explain": "opsin.tasks.regression.explain:explain_values",
            "ask": "opsin.tasks.regression.report:ask_values",
        },
    ),
    "segmentation": TaskEntry(
        title="Image segmentation",
        outputs=("class", "classes"),
        exclusive=False,
        main_score="dice",
        losses=("cross-entropy+dice", "focal+dice", "cross-entropy", "dice", "focal", "tversky", "focal+tversky"),
        scores=("dice", "iou", "mean_iou", "pixel_accuracy", "boundary_f", "checkerboard"),
        details=("dice", "iou", "boundary_f"),
        compared=("dice", "iou", "mean_iou", "pixel_accuracy"),
        per_image="dice",
        learning="dice",
        sections=(
            "verdict",
            "data",
            "images",
            "scores",
            "members",
            "pixels",
            "elsewhere",
            "masks",
            "training",
            "network",
            "reproduce",
        ),
        inspections=("robustness",),
        parts={
            "encode": "opsin.tasks.segmentation.learner:encode_masks",
            "check_network": "opsin.networks.segmentation.registry:check_segmentation_network",
            "network": "opsin.training.network:build_segmentation_network",
            "create": "opsin.tasks.segmentation.learner:create_segmentation",
            "average": "opsin.networks.averaging:average_probabilities",
            "write": "opsin.tasks.segmentation.files:write_masks",
            "read": "opsin.tasks.segmentation.files:read_masks",
            "write_masks": "opsin.tasks.segmentation.write_masks:write_masks",
            "answers": "opsin.tasks.segmentation.answers:MaskAnswers",
            "score": "opsin.tasks.segmentation.scorecard:score_masks",
            "select": "opsin.tasks.segmentation.gallery:select_masks",
            "calibrate": "opsin.workflow.calibrate:calibrate_nothing",
            "judge": "opsin.tasks.segmentation.verdict:judge_masks",
            "head": "opsin.tasks.segmentation.report:head_of_segmentation",
            "captions": "opsin.tasks.segmentation.report:caption_masks",
            "measure": "opsin.tasks.segmentation.compare:SegmentationScores",
            "per_image": "opsin.tasks.segmentation.scorecard:dice_of_masks",
        },
        networks=("unet:tf_efficientnet_lite0", "unet"),
        budget=Budget(fine_tuning=(8_000, 20, 100), scratch=(12_000, 30, 150), batches=(8, 16, 16), scratch_rate=0.25),
    ),
}


def part_of(task: str, part: Part) -> Any:
    """Return the function or class that does a part of a task.

    Args:
        task: As in ``recipe.task``.
        part: Which part; the comments in this file say what each takes and returns.
    """
    module, _, function = TASKS[task].parts[part].partition(":")
    return getattr(importlib.import_module(module), function)
